from collections import defaultdict

from hawk_pipelines.schema import Caption, Clip, SourceCaption


def caption_clips(clips: list[Clip], source_captions: list[SourceCaption]) -> list[Caption]:
    """Give every caption that came with the source to the clip that it overlaps most."""
    clips_of = defaultdict(list)
    for clip in clips:
        clips_of[clip.video_id].append(clip)
    captions = []
    for said in source_captions:
        clip = max(clips_of[said.video_id], key=lambda clip: min(clip.end_s, said.end_s) - max(clip.start_s, said.start_s))
        captions.append(Caption(clip_id=clip.id, tool="source", score=1.0, **said.model_dump()))
    return captions

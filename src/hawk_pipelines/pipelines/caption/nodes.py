from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.perception import existing
from hawk_pipelines.perception.captioner import Seen
from hawk_pipelines.perception.captioning import caption_all
from hawk_pipelines.perception.parameters import BACK_ENDS, CaptionParameters
from hawk_pipelines.schema import Caption, Clip, MotionSignal, Rejection, SourceCaption, Video


def caption_clips(
    clips: list[Clip],
    videos: list[Video],
    source_captions: list[SourceCaption],
    motion_signal: list[MotionSignal],
    parameters: CaptionParameters,
    engine: EngineParameters,
    motion_signal_store: ItemStore,
    caption_store: ItemStore,
) -> tuple[list[Caption], list[Rejection]]:
    """Caption every clip with every chosen captioner."""
    by_id = {video.id: video for video in videos}
    signals = {row.video_id: row.key for row in motion_signal}
    assigned, homeless = existing.assign(clips, source_captions)
    seen = [Seen(clip, by_id[clip.video_id], tuple(assigned.get(clip.id, ()))) for clip in clips]
    captions: list[Caption] = []
    rejections: list[Rejection] = []
    if existing.TOOL in parameters.captioners:
        rejections += [existing.refuse(sentence, by_id) for sentence in homeless]
    for tool in parameters.captioners:
        settings = getattr(parameters, tool)
        made = caption_all(BACK_ENDS[tool], settings, seen, signals, motion_signal_store, caption_store, engine)
        captions += made.captions
        rejections += made.rejections
    order = {video.id: place for place, video in enumerate(videos)}
    captions.sort(key=lambda caption: (order[caption.video_id], caption.start_s, caption.tool))
    return captions, rejections

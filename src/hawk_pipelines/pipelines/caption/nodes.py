from contextlib import AbstractContextManager, nullcontext

from pydantic import SecretStr

from hawk_pipelines.engine.joins import check_joined
from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.language.llm import Client
from hawk_pipelines.language.llm_report import rows
from hawk_pipelines.perception import existing, openai_vision
from hawk_pipelines.perception.captioner import Seen
from hawk_pipelines.perception.captioning import caption_all
from hawk_pipelines.perception.parameters import BACK_ENDS, CaptionParameters
from hawk_pipelines.pipelines.llm_tracking import track, track_calls
from hawk_pipelines.schema import Caption, Clip, LlmCall, MotionSignal, Rejection, SourceCaption, Video


def caption_clips(
    clips: list[Clip],
    videos: list[Video],
    source_captions: list[SourceCaption],
    motion_signal: list[MotionSignal],
    parameters: CaptionParameters,
    engine: EngineParameters,
    llm_key: SecretStr | None,
    motion_signal_store: ItemStore,
    caption_store: ItemStore,
) -> tuple[list[Caption], list[Rejection], list[LlmCall]]:
    """Caption every clip with every chosen captioner."""
    by_id = {video.id: video for video in videos}
    signals = {row.video_id: row.key for row in motion_signal}
    check_joined("clips", (clip.video_id for clip in clips), "videos", by_id)
    check_joined("source_captions", (caption.video_id for caption in source_captions), "videos", by_id)
    assigned, homeless = existing.assign(clips, source_captions)
    seen = [Seen(clip, by_id[clip.video_id], tuple(assigned.get(clip.id, ()))) for clip in clips]
    captions: list[Caption] = []
    rejections: list[Rejection] = []
    calls: list[LlmCall] = []
    if existing.TOOL in parameters.captioners:
        rejections += [existing.refuse(sentence, by_id) for sentence in homeless]
    with _vision_client(parameters, llm_key) as client:
        try:
            for tool in parameters.captioners:
                settings = getattr(parameters, tool)
                remote = client is not None and tool == openai_vision.TOOL
                opened = openai_vision.open_captioner(settings, client) if remote else None
                made = caption_all(BACK_ENDS[tool], settings, seen, signals, motion_signal_store, caption_store, engine, opened)
                captions += made.captions
                rejections += made.rejections
                if client is not None and remote:
                    calls = [*made.calls, *rows(client, made.asked)]
        finally:
            if client is not None:  # what was spent is told even where the run ends at its limit
                track("caption", client)
    place_of = {clip.id: place for place, clip in enumerate(clips)}
    calls.sort(key=lambda call: place_of[call.item_id])
    order = {video.id: place for place, video in enumerate(videos)}
    captions.sort(key=lambda caption: (order[caption.video_id], caption.start_s, caption.tool))
    track_calls("caption", calls)
    return captions, rejections, calls


def _vision_client(parameters: CaptionParameters, key: SecretStr | None) -> AbstractContextManager[Client | None]:
    """What asks the vision model, where one is wanted. Opened first: what is wrong with its settings stops all captioners."""
    if openai_vision.TOOL not in parameters.captioners:
        return nullcontext()
    return openai_vision.open_client(parameters.openai_vision, key)

import logging
from functools import partial
from pathlib import Path

from hawk_pipelines.engine.joins import check_joined
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import Clip, MotionSignal, Rejection, Video
from hawk_pipelines.video.cutting import SplitParameters, cut
from hawk_pipelines.video.motion_signal import MOTION_SIGNAL_VERSION, LookPlace, activity, look_along, unpack_signal

logger = logging.getLogger(__name__)


def look_along_videos(
    videos: list[Video], parameters: SplitParameters, engine: EngineParameters, motion_signal_store: ItemStore
) -> tuple[list[MotionSignal], list[Rejection]]:
    """Look along every video for what moves in it."""
    items = []
    for video in videos:
        path = Path(video.path)
        timed = video.fps if path.is_dir() else None  # a file says it itself
        items.append(Item(video.id, [video.id, timed], LookPlace(path, video.fps, video.id)))
    step = Step(
        "motion_signal", partial(look_along, parameters=parameters.look), MOTION_SIGNAL_VERSION, parameters.look.model_dump()
    )
    keys, rejections = run_items(step, items, motion_signal_store, engine)
    if rejections:
        logger.warning("%d videos could not be looked along and have no clips; see `rejected_signals`.", len(rejections))
    looked_at = [_summary(video, keys[video.id], motion_signal_store) for video in videos if video.id in keys]
    names = {video.id: video.name for video in videos}
    return looked_at, [rejection.model_copy(update={"item": names[rejection.item]}) for rejection in rejections]


def cut_clips(
    videos: list[Video], motion_signal: list[MotionSignal], parameters: SplitParameters, motion_signal_store: ItemStore
) -> list[Clip]:
    """Cut every video that was looked along into clips."""
    by_id = {video.id: video for video in videos}
    check_joined("motion_signal", (signal.video_id for signal in motion_signal), "videos", by_id)
    clips = []
    for signal in motion_signal:
        clips += cut(by_id[signal.video_id], unpack_signal(motion_signal_store.read(signal.key)), parameters)
    return clips


def _summary(video: Video, key: str, store: ItemStore) -> MotionSignal:
    signal = unpack_signal(store.read(key))
    looks = len(signal.frames)
    return MotionSignal(
        video_id=video.id,
        key=key,
        looks=looks,
        looks_per_s=looks / video.duration_s,
        activity=float(activity(signal).mean()),
        moving_share=float((signal.moving > 0).any(axis=(1, 2)).mean()),
        shots=int(signal.shots.sum()) + 1,
    )

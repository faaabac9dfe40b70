import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from hawk_pipelines.engine.joins import check_joined
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.evaluation.windows import (
    PART,
    Look,
    Windows,
    looks_in,
    parts_of,
    windows_of,
)
from hawk_pipelines.pipelines.encode.nodes import encode_frames
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import AnomalyScore, Asked, Rejection, StoredItem, Video, WindowPart, WindowScore
from hawk_pipelines.video.clock import clock_of
from hawk_pipelines.video.flow import FlowMethod
from hawk_pipelines.video.stored import ItemPlace, frame_item, unpack_magnitude
from hawk_pipelines.video.streams import STREAMS_VERSION, StreamParameters

if TYPE_CHECKING:
    from hawk_pipelines.model.batch import FrameTokens
    from hawk_pipelines.training.features import Features

logger = logging.getLogger(__name__)

Words = Annotated[str, Field(min_length=1)]
LEAST_SHARE = 0.1
"""Of the model's answers; where fewer begin as they should, that is said."""
PARTS_HELD = 8
"""Parts of videos whose tokens are held in memory: windows of one part come one after the other."""


class WhenParameters(BaseModel):
    """How a model is asked when something unusual happens."""

    model_config = ConfigDict(extra="forbid")

    window_s: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = [0.35, 4.0]
    """Lengths of windows in seconds: short ones say when, long ones whether. A shorter video is one window. Empty: nothing is
    scored."""
    stride: float = Field(default=0.5, gt=0, le=1)
    """From one window to the next, as a share of their length."""
    most_windows: int = Field(default=500, ge=1)
    """Of a video and a length; windows of a longer video are longer."""
    question: Words = "Is anything out of the ordinary going on?"
    """What the model is asked about each window."""
    unusual: list[Words] = Field(default=["Yes"], min_length=1)
    """How answers begin that say that something unusual happens."""
    usual: list[Words] = Field(default=["No"], min_length=1)
    """How answers begin that say that nothing does."""
    smoothing_s: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    """Standard deviation of the Gaussian that smooths the scores of frames; 0 leaves them as they are."""
    threshold: float = Field(default=0.5, ge=0, le=1)
    """Of the smoothed score; predicted spans are where it is reached."""
    batch_size: int = Field(default=64, ge=1)
    """Windows that are watched at a time."""

    @field_validator("unusual", "usual", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        """YAML reads Yes and No without quotation marks as true and false."""
        words = {True: "Yes", False: "No"}
        return [words[one] if isinstance(one, bool) else one for one in value] if isinstance(value, list) else value

    @property
    def windows(self) -> Windows:
        """How windows are laid along a video."""
        return Windows(self.window_s, self.stride, self.most_windows)


def sample_windows(
    asked: list[Asked],
    videos: list[Video],
    parameters: WhenParameters,
    motion: StreamParameters,
    encode: EncodeParameters,
    engine: EngineParameters,
    window_frame_store: ItemStore,
) -> tuple[list[WindowPart], list[StoredItem], list[Rejection]]:
    """Sample every test video along its whole length, as densely as its shortest windows need, with its motion.

    Nothing is sampled where nothing is asked; so the long work does not begin before it is known that there is anything to test.
    """
    if not asked:
        return [], [], []
    parts, items = [], []
    for video in _tested(videos):
        timed = video.fps if Path(video.path).is_dir() else None
        for part in parts_of(video, parameters.windows, motion.frames):
            span = clock_of(video).between(part.start_frame, part.end_frame)
            place = ItemPlace(Path(video.path), video.id, span, 0, video.fps)
            parts.append(part)
            items.append(Item(part.item_id, [video.id, span, part.looks, timed], (place, part.looks)))
    size = encode.frame_encoder.size
    function = partial(_sampled, flow=motion.flow, size=size)
    step = Step("windows", function, STREAMS_VERSION, {"flow": motion.flow, "size": size})
    keys, rejections = run_items(step, items, window_frame_store, engine)
    return parts, [StoredItem(item_id=item_id, key=key) for item_id, key in keys.items()], rejections


def _sampled(place_and_looks: tuple[ItemPlace, int], flow: FlowMethod, size: int) -> Product:
    place, looks = place_and_looks
    return frame_item(place, StreamParameters(frames=looks, flow=flow), size)


def encode_windows(
    window_frames: list[StoredItem],
    window_frame_store: ItemStore,
    encode: EncodeParameters,
    engine: EngineParameters,
    window_feature_store: ItemStore,
) -> tuple[list[StoredItem], list[Rejection]]:
    """Turn both streams of every sampled frame into the frozen encoder's tokens, looked at as a whole."""
    whole = encode.model_copy(update={"views": 1})  # which no seed decides
    return encode_frames(window_frames, window_frame_store, whole, 0, engine, window_feature_store)


def score_windows(
    model_folder: Path,
    videos: list[Video],
    parts: list[WindowPart],
    window_frames: list[StoredItem],
    window_frame_store: ItemStore,
    window_features: list[StoredItem],
    window_feature_store: ItemStore,
    rejected_parts: list[Rejection],
    rejected_part_features: list[Rejection],
    parameters: WhenParameters,
    motion: StreamParameters,
    encode: EncodeParameters,
    seed: int,
) -> tuple[list[WindowScore], list[AnomalyScore], dict]:
    """Ask the model about every window, and say how well its scores tell when something unusual happens."""
    import mlflow

    from hawk_pipelines.evaluation import when
    from hawk_pipelines.training.features import Features

    check_joined("window_parts", (part.video_id for part in parts), "videos", {video.id for video in _tested(videos)})
    known = {part.item_id for part in parts}
    check_joined("window_frames", (item.item_id for item in window_frames), "window_parts", known, "part")
    check_joined("window_features", (item.item_id for item in window_features), "window_parts", known, "part")
    features = Features(window_features, window_feature_store)
    keys = {item.item_id: item.key for item in window_frames if item.item_id in features}
    looks, left_out = _looks(parts, keys, window_frame_store, [*rejected_parts, *rejected_part_features])
    tested = {video.id: video for video in _tested(videos)}
    seen = {}
    for video_id in looks:
        windows = windows_of(tested[video_id], parameters.windows)
        chosen = [(window, looks_in(window, looks[video_id], motion.frames)) for window in windows]
        if all(within for _, within in chosen):
            seen[video_id] = chosen
        else:
            left_out[video_id] = "A window of it shows no frame, so its frames are not as many and as evenly spaced as it says."
    for video_id, reason in left_out.items():
        logger.warning("%s has no anomaly score. %s", tested[video_id].name, reason)
    asked = [one for chosen in seen.values() for one in chosen]
    scores, shares = _probabilities(model_folder, [within for _, within in asked], features, parameters, motion, encode)
    flow_of = lru_cache(PARTS_HELD)(partial(_flow, window_frame_store))
    scored = []
    for (window, within), score, share in zip(asked, scores, shares, strict=True):
        mean, peak = np.mean([flow_of(keys[look.item_id])[:, look.row] for look in within], axis=0).tolist()
        scored.append(WindowScore(**window.model_dump(), score=score, share=share, flow=mean, peak_flow=peak))
    curves = when.curves(tested, scored, parameters.smoothing_s)
    along = when.anomaly_scores(tested, curves, parameters.threshold)
    told = when.metrics([tested[video_id] for video_id in seen], curves, parameters.threshold, seed)
    told["videos"]["tested"] = len(tested)
    told |= {"convention": parameters.model_dump(exclude={"batch_size"})}
    told |= {"left_out": [{"video": tested[video_id].name, "reason": reason} for video_id, reason in left_out.items()]}
    told |= {"windows": len(scored), "share": sum(shares) / len(shares) if shares else None}
    if mlflow.active_run():
        mlflow.log_metrics(when.flat(told))
    return scored, along, told


def _tested(videos: Sequence[Video]) -> list[Video]:
    return [video for video in videos if video.split == "test"]


def _looks(
    parts: Sequence[WindowPart], keys: Mapping[str, str], store: ItemStore, rejections: Sequence[Rejection]
) -> tuple[dict[str, list[Look]], dict[str, str]]:
    """The sampled frames of every video, in order; and the videos that have not all of them, and why."""
    reasons = {rejection.item: rejection.reason for rejection in rejections}
    looks: dict[str, list[Look]] = {}
    left_out: dict[str, str] = {}
    for part in parts:
        if part.item_id in keys:
            frames = store.facts(keys[part.item_id])["indices"][0]
            looks.setdefault(part.video_id, []).extend(Look(frame, part.item_id, row) for row, frame in enumerate(frames))
        else:
            unknown = "Nothing says why; run `kedro run --pipelines=evaluate` again."
            left_out.setdefault(part.video_id, reasons.get(part.item_id, unknown))
    return {video_id: found for video_id, found in looks.items() if video_id not in left_out}, left_out


def _probabilities(
    model_folder: Path,
    windows: Sequence[Sequence[Look]],
    features: "Features",
    parameters: WhenParameters,
    motion: StreamParameters,
    encode: EncodeParameters,
) -> tuple[list[float], list[float]]:
    """That something unusual happens in each window; and which share of the model's answers says either."""
    if not windows:
        return [], []
    from hawk_pipelines.evaluation.likelihood import Doubt, unusual_of_all
    from hawk_pipelines.model.checkpoint import check_features, load

    parts = load(model_folder)
    made_by = features.made_by(encode.frame_encoder, encode.mask, PART, motion.flow)
    check_features(parts.model, made_by._replace(frames=motion.frames))
    doubt = Doubt(parameters.question, parameters.unusual, parameters.usual)
    read = partial(_tokens, lru_cache(PARTS_HELD)(features.read))
    scores, shares = unusual_of_all(parts, windows, read, doubt, parameters.batch_size)
    if shares.mean() < LEAST_SHARE:
        logger.warning(
            "Only %.2f %% of the model's answers to “%s” begin with %s, so its anomaly scores mean little; set `when.question`, "
            "`when.unusual` and `when.usual` to what it was trained with.",
            100 * shares.mean(),
            parameters.question,
            " or ".join([*parameters.unusual, *parameters.usual]),
        )
    return scores.tolist(), shares.tolist()


def _tokens(read: "Callable[[str], FrameTokens]", looks: Sequence[Look]) -> "FrameTokens":
    """What the frozen encoder saw of a window's frames."""
    import torch

    from hawk_pipelines.model.batch import FrameTokens

    seen = [(read(look.item_id), look.row) for look in looks]
    return FrameTokens(
        torch.stack([part.appearance[row] for part, row in seen]),
        torch.stack([part.motion[row] for part, row in seen]),
        tuple(part.times_s[row] for part, row in seen),
    )


def _flow(store: ItemStore, key: str) -> np.ndarray:
    """How much moves in each frame of a part, pixels a frame: [2, T], of the whole picture and of its point that moves most."""
    magnitude = unpack_magnitude(store.read(key), store.facts(key))[0]
    return np.stack([magnitude.mean(axis=(1, 2)), magnitude.max(axis=(1, 2))])

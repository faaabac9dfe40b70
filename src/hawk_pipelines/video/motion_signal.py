"""A cheap dense look along a whole video: how much moves, where on a grid, which way, and where shots change.

A few small pictures a second are compared, each with the next. The video is decoded once, from its beginning to its end, and
only two small pictures are held at a time, so that hours of it take little more memory than minutes: a look leaves 255 bytes.

What counts as moving has changed by more than camera noise does, and has been shifted by the flow. Noise is estimated for each
pair of looks from what changes least in it; where all of the picture gets lighter or darker, that is taken out before.

Shots are found by PySceneDetect's adaptive detector, from the brightness of a few points of every frame: from one look to the
next a moving camera changes a picture as much as a new shot does.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from pydantic import BaseModel, ConfigDict, Field
from scenedetect import AdaptiveDetector, FrameTimecode

from hawk_pipelines.video.clock import Clock, read_clock
from hawk_pipelines.video.content import content_id
from hawk_pipelines.video.errors import UnreadableVideo
from hawk_pipelines.video.index import FrameIndex
from hawk_pipelines.video.media import open_media, told, video_stream
from hawk_pipelines.video.orientation import turned
from hawk_pipelines.video.pictures import numbered_pictures, read_picture
from hawk_pipelines.video.probe import verified_index

MOTION_SIGNAL_VERSION = 2
"""Raised whenever the same video and parameters give another signal."""
ROWS, COLUMNS = 6, 8
"""The grid. Cell [0, 0] is the upper left one."""
MOST_STEPS = 10_000_000
"""Steps of looks that are laid out in memory."""
LEAST_SIDE = 32
"""Pixels; OpenCV's flow crashes on much narrower pictures."""
LEAST_SHIFT = 0.4
"""Pixels from one look to the next; a smaller flow is none."""
NOISE_FACTOR = 12.5
"""A change counts that is so many times the quartile of all changes: four standard deviations of Gaussian noise."""
LEAST_CHANGE, MOST_NOISE = 4.0, 16.0
"""Grey levels. Below the one compression makes changes of its own; above the other it is no noise, but everything moves."""
SHOT_POINTS = 48
"""Points along the longer side of a frame whose brightness tells shots apart."""
SHOT_CHANGE = 27.0
"""Grey levels by which a new shot differs at least; at less, frames that a camera left out are taken for shots."""
SHORTEST_SHOT_S = 0.5
"""How soon one new shot may follow another: a flash of light is not two."""
PLANAR = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"}
"""Formats whose first plane is brightness, a byte a point."""
# Area averaging, and the same bytes from every processor.
_SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class LookParameters(BaseModel):
    """How closely a video is looked at."""

    model_config = ConfigDict(extra="forbid")

    looks_per_s: float = Field(default=4.0, gt=0, le=60)
    """Looks a second; fewer where the video has fewer frames."""
    size: int = Field(default=96, ge=64, le=512)
    """Pixels of the longer side of the small pictures."""


class LookPlace(NamedTuple):
    """Where a video is to be seen."""

    path: Path
    fps: float
    """Frames a second of a folder of pictures; a file has a clock of its own."""
    video_id: str | None = None
    """The content that is expected there; None takes whatever is."""


class Signal(NamedTuple):
    """What moves along a video: L looks, R×C cells.

    A look tells what moves from its frame to that of the next look. The last one, which has no next, repeats the one before.
    """

    frames: np.ndarray
    """int64 [L], the frame of each look, ascending; the first is 0."""
    times_s: np.ndarray
    """float64 [L], when these frames begin by the video's clock, like the times of a clip."""
    speed: np.ndarray
    """float32 [L, R, C], picture widths a second (along both axes), mean over what moves in the cell, weighted by itself; 0 where
    nothing moves."""
    moving: np.ndarray
    """float32 [L, R, C] in [0, 1], the share of the cell that moves."""
    direction: np.ndarray
    """float32 [L, R, C, 2], dx to the right and dy downwards: the mean direction of what moves, weighted by its speed. Its length
    is 1 where all moves one way, and near 0 where it moves all ways, or not at all."""
    change: np.ndarray
    """float32 [L], grey levels by which the picture changes on average, 0 to 255."""
    shots: np.ndarray
    """bool [L], a new shot begins with the look's frame, which then is the first of the shot, to the frame. What seems to move
    from the look before to a new shot is left out."""


def look_along(place: LookPlace, parameters: LookParameters) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Arrays (a packed signal) and facts (none) of one video for the item store.

    Raises:
        UnreadableVideo: the video cannot be decoded to its end, or is another one than is expected there.
    """
    if place.path.is_dir():
        pictures = numbered_pictures(place.path)
        clock = read_clock(len(pictures), place.fps)
        looks = _looks(clock.times, parameters.looks_per_s)
        arrays = _measured(_of_folder(pictures, looks, parameters.size), looks, clock.times[looks], clock)
    else:
        index = verified_index(place.path)
        clock, times = index.clock, index.times()
        looks = _looks(times, parameters.looks_per_s)
        try:
            arrays = _measured(_of_file(place.path, index, looks, parameters.size), looks, times[looks], clock)
        except _OtherStamps:
            counted = index._replace(pts=None)
            arrays = _measured(_of_file(place.path, counted, looks, parameters.size), looks, times[looks], clock)
    if place.video_id and content_id(place.path) != place.video_id:
        msg = f"{place.path} has changed since it was listed; run `kedro run --pipelines=ingest` and what follows it again."
        raise UnreadableVideo(msg)
    return arrays | {"times_s": clock.times[arrays["frames"]]}, {}


def pack_signal(signal: Signal) -> dict[str, np.ndarray]:
    """A signal as small arrays: shares are kept to 1/255, directions to 1/127, speeds and changes in half precision."""
    return {
        "frames": signal.frames.astype(np.int32),
        "times_s": signal.times_s,
        "speed": signal.speed.astype(np.float16),
        "moving": np.rint(signal.moving * 255).astype(np.uint8),
        "direction": np.rint(signal.direction * 127).astype(np.int8),
        "change": signal.change.astype(np.float16),
        "shots": signal.shots,
    }


def unpack_signal(arrays: Mapping[str, np.ndarray]) -> Signal:
    """The signal that was packed."""
    return Signal(
        frames=arrays["frames"].astype(np.int64),
        times_s=arrays["times_s"],
        speed=arrays["speed"].astype(np.float32),
        moving=arrays["moving"].astype(np.float32) / 255,
        direction=arrays["direction"].astype(np.float32) / 127,
        change=arrays["change"].astype(np.float32),
        shots=arrays["shots"].astype(bool),
    )


def between(signal: Signal, start_s: float, end_s: float) -> Signal:
    """The looks in [start_s, end_s); there may be none."""
    start, end = np.searchsorted(signal.times_s, (start_s, end_s))
    return Signal(*(array[start:end] for array in signal))


def activity(signal: Signal) -> np.ndarray:
    """How much moves: float32 [L], picture widths a second, mean over the whole picture, still parts included."""
    return (signal.moving * signal.speed).mean(axis=(1, 2))


def _looks(times: np.ndarray, looks_per_s: float) -> np.ndarray:
    """The frames to look at: int64 [L], the first that is shown after every step; all where they are further apart."""
    if times[-1] * looks_per_s > MOST_STEPS:  # a long time-lapse has many more steps than frames
        return np.flatnonzero(np.diff(np.floor((times + 1e-3) * looks_per_s), prepend=-1))
    steps = np.arange(0, times[-1] + 1e-6, 1 / looks_per_s)
    return np.unique(np.searchsorted(times, steps - 1e-3))  # time stamps may be whole milliseconds


class _Seen(NamedTuple):
    """What is kept of a frame for a moment."""

    number: int
    points: np.ndarray
    """uint8 [h, w], the brightness of a few points."""
    small: np.ndarray | None
    """uint8 [H, W, 3], RGB, upright, where it is looked at."""


class _OtherStamps(Exception):
    """A decoder stamps frames otherwise than the packets were."""


def _measured(seen: Iterator[_Seen], looks: np.ndarray, times: np.ndarray, clock: Clock) -> dict[str, np.ndarray]:
    """Compare each look with the next: a packed signal without its seconds.

    Args:
        seen: every frame.
        looks: int64 [L], which of them are looked at.
        times: float64 [L], when these are shown, in seconds.
        clock: of the video.
    """
    L = len(looks)
    cells = np.zeros((L, ROWS, COLUMNS, 4), np.float16)
    change = np.zeros(L, np.float16)
    fps = float(clock.rate)
    # In frames where they are evenly spaced; otherwise shots that follow too soon are left out afterwards, by their times.
    shortest = max(1, round(SHORTEST_SHOT_S * fps)) if clock.even else 1
    detector = AdaptiveDetector(min_scene_len=shortest, min_content_val=SHOT_CHANGE, luma_only=True)
    fast_flow = _fast_flow()
    firsts: list[int] = []
    look, before, form = 0, None, None
    for number, points, small in seen:
        form = form or points.shape[::-1]
        if points.shape[::-1] != form:  # the resolution changes on the way
            points = cv2.resize(points, form, interpolation=cv2.INTER_AREA)
        firsts += [shot.frame_num for shot in detector.process_frame(FrameTimecode(number, fps), cv2.merge([points] * 3))]
        if small is None:
            continue
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        if before is not None:
            cells[look - 1] = _motion(fast_flow, before, grey, grey.shape[1] * (times[look] - times[look - 1]))
            change[look - 1] = cv2.absdiff(before, grey).mean()
        look, before = look + 1, grey
    frames, shots = looks.astype(np.int32), np.zeros(L, bool)
    for first in reversed(firsts if clock.even else _far_apart(firsts, clock)):  # of several before one look the first one counts
        place = int(np.searchsorted(looks, first))
        if 0 < place < L:
            frames[place], shots[place] = first, True
    cells[:-1][shots[1:]] = 0
    if L > 1:
        cells[-1], change[-1] = cells[-2], change[-2]
    return {
        "frames": frames,
        "speed": cells[..., 1],
        "moving": np.rint(cells[..., 0].astype(np.float32) * 255).astype(np.uint8),
        "direction": np.rint(cells[..., 2:].astype(np.float32) * 127).astype(np.int8),
        "change": change,
        "shots": shots,
    }


def _far_apart(firsts: list[int], clock: Clock) -> list[int]:
    """First frames of shots, without those that follow the one before, or the beginning, too soon."""
    kept: list[int] = []
    for first in firsts:
        if clock.times[first] - clock.times[kept[-1] if kept else 0] >= SHORTEST_SHOT_S:
            kept.append(first)
    return kept


def _motion(fast_flow: cv2.DISOpticalFlow, before: np.ndarray, after: np.ndarray, pixels_per_speed: float) -> np.ndarray:
    """What moves in each cell: float32 [R, C, 4], share, speed, and direction (dx, dy).

    Args:
        fast_flow: made for this video.
        before, after: uint8 [H, W], grey.
        pixels_per_speed: pixels from one to the other at a speed of one picture width a second.
    """
    first, second = (cv2.GaussianBlur(grey.astype(np.float32), (5, 5), 0) for grey in (before, after))
    signed = second - first
    changed = np.abs(signed - np.median(signed[::2, ::2]))  # every fourth point tells as much, and sooner
    noise = np.clip(NOISE_FACTOR * np.quantile(changed[::2, ::2], 0.25), LEAST_CHANGE, MOST_NOISE)
    # What moves changes at its edges; what lies between them moves, too.
    mask = cv2.dilate((changed > noise).astype(np.uint8), np.ones((5, 5), np.uint8))
    if not mask.any():
        return np.zeros((ROWS, COLUMNS, 4), np.float32)
    flow = fast_flow.calc(before, after, None)  # type: ignore[call-overload]
    length = cv2.magnitude(flow[..., 0], flow[..., 1])
    moving = ((length > LEAST_SHIFT) & (mask > 0)).astype(np.float32)
    way = moving * length
    planes = moving, way, way * length, moving * flow[..., 0], moving * flow[..., 1]
    share, way, square, dx, dy = (cv2.resize(plane, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA) for plane in planes)
    # Each point counts by its own speed: the flow fades around what moves, and that would make it slower than it is.
    speed = square / np.maximum(way, 1e-6) / pixels_per_speed
    return np.stack([share, speed, dx / np.maximum(way, 1e-6), dy / np.maximum(way, 1e-6)], axis=-1)


def _fast_flow() -> cv2.DISOpticalFlow:
    """A flow for one video: after small pictures it would go on in another way with large ones."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(1)  # in pictures so small the preset's quarter of the size loses people
    return flow


def _of_folder(pictures: list[Path], looks: np.ndarray, size: int) -> Iterator[_Seen]:
    """Every picture of a folder."""
    looked_at = set(looks.tolist())
    shape = None
    for number, path in enumerate(pictures):
        picture = read_picture(path)
        shape = shape or _small_size(picture.shape[1], picture.shape[0], size)
        points = cv2.cvtColor(np.ascontiguousarray(_spread(picture)), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA) if number in looked_at else None
        yield _Seen(number, points, small)


def _of_file(path: Path, index: FrameIndex, looks: np.ndarray, size: int) -> Iterator[_Seen]:
    """Every frame of a file, known by its time stamp where there are such, and counted otherwise.

    Raises:
        UnreadableVideo: the file is damaged, or a frame that is looked at is missing.
        _OtherStamps: frames bear other time stamps than packets.
    """
    missing = set(looks.tolist())
    number, shape, reformatter = -1, None, VideoReformatter()
    with open_media(path) as container:
        try:
            for frame in container.decode(video_stream(container, path)):
                number = number + 1 if index.pts is None else _after(number, frame, index.pts)
                shape = shape or _small_size(frame.width, frame.height, size)
                small = None
                if number in missing:
                    missing.remove(number)
                    shrunk = reformatter.reformat(frame, *shape, "rgb24", interpolation=_SCALING, threads=1)
                    small = np.ascontiguousarray(turned(frame, shrunk.to_ndarray()))
                yield _Seen(number, _points(frame, reformatter), small)
        except av.FFmpegError as error:
            msg = f"{path} is damaged at frame {number + 1} ({told(error)}); repair, re-encode or remove the file."
            raise UnreadableVideo(msg) from error
    if missing:
        msg = (
            f"{path} is damaged: its decoder gives no frame {min(missing)}, which its packets promise; repair or remove the file."
        )
        raise UnreadableVideo(msg)


def _after(number: int, frame: VideoFrame, pts: np.ndarray) -> int:
    """The number of a frame that comes after frame `number`; some may have been lost between."""
    place = number + 1
    if place >= len(pts) or frame.pts != pts[place]:
        place = int(np.searchsorted(pts, frame.pts)) if frame.pts is not None else -1
    if place <= number or place >= len(pts) or frame.pts != pts[place]:
        raise _OtherStamps
    return place


def _points(frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """The brightness of a few points, evenly spread: uint8 [h, w]."""
    grey = frame if frame.format.name in PLANAR else reformatter.reformat(frame, format="gray", threads=1)
    plane = grey.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]  # type: ignore[call-overload]
    return np.ascontiguousarray(_spread(rows))


def _spread(picture: np.ndarray) -> np.ndarray:
    """A few points of a picture."""
    step = -(-max(picture.shape[:2]) // SHOT_POINTS)
    return picture[::step, ::step]


def _small_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height of the small picture: never larger than the picture, unless that is too narrow for the flow."""
    scale = min(1.0, size / max(width, height))
    return max(LEAST_SIDE, round(width * scale)), max(LEAST_SIDE, round(height * scale))

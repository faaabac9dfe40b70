"""The embedded source: short surveillance-like videos, rendered from a seed, with known truth.

Two worlds. In `motion` several look-alike figures share a scene and differ in colour only; in an anomalous video one of
them runs, falls, swerves or drives the wrong way (traffic goes from left to right) while the others stand or sway; a single
frame seldom tells. In `appearance` people walk about and the anomaly is a thing that a single frame shows: a car or a
motorbike on the walkway, an abandoned bag, a fire. Every video is a real H.264 file with camera noise, by day or by night.

The truth leaves this module as labels, times and captions, as any annotated source would give it, and as slots
(actor, action, place) that only the evaluation reads.
"""

import hashlib
import json
import logging
import math
import os
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import av
import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.parallel import parallel
from hawk_pipelines.schema import Span
from hawk_pipelines.sources.reading import FoundVideo, Reading, TimedText

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same parameters render other videos."""

World = Literal["motion", "appearance"]
Colour = tuple[int, int, int]

# RGB. Far enough apart to be told apart at night and after chroma subsampling.
COLOURS = {
    "red": (225, 30, 35),
    "green": (30, 190, 50),
    "blue": (40, 70, 235),
    "yellow": (240, 220, 30),
    "purple": (190, 40, 210),
    "white": (245, 245, 245),
}
CLOTHES = {"grey": (120, 122, 128), "brown": (96, 72, 54), "beige": (186, 172, 148), "black": (48, 46, 50)}
"""What passers-by wear in the appearance world."""
PLACES = {"at the back": 0.36, "in the middle": 0.60, "at the front": 0.84}
"""Where a figure's feet are, as a share of the picture's height; figures nearer to the camera are larger."""
SCENES = {  # ground and wall colours
    "plaza": ((128, 124, 118), (98, 92, 88)),
    "street": ((92, 92, 96), (120, 112, 104)),
    "car park": ((110, 112, 110), (84, 88, 94)),
    "walkway": ((140, 132, 120), (92, 102, 92)),
}
MOTION_ACTIONS = {  # label: (the verb a caption uses, which kinds of figure do it)
    "running": ("is running", ("person",)),
    "falling": ("is falling", ("person", "cyclist")),
    "swerving": ("is swerving", ("cyclist", "vehicle")),
    "wrong way": ("is driving the wrong way", ("cyclist", "vehicle")),
}
CALM_SHARE = 0.2
"""Of the normal videos: in these one figure moves as it should, in the others nobody goes anywhere."""
CALM_MOTION = {"person": "is walking", "cyclist": "is riding along", "vehicle": "is driving along"}
APPEARANCE_ANOMALIES = {  # label: (noun, what a caption says of it)
    "car on walkway": ("car", "is blocking the way"),
    "motorbike on walkway": ("motorbike", "is obstructing the path"),
    "abandoned bag": ("bag", "is lying unattended"),
    "fire": ("bin", "is burning"),
}
PLURAL = {"person": "people", "cyclist": "cyclists", "vehicle": "vehicles"}


class SyntheticParameters(BaseModel):
    """What to render."""

    model_config = ConfigDict(extra="forbid")

    world: World = "motion"
    train_videos: int = Field(default=2000, ge=1)
    test_videos: int = Field(default=200, ge=1)
    normal_share: float = Field(default=0.35, ge=0, le=1)
    frames: int = Field(default=33, ge=2)
    fps: int = Field(default=12, ge=1)
    size: int = Field(default=96, ge=64, le=128, multiple_of=2)
    """Width and height in pixels."""
    folder: Path = Path("data/01_raw/synthetic")
    """Videos go to a folder below it whose name holds a hash of these parameters, so that no two sets mix."""


class Script(BaseModel):
    """Everything that happens in one video, before a pixel is drawn. Positions are shares of the picture."""

    world: World
    scene: str
    night: bool
    noise: float
    kind: str
    label: str
    figures: list[dict]
    captions: list[TimedText]
    span: Span | None
    truth: dict[str, str]


def read(parameters: SyntheticParameters, seed: int, workers: int) -> Reading:
    """Render the videos that are not there yet, and say what is in each of them."""
    folder = parameters.folder / f"{parameters.world}_{_hash(parameters, seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"train": parameters.train_videos, "test": parameters.test_videos}
    names = [(split, index) for split, count in counts.items() for index in range(count)]
    missing = [name for name in names if not _path(folder, *name).is_file()]
    for _ in parallel(partial(_render, parameters, seed, folder), missing, workers, "render"):
        pass
    logger.info("render: %d done, %d reused.", len(missing), len(names) - len(missing))
    return Reading([_found(parameters, seed, folder, *name) for name in names], [])


def _hash(parameters: SyntheticParameters, seed: int) -> str:
    settings = parameters.model_dump(mode="json", exclude={"folder", "train_videos", "test_videos", "world"})
    return hashlib.sha256(json.dumps([VERSION, seed, settings], sort_keys=True).encode()).hexdigest()[:8]


def _path(folder: Path, split: str, index: int) -> Path:
    return folder / f"{split}_{index:05d}.mp4"


def _render(parameters: SyntheticParameters, seed: int, folder: Path, name: tuple[str, int]) -> None:
    path = _path(folder, *name)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    frames = draw(write_script(parameters, seed, *name), parameters, _rng(seed, "pixels", parameters.world, *name))
    encode(frames, parameters.fps, unfinished)
    unfinished.replace(path)


def _found(parameters: SyntheticParameters, seed: int, folder: Path, split: str, index: int) -> FoundVideo:
    script, path = write_script(parameters, seed, split, index), _path(folder, split, index)
    return FoundVideo(
        path,
        f"{folder.name}/{path.name}",
        label=script.label,
        spans=[script.span] if script.span else [],
        split="train" if split == "train" else "test",
        captions=script.captions,
        truth=script.truth,
    )


def write_script(parameters: SyntheticParameters, seed: int, split: str, index: int) -> Script:
    """Decide what happens in video `index` of `split`: the same arguments always tell the same story."""
    rng = _rng(seed, parameters.world, split, index)
    share = parameters.normal_share
    normal = math.floor((index + 1) * share) > math.floor(index * share)  # so that the share is exact
    if parameters.world == "motion":
        return _motion_script(parameters, normal, rng)
    return _appearance_script(parameters, normal, rng)


def _rng(*words: object) -> np.random.Generator:
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _motion_script(parameters: SyntheticParameters, normal: bool, rng: np.random.Generator) -> Script:
    duration = parameters.frames / parameters.fps
    label = "normal" if normal else str(rng.choice(list(MOTION_ACTIONS)))
    kind = str(rng.choice(["person", "cyclist", "vehicle"] if normal else MOTION_ACTIONS[label][1]))
    scene, night = str(rng.choice(list(SCENES))), bool(rng.random() < 0.3)
    colours = [str(c) for c in rng.choice(list(COLOURS), size=3, replace=False)]
    actor = int(rng.integers(3))
    acts = not normal or rng.random() < CALM_SHARE
    start = float(rng.uniform(0.05, 0.30)) * duration
    end = duration - 1 / parameters.fps

    figures = []
    for i, (place, colour) in enumerate(zip(PLACES, colours, strict=True)):
        action = ("calm" if normal else label) if (acts and i == actor) else str(rng.choice(["stand", "sway"]))
        direction = 1 if action in ("calm", "swerving") or (action == "running" and rng.random() < 0.5) else -1
        x = rng.uniform(0.12, 0.35) if direction > 0 else rng.uniform(0.65, 0.88)
        if action in ("stand", "sway", "falling"):
            x = rng.uniform(0.15, 0.85)
        figures.append(
            {
                "kind": kind,
                "colour": colour,
                "place": place,
                "x": float(x),
                "action": action,
                "direction": direction,
                "phase": float(rng.uniform(0, 2 * math.pi)),
                "speed": float(rng.uniform(0.9, 1.2)),
                "start": start,
                "faces": direction if action not in ("stand", "sway") else int(rng.choice([-1, 1])),
            }
        )

    who, place = _name(kind, colours[actor]), list(PLACES)[actor]
    time = "night" if night else "day"
    captions = [TimedText(0.0, duration, f"Three {PLURAL[kind]} are at the {scene} by {time}.")]
    truth = {"normal": "nothing unusual"}
    if normal and acts:
        captions.append(TimedText(start, end, f"A {who} {CALM_MOTION[kind]} {place} of the {scene}."))
    elif not normal:
        verb = MOTION_ACTIONS[label][0]
        captions.append(TimedText(start, end, f"A {who} {verb} {place} of the {scene}."))
        truth = {"actor": who, "action": verb, "place": place, "normal": "unusual"}
    return Script(
        world="motion",
        scene=scene,
        night=night,
        noise=float(rng.uniform(2, 5)),
        kind=kind,
        label=label,
        figures=figures,
        captions=captions,
        span=None if normal else Span(start_s=start, end_s=end),
        truth=truth,
    )


def _appearance_script(parameters: SyntheticParameters, normal: bool, rng: np.random.Generator) -> Script:
    duration = parameters.frames / parameters.fps
    end = duration - 1 / parameters.fps
    scene, night = str(rng.choice(list(SCENES))), bool(rng.random() < 0.3)
    odd_colour = str(rng.choice(list(COLOURS)))
    label = "normal" if normal else str(rng.choice(list(APPEARANCE_ANOMALIES)))
    odd = int(rng.integers(3))
    figures = []
    for i, place in enumerate(PLACES):
        direction = 1 if rng.random() < 0.5 else -1
        x = rng.uniform(0.15, 0.4) if direction > 0 else rng.uniform(0.6, 0.85)
        kind, colour = "person", str(rng.choice(list(CLOTHES)))
        if not normal and i == odd:
            kind, colour, x = APPEARANCE_ANOMALIES[label][0], odd_colour, rng.uniform(0.2, 0.8)
        figures.append(
            {
                "kind": kind,
                "colour": colour,
                "place": place,
                "x": float(x),
                "action": "calm" if kind == "person" else "stand",
                "direction": direction,
                "phase": float(rng.uniform(0, 2 * math.pi)),
                "speed": float(rng.uniform(0.7, 1.2)),
                "start": 0.0,
                "faces": direction,
            }
        )
    time = "night" if night else "day"
    captions = [TimedText(0.0, end, f"{'Three' if normal else 'Two'} people are walking about the {scene} by {time}.")]
    truth = {"normal": "nothing unusual"}
    if not normal:
        noun, verb = APPEARANCE_ANOMALIES[label]
        who, place = f"{odd_colour} {noun}", list(PLACES)[odd]
        captions.append(TimedText(0.0, duration, f"A {who} {verb} {place} of the {scene}."))
        truth = {"actor": who, "action": verb, "place": place, "normal": "unusual"}
    return Script(
        world="appearance",
        scene=scene,
        night=night,
        noise=float(rng.uniform(2, 5)),
        kind="person",
        label=label,
        figures=figures,
        captions=captions,
        span=None if normal else Span(start_s=0.0, end_s=duration),
        truth=truth,
    )


def _name(kind: str, colour: str) -> str:
    return f"{colour} {kind}" if kind == "vehicle" else f"{kind} in {colour}"


def draw(script: Script, parameters: SyntheticParameters, rng: np.random.Generator) -> np.ndarray:
    """Draw the video: uint8 [T, H, W, 3] RGB, with camera noise."""
    size = parameters.size
    scale = 2  # drawn at twice the size and averaged down: cheap anti-aliasing
    background = _background(script, rng, size * scale)
    noise = rng.normal(0, script.noise, size=(size + 32, size + 32, 3)).astype(np.float32)
    frames = np.empty((parameters.frames, size, size, 3), np.uint8)
    for t in range(parameters.frames):
        canvas = background.copy()
        for figure in script.figures:
            _draw_figure(canvas, figure, t / parameters.fps, parameters.fps)
        small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
        if script.night:
            small = small * (0.55, 0.58, 0.68)
        dy, dx = rng.integers(0, 32, size=2)
        frames[t] = np.clip(small + noise[dy : dy + size, dx : dx + size], 0, 255)
    return frames


def _background(script: Script, rng: np.random.Generator, size: int) -> np.ndarray:
    ground, wall = (np.array(c, np.float32) + rng.normal(0, 6, 3) for c in SCENES[script.scene])
    picture = np.empty((size, size, 3), np.float32)
    horizon = int(size * rng.uniform(0.12, 0.18))
    picture[:] = ground
    picture[:horizon] = wall
    texture = cv2.resize(rng.normal(0, 5, (size // 8, size // 8)).astype(np.float32), (size, size))
    picture += texture[..., None]
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    line = tuple(int(c) for c in np.clip(ground + 45, 0, 255))
    dark = tuple(int(c) for c in np.clip(wall - 35, 0, 255))
    if script.scene == "street":
        for x in range(0, size, size // 6):
            for y in (0.43, 0.68):
                cv2.line(picture, (x, int(size * y)), (x + size // 12, int(size * y)), line, 2)
    elif script.scene == "car park":
        for x in range(size // 10, size, size // 5):
            cv2.line(picture, (x, horizon), (x - size // 20, int(size * 0.26)), line, 2)
    elif script.scene == "walkway":
        for y in (0.24, 0.94):
            cv2.line(picture, (0, int(size * y)), (size, int(size * y)), line, 3)
    else:
        for x in range(-size, size, size // 5):
            cv2.line(picture, (x, size), (x + size // 2, horizon), tuple(int(c) for c in ground * 0.93), 1)
    for x in rng.uniform(0, 1, size=3):
        left = int(x * size)
        cv2.rectangle(picture, (left, horizon // 4), (left + size // 12, horizon - 2), dark, -1)
    return picture


def _draw_figure(canvas: np.ndarray, figure: dict, time: float, fps: int) -> None:
    """Draw one figure as it stands at `time` seconds."""
    size = canvas.shape[0]
    feet, x = PLACES[figure["place"]], figure["x"]
    height = size * (0.20 + 0.10 * (feet - 0.36) / 0.48)
    since = max(0.0, time - figure["start"])
    action, lean, bob = figure["action"], 0.0, 0.0
    going = figure["direction"] * figure["speed"] * since
    stride = 0.0
    if action == "running":
        x, stride = x + 0.30 * going, math.sin(14 * since)
    elif action == "calm":
        pace = 0.07 if figure["kind"] == "person" else 0.12
        x, stride = x + pace * going, 0.5 * math.sin(6 * since)
    elif action == "wrong way":
        x = x + 0.22 * going
    elif action == "swerving":
        x = x + 0.16 * going
        bob = 0.09 * math.sin(2 * math.pi * 0.9 * since)
        lean = 0.35 * math.cos(2 * math.pi * 0.9 * since) if since > 0 else 0.0
    elif action == "falling":
        lean = figure["direction"] * (math.pi / 2) * min(1.0, since / 0.9)
    elif action == "sway":
        x = x + 0.008 * math.sin(5 * time + figure["phase"])
    pose = Pose((x * size, (feet + bob) * size), height, lean, stride, figure["faces"], time)
    _PAINTERS[figure["kind"]](canvas, pose, (COLOURS | CLOTHES)[figure["colour"]])


class Pose(NamedTuple):
    """How a figure stands in one frame."""

    at: tuple[float, float]
    """Pixels, x and y, of the middle of its feet."""
    height: float
    """Pixels."""
    lean: float
    """Radians, clockwise."""
    stride: float
    """-1 to 1."""
    faces: int
    """1 right, -1 left."""
    time: float
    """Seconds."""


def _pixels(points: list[tuple[float, float]], pose: Pose) -> np.ndarray:
    """Figure coordinates (x right, y up, in heights, from the feet) to pixels with 3 fractional bits: int32 [N, 2]."""
    p = np.array(points, np.float64) * pose.height
    c, s = math.cos(pose.lean), math.sin(pose.lean)
    turned = np.stack([p[:, 0] * c + p[:, 1] * s, p[:, 0] * s - p[:, 1] * c], 1)
    return np.round((turned + pose.at) * 8).astype(np.int32)


def _polygon(canvas: np.ndarray, points: list[tuple[float, float]], colour: Colour, pose: Pose) -> None:
    cv2.fillPoly(canvas, [_pixels(points, pose)], colour, cv2.LINE_8, 3)


def _disc(
    canvas: np.ndarray, centre: tuple[float, float], radius: float, colour: Colour, pose: Pose, thickness: int = -1
) -> None:
    ((x, y),) = _pixels([centre], pose)
    cv2.circle(canvas, (int(x), int(y)), int(radius * pose.height * 8), colour, thickness, cv2.LINE_8, 3)


SKIN, TROUSERS, DARK, RIM = (205, 160, 130), (115, 78, 42), (35, 35, 40), (190, 185, 170)
GLASS, FAIRING, STRAP, FLAME, EMBER = (120, 225, 240), (0, 165, 150), (255, 130, 180), (255, 140, 20), (255, 230, 90)


def _person(canvas: np.ndarray, pose: Pose, colour: Colour) -> None:
    for side in (-1, 1):
        foot = 0.10 * side + 0.16 * side * pose.stride
        leg = [(-0.07, 0.45), (0.07, 0.45), (foot + 0.05, 0.0), (foot - 0.05, 0.0)]
        _polygon(canvas, leg, TROUSERS, pose)
    _polygon(canvas, [(-0.17, 0.42), (0.17, 0.42), (0.15, 0.82), (-0.15, 0.82)], colour, pose)
    _disc(canvas, (0, 0.91), 0.10, SKIN, pose)


def _cyclist(canvas: np.ndarray, pose: Pose, colour: Colour) -> None:
    for wheel in (-0.30, 0.30):
        _disc(canvas, (wheel, 0.2), 0.18, RIM, pose)
        _disc(canvas, (wheel, 0.2), 0.18, DARK, pose, thickness=2)
    _polygon(canvas, [(-0.30, 0.18), (0.30, 0.18), (0.22 * pose.faces, 0.42)], (70, 70, 75), pose)
    body = [(-0.16 * pose.faces, 0.40), (0.04 * pose.faces, 0.36), (0.22 * pose.faces, 0.78), (-0.02 * pose.faces, 0.86)]
    _polygon(canvas, body, colour, pose)
    _disc(canvas, (0.16 * pose.faces, 0.92), 0.10, SKIN, pose)


def _vehicle(canvas: np.ndarray, pose: Pose, colour: Colour) -> None:
    pose = pose._replace(lean=0.4 * pose.lean)
    _polygon(canvas, [(-0.65, 0.12), (0.65, 0.12), (0.65, 0.45), (-0.65, 0.45)], colour, pose)
    roof = [(-0.42 * pose.faces, 0.45), (0.30 * pose.faces, 0.45), (0.16 * pose.faces, 0.70), (-0.36 * pose.faces, 0.70)]
    _polygon(canvas, roof, GLASS, pose)
    for wheel in (-0.4, 0.4):
        _disc(canvas, (wheel, 0.12), 0.12, DARK, pose)


def _motorbike(canvas: np.ndarray, pose: Pose, colour: Colour) -> None:
    for wheel in (-0.42, 0.42):
        _disc(canvas, (wheel, 0.2), 0.2, DARK, pose)
    _polygon(canvas, [(-0.42, 0.32), (0.40, 0.32), (0.18, 0.68), (-0.28, 0.62)], colour, pose)
    _polygon(canvas, [(-0.20, 0.24), (0.22, 0.24), (0.30, 0.46), (-0.12, 0.46)], FAIRING, pose)


def _bag(canvas: np.ndarray, pose: Pose, colour: Colour) -> None:
    _disc(canvas, (0, 0.48), 0.16, STRAP, pose, thickness=3)
    _polygon(canvas, [(-0.38, 0.0), (0.38, 0.0), (0.32, 0.5), (-0.32, 0.5)], colour, pose)
    _polygon(canvas, [(-0.36, 0.18), (0.36, 0.18), (0.34, 0.32), (-0.34, 0.32)], STRAP, pose)


def _bin(canvas: np.ndarray, pose: Pose, colour: Colour) -> None:
    _polygon(canvas, [(-0.18, 0.0), (0.18, 0.0), (0.22, 0.5), (-0.22, 0.5)], colour, pose)
    flicker = 0.08 * math.sin(17 * pose.time)
    flame = [(-0.24, 0.5), (0.24, 0.5), (0.10 + flicker, 0.8), (0.02 - flicker, 1.1), (-0.12, 0.75)]
    _polygon(canvas, flame, FLAME, pose)
    _polygon(canvas, [(-0.12, 0.5), (0.12, 0.5), (flicker, 0.85)], EMBER, pose)


_PAINTERS = {
    "person": _person,
    "cyclist": _cyclist,
    "vehicle": _vehicle,
    "car": _vehicle,
    "motorbike": _motorbike,
    "bag": _bag,
    "bin": _bin,
}


def encode(frames: np.ndarray, fps: int, path: Path) -> None:
    """Write frames (uint8 [T, H, W, 3], RGB) as an H.264 MP4 that plays everywhere."""
    with av.open(str(path), "w", format="mp4") as container:
        options = {"preset": "superfast", "crf": "20", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(fps), options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))

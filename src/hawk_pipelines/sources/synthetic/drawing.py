"""From a script to pixels."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from hawk_pipelines.sources.synthetic.looks import CLOTHES, COLOURS, PLACES, SCENES, Colour
from hawk_pipelines.sources.synthetic.parameters import SyntheticParameters
from hawk_pipelines.sources.synthetic.script import Figure, Script


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


def _draw_figure(canvas: np.ndarray, figure: Figure, time: float, fps: int) -> None:
    """Draw one figure as it stands at `time` seconds."""
    size = canvas.shape[0]
    feet, x = PLACES[figure.place], figure.x
    height = size * (0.20 + 0.10 * (feet - 0.36) / 0.48)
    since = max(0.0, time - figure.start)
    action, lean, bob = figure.action, 0.0, 0.0
    going = figure.direction * figure.speed * since
    stride = 0.0
    if action == "running":
        x, stride = x + 0.30 * going, math.sin(14 * since)
    elif action == "calm":
        pace = 0.07 if figure.kind == "person" else 0.12
        x, stride = x + pace * going, 0.5 * math.sin(6 * since)
    elif action == "wrong way":
        x = x + 0.22 * going
    elif action == "swerving":
        x = x + 0.16 * going
        bob = 0.09 * math.sin(2 * math.pi * 0.9 * since)
        lean = 0.35 * math.cos(2 * math.pi * 0.9 * since) if since > 0 else 0.0
    elif action == "falling":
        lean = figure.direction * (math.pi / 2) * min(1.0, since / 0.9)
    elif action == "sway":
        x = x + 0.008 * math.sin(5 * time + figure.phase)
    pose = Pose((x * size, (feet + bob) * size), height, lean, stride, figure.faces, time)
    _PAINTERS[figure.kind](canvas, pose, (COLOURS | CLOTHES)[figure.colour])


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
    (left, top), c, s = pose.at, math.cos(pose.lean), math.sin(pose.lean)
    scaled = [(x * pose.height, y * pose.height) for x, y in points]  # so few points are done sooner than an array is made
    return np.array([(round((x * c + y * s + left) * 8), round((x * s - y * c + top) * 8)) for x, y in scaled], np.int32)


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

"""What happens in a video, decided before a pixel is drawn."""

import math

import numpy as np
from pydantic import BaseModel

from hawk_pipelines.schema import Span
from hawk_pipelines.sources.reading import TimedText
from hawk_pipelines.sources.synthetic.looks import CLOTHES, COLOURS, PLACES, SCENES
from hawk_pipelines.sources.synthetic.parameters import SyntheticParameters, World, seeded

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


class Figure(BaseModel):
    """Someone or something in the picture, and what it does."""

    kind: str
    colour: str
    place: str
    x: float
    """Where it starts, as a share of the picture's width."""
    action: str
    direction: int
    """1 to the right, -1 to the left."""
    phase: float
    """Radians; where in its swaying it starts."""
    speed: float
    """1 is usual."""
    start: float
    """Seconds; when it begins to act."""
    faces: int
    """1 right, -1 left."""


class Script(BaseModel):
    """Everything that happens in one video, before a pixel is drawn. Positions are shares of the picture."""

    world: World
    scene: str
    night: bool
    noise: float
    kind: str
    label: str
    figures: list[Figure]
    captions: list[TimedText]
    span: Span | None
    truth: dict[str, str]


def write_script(parameters: SyntheticParameters, seed: int, split: str, index: int) -> Script:
    """Decide what happens in video `index` of `split`: the same arguments always tell the same story."""
    rng = seeded(seed, parameters.world, split, index)
    share = parameters.normal_share
    normal = math.floor((index + 1) * share) > math.floor(index * share)  # so that the share is exact
    if parameters.world == "motion":
        return _motion_script(parameters, normal, rng)
    return _appearance_script(parameters, normal, rng)


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
            Figure(
                kind=kind,
                colour=colour,
                place=place,
                x=float(x),
                action=action,
                direction=direction,
                phase=float(rng.uniform(0, 2 * math.pi)),
                speed=float(rng.uniform(0.9, 1.2)),
                start=start,
                faces=direction if action not in ("stand", "sway") else int(rng.choice([-1, 1])),
            )
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
            Figure(
                kind=kind,
                colour=colour,
                place=place,
                x=float(x),
                action="calm" if kind == "person" else "stand",
                direction=direction,
                phase=float(rng.uniform(0, 2 * math.pi)),
                speed=float(rng.uniform(0.7, 1.2)),
                start=0.0,
                faces=direction,
            )
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

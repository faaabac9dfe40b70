"""Captions of what moves, from the motion signal alone: where, when, how large, how fast, which way. No weights, no names.

Cells of the grid that move beside or after each other are one thing that moves; most of the grid moving is the camera. Words
follow measured numbers, so what is said is what was measured: a shadow or a light that wanders is "something" as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hawk_pipelines.perception.captioner import Captioner, CaptionError, LooksAt, Said, Seen
from hawk_pipelines.video.motion_signal import Signal

TOOL = "motion"
LOOKS_AT: LooksAt = "signal"
VERSION = 1

SIZES = ((0.01, "small"), (0.06, ""), (0.2, "large"), (1.0, "very large"))
"""Share of the picture that moves, up to which a thing is called so."""
SLOW, FAST = 0.06, 0.3
"""Picture widths a second."""
ONE_WAY = 0.5
"""Length of the mean direction from which on a thing moves in it; below, it moves this way and that."""
ACROSS = 0.25
"""Share of the picture's width or height that a thing covers from place to place; below, it moves where it is."""
LEAST_PART = 0.1
"""Share of what moves together that one of several things must have to be told apart."""
WORTH_TELLING = 0.01
"""Share of all that moves in the clip; what moves less is not told beside it."""
SHORT_S = 1.0
"""A motion that is over sooner lasts a moment."""

_WAYS = (
    "to the right",
    "down and to the right",
    "downwards",
    "down and to the left",
    "to the left",
    "up and to the left",
    "upwards",
    "up and to the right",
)
"""Eight directions, turning from the right downwards."""
_PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "bottom", "lower right"),
)
_SIDES = {
    "top": "at the top of the picture",
    "bottom": "at the bottom of the picture",
    "left": "on the left side of the picture",
    "right": "on the right side of the picture",
}


class Parameters(BaseModel):
    """What counts as motion, and how much of it is told."""

    model_config = ConfigDict(extra="forbid")

    sentences: int = Field(default=3, ge=1, le=3)
    """Of a clip at most; the largest and fastest motions are told."""
    cell_share: float = Field(default=0.05, gt=0, le=1)
    """Share of a cell of the grid that has to move."""
    camera_share: float = Field(default=0.7, gt=0, le=1)
    """Share of the cells from which on it is the picture that moves, not something in it."""
    least: float = Field(default=0.01, ge=0)
    """Share of the picture times seconds that a thing has to move to be told."""


class Motion(NamedTuple):
    """One thing that moves, or the whole picture."""

    start_s: float
    end_s: float
    amount: float
    """Picture widths that it moves, weighted by its share of the picture."""
    share: float
    """Of the picture that moves, on average."""
    speed: float
    """Picture widths a second."""
    way: np.ndarray
    """float [2]: mean direction, right and down; its length says how much of it goes one way."""
    axis: np.ndarray
    """float [2]: the same of twice the angle, so that opposite ways count as one."""
    from_place: np.ndarray
    to_place: np.ndarray
    """float [2]: where it is at first and at last, right and down, 0 to 1."""
    gain: float
    """Speed in its last third through speed in its first."""

    @property
    def lasts_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s

    @property
    def goes_one_way(self) -> bool:
        """Whether it has a direction at all."""
        return float(np.hypot(*self.way)) >= ONE_WAY


@contextmanager
def open_captioner(parameters: Parameters) -> Iterator[Captioner]:
    """Nothing is loaded."""
    yield Captioner(f"{VERSION}", lambda seen: describe(seen, parameters))


def describe(seen: Seen, parameters: Parameters) -> list[Said]:
    """Sentences about what moves in a clip, in order of time.

    Raises:
        CaptionError: the clip lies between two looks of its signal.
    """
    signal, start_s, end_s = seen.signal, seen.clip.start_s, seen.clip.end_s
    if signal is None or not len(signal.frames):
        msg = "No look of the motion signal falls into it; raise `split.look.looks_per_s`, or make clips longer."
        raise CaptionError(msg)
    ends_s = np.append(signal.times_s[1:], max(end_s, signal.times_s[-1]))
    lasts_s = np.maximum(ends_s - signal.times_s, 1e-3)
    active = (signal.moving >= parameters.cell_share) & (signal.speed > 0)
    camera = active.mean(axis=(1, 2)) >= parameters.camera_share
    told = [(motion, _of_picture(motion, signal, looks)) for motion, looks in _camera_runs(signal, camera, active, lasts_s)]
    things = _things(signal, active & ~camera[:, None, None], lasts_s)
    told += [(thing, _of_thing(thing, start_s, end_s)) for thing in things if thing.share * thing.lasts_s >= parameters.least]
    everything = sum(motion.amount for motion, _ in told)
    said = [
        Said(motion.start_s, min(motion.end_s, end_s), text, round(motion.amount / everything, 3))
        for motion, text in told
        if motion.amount >= WORTH_TELLING * everything
    ]
    said.sort(key=lambda sentence: -sentence.score)
    said = [*_of_cuts(signal, start_s), *said][: parameters.sentences]
    if not said:
        return [Said(start_s, end_s, "Almost nothing moves." if active.any() else "Nothing moves.")]
    return _without_repeats(sorted(said, key=lambda sentence: (sentence.start_s, sentence.end_s)))


def _without_repeats(said: list[Said]) -> list[Said]:
    """Of sentences that say the same, the second says so, and a third is left out."""
    told: dict[str, Said] = {}
    for sentence in said:
        text = sentence.text
        if text in told:
            text = f"Once more, {text[0].lower()}{text[1:]}"
        told.setdefault(text, sentence._replace(text=text))
    return list(told.values())


def _things(signal: Signal, active: np.ndarray, lasts_s: np.ndarray) -> list[Motion]:
    """What moves in space and time, each apart from the others; where things that go different ways meet, apart by their way."""
    through_gaps = active | ndimage.binary_closing(active, np.ones((3, 1, 1)))
    labels, count = ndimage.label(through_gaps, np.ones((3, 3, 3)))
    things = []
    for label in range(1, count + 1):
        cells = (labels == label) & active
        whole = _measured(signal, cells, lasts_s)
        ways = [] if whole.goes_one_way else [_measured(signal, part, lasts_s) for part in _by_way(signal, cells)]
        # What turns back after a moment is one thing that moves to and fro.
        lasting = [part for part in ways if part.goes_one_way and part.lasts_s >= SHORT_S]
        told = [part for part in lasting if part.amount >= whole.amount * LEAST_PART]
        apart = len(told) > 1 and sum(part.amount for part in told) >= whole.amount / 2
        things += told if apart else [whole]
    return things


def _by_way(signal: Signal, cells: np.ndarray) -> Iterator[np.ndarray]:
    """Neighbouring cells (bool [L, R, C]) that move about the same way."""
    places = np.argwhere(cells)
    way = signal.direction[cells]
    way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    near = cKDTree(places).query_pairs(1.8, output_type="ndarray")  # the 26 cells around one
    alike = near[(way[near[:, 0]] * way[near[:, 1]]).sum(axis=1) > 0.5]
    links = csr_matrix((np.ones(len(alike)), (alike[:, 0], alike[:, 1])), (len(places), len(places)))
    count, labels = connected_components(links, directed=False)
    for label in range(count):
        part = np.zeros_like(cells)
        part[tuple(places[labels == label].T)] = True
        yield part


def _camera_runs(signal: Signal, camera: np.ndarray, active: np.ndarray, lasts_s: np.ndarray) -> list[tuple[Motion, np.ndarray]]:
    """Looks in a row in which the whole picture moves."""
    labels, count = ndimage.label(camera)
    runs = [labels == label for label in range(1, count + 1)]
    return [(_measured(signal, active & run[:, None, None], lasts_s), run) for run in runs]


def _measured(signal: Signal, where: np.ndarray, lasts_s: np.ndarray) -> Motion:
    """The measures of what moves in some cells (bool [L, R, C])."""
    looks = np.flatnonzero(where.any(axis=(1, 2)))
    moving = np.where(where, signal.moving, 0.0)[looks]
    speed, direction, lasts = signal.speed[looks], signal.direction[looks], lasts_s[looks]
    rows, columns = moving.shape[1:]
    covered = moving * speed * lasts[:, None, None]
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    mass = moving.sum(axis=(1, 2))
    places = np.stack([(moving * x).sum(axis=(1, 2)), (moving * y[:, None]).sum(axis=(1, 2))], axis=1) / mass[:, None]
    speeds = (moving * speed).sum(axis=(1, 2)) / mass
    third = max(1, len(looks) // 3)
    dx, dy = direction[..., 0], direction[..., 1]
    return Motion(
        start_s=float(signal.times_s[looks[0]]),
        end_s=float(signal.times_s[looks[-1]] + lasts[-1]),
        amount=float(covered.sum() / (rows * columns)),
        share=float(np.average(mass, weights=lasts) / (rows * columns)),
        speed=float((moving * speed).sum() / moving.sum()),
        way=(covered[..., None] * direction).sum(axis=(0, 1, 2)) / covered.sum(),
        axis=np.array([(covered * (dx**2 - dy**2)).sum(), (covered * 2 * dx * dy).sum()]) / covered.sum(),
        from_place=places[:third].mean(axis=0),
        to_place=places[-third:].mean(axis=0),
        gain=float(speeds[-third:].mean() / speeds[:third].mean()) if len(looks) >= 4 else 1.0,
    )


def _of_cuts(signal: Signal, start_s: float) -> list[Said]:
    """A sentence about changes to another view within the clip, if there are any."""
    cuts = np.flatnonzero(signal.shots & (signal.times_s > start_s))
    if not len(cuts):
        return []
    often = f"{len(cuts)} times" if len(cuts) > 2 else "twice" if len(cuts) == 2 else "at once"
    before = signal.times_s[cuts[0] - 1] if cuts[0] else start_s
    return [Said(float(before), float(signal.times_s[cuts[-1]]), f"The picture changes {often} to another view.")]


def _of_picture(motion: Motion, signal: Signal, looks: np.ndarray) -> str:
    """A sentence about the whole picture moving."""
    if motion.goes_one_way:
        return f"The whole picture moves {_how_fast(motion.speed)}{_which_way(motion.way)}, as when the camera turns."
    outwards = _outwards(signal, looks)
    if abs(outwards) >= ONE_WAY:
        way, camera = ("outwards from", "forwards") if outwards > 0 else ("inwards to", "backwards")
        return f"The whole picture moves {_how_fast(motion.speed)}{way} its middle, as when the camera moves {camera}."
    return f"Almost the whole picture moves {_how_fast(motion.speed)}this way and that."


def _outwards(signal: Signal, looks: np.ndarray) -> float:
    """How much of the motion goes away from the middle of the picture, −1 to 1."""
    rows, columns = signal.moving.shape[1:]
    away = np.stack(np.meshgrid(np.arange(columns) - (columns - 1) / 2, np.arange(rows) - (rows - 1) / 2), axis=-1)
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    weight = (signal.moving * signal.speed)[looks]
    along = (signal.direction[looks] * away).sum(axis=-1)
    return float((weight * along).sum() / max(weight.sum(), 1e-9))


def _of_thing(thing: Motion, start_s: float, end_s: float) -> str:
    """A sentence about something that moves in the picture."""
    size = next(word for most, word in SIZES if thing.share <= most)
    subject = f"something {size}".rstrip()
    pace = _how_fast(thing.speed)
    covered = thing.to_place - thing.from_place
    places = _place(thing.from_place), _place(thing.to_place)
    ends_late = end_s - thing.end_s < SHORT_S
    if thing.lasts_s < SHORT_S and end_s - start_s > 2 * SHORT_S:
        opening, verb = "For a moment, ", "moves"
    elif thing.start_s - start_s >= SHORT_S and ends_late:
        opening, verb = "", "begins to move"
    elif thing.start_s - start_s < SHORT_S and ends_late and end_s - start_s > 2 * SHORT_S:
        opening, verb = "", "keeps moving"
    else:
        opening, verb = "", "moves"
    where = "in much of the picture" if thing.share > SIZES[-2][0] else _where((thing.from_place + thing.to_place) / 2)
    goes_there = float(covered @ thing.way) > 0  # otherwise other parts of it come and go
    if thing.goes_one_way and np.hypot(*covered) >= ACROSS and places[0] != places[1] and goes_there:
        moved = f"{verb} {pace}from the {places[0]} to the {places[1]} of the picture"
    elif thing.goes_one_way:
        moved = f"{verb} {pace}{_which_way(thing.way)} {where}"
    else:
        moved = f"{verb} {pace}{_both_ways(thing.axis)} {where}"
    sentence = f"{opening}{subject} {moved}{_how_it_goes_on(thing)}."
    return sentence[0].upper() + sentence[1:]


def _how_it_goes_on(thing: Motion) -> str:
    if thing.gain >= 2:
        return ", faster and faster" if thing.speed >= SLOW else ""
    return ", slower and slower" if thing.gain <= 0.5 else ""


def _how_fast(speed: float) -> str:
    return "slowly " if speed < SLOW else "quickly " if speed >= FAST else ""


def _which_way(way: np.ndarray) -> str:
    return _WAYS[round(np.arctan2(way[1], way[0]) / (np.pi / 4)) % 8]


def _both_ways(axis: np.ndarray) -> str:
    if np.hypot(*axis) < ONE_WAY:
        return "this way and that"
    return "to and fro" if axis[0] > 0 else "up and down"


def _place(place: np.ndarray) -> str:
    column, row = np.clip((place * 3).astype(int), 0, 2)
    return _PLACES[row][column]


def _where(place: np.ndarray) -> str:
    name = _place(place)
    return _SIDES.get(name, f"in the {name} of the picture")

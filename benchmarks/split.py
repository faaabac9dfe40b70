"""Whether events stay whole when a video is cut, and what the dense look costs.

    .venv/bin/python benchmarks/split.py events                       # rendered videos with known events, made harder, too
    .venv/bin/python benchmarks/split.py speed CLIPS  # 2 minutes to 1 hour of real clips, on one core

Events. Each of 24 videos is 60 to 120 s long and goes through the real encoder and the real dense look. Figures stand and sway in
it all the time, the camera has noise, and every few seconds something happens: someone runs through, a cyclist swerves, a vehicle
passes, someone falls, or someone falls and another comes running. An event is cut when a clip ends more than 0.25 s after its
beginning and more than 0.25 s before its end. The stride has the mean length of the clips by motion. Where nothing else is said,
noise is 2 to 5 grey levels, as in the embedded sample. Trees stand before what happens behind them.
"""

import argparse
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hawk_pipelines.schema import Clip, Video
from hawk_pipelines.sources.synthetic.drawing import draw
from hawk_pipelines.sources.synthetic.looks import CLOTHES, COLOURS, PLACES, SCENES
from hawk_pipelines.sources.synthetic.parameters import SyntheticParameters, seeded
from hawk_pipelines.sources.synthetic.script import Figure, Script
from hawk_pipelines.video.cutting import SplitParameters, cut
from hawk_pipelines.video.encode import write_h264
from hawk_pipelines.video.motion_signal import COLUMNS, ROWS, LookParameters, LookPlace, Signal, look_along, unpack_signal
from hawk_pipelines.video.probe import probe

VIDEOS, FPS, SIZE = 24, 12, 128
LONGEST_S = (16.0, 10.0)  # the default, and one that leaves little choice
INSIDE_S = 0.25
GAP_S = (1.0, 6.0)  # calm between two events: at least, and how much more on average
PACE = {"running": 0.30, "swerving": 0.16, "wrong way": 0.22, "calm": 0.12}  # picture widths a second at speed 1
SPEEDS = {"running": (0.5, 1.5), "swerving": (0.9, 1.6), "wrong way": (0.7, 1.6)}
KINDS = {"running": "person", "swerving": "cyclist", "wrong way": "vehicle"}


class Event(NamedTuple):
    """Something that happens."""

    kind: str
    start_s: float
    end_s: float


def write_long_script(number: int, duration_s: float, noise: float, *, road: bool) -> tuple[Script, list[Event]]:
    """What happens in a video, and when.

    Args:
        number: of the video; its seed.
        duration_s: its length.
        noise: grey levels, standard deviation of the camera's noise; 0 draws it from 2 to 5, as in the embedded sample.
        road: let vehicles pass at the back all the time, which is no event.
    """
    rng = seeded("split", number)
    figures = [_figure(rng, str(rng.choice(["stand", "sway", "sway"]))) for _ in range(int(rng.integers(3, 6)))]
    events = []
    now = rng.uniform(0, 6)
    while now < duration_s - 10:
        kind = str(rng.choice([*SPEEDS, "falling", "falling and running"]))
        end = now + 2.0
        if "falling" in kind:
            figures.append(_figure(rng, "falling", start=now))
        if kind != "falling":
            action = "running" if "falling" in kind else kind
            start = now + rng.uniform(0.5, 1.5) if "falling" in kind else now
            figures.append(_passing(rng, KINDS[action], action, rng.uniform(*SPEEDS[action]), start))
            end = start + 1.16 / (PACE[action] * figures[-1].speed)
        events.append(Event(kind, now, end))
        now = end + GAP_S[0] + rng.exponential(GAP_S[1])
    if road:
        traffic = np.cumsum(rng.exponential(4, size=int(duration_s / 4))) - 10
        figures += [_passing(rng, "vehicle", "calm", rng.uniform(0.8, 1.5), s, place="at the back") for s in traffic]
    script = Script(
        world="motion",
        scene=str(rng.choice(list(SCENES))),
        night=bool(rng.random() < 0.3),
        noise=noise or float(rng.uniform(2, 5)),
        kind="person",
        label="normal",
        figures=figures,
        captions=[],
        span=None,
        truth={},
    )
    return script, events


def _figure(rng: np.random.Generator, action: str, start: float = 0.0) -> Figure:
    return Figure(
        kind="person",
        colour=str(rng.choice([*COLOURS, *CLOTHES])),
        place=str(rng.choice(list(PLACES))),
        x=float(rng.uniform(0.1, 0.9)),
        action=action,
        direction=int(rng.choice([-1, 1])),
        phase=float(rng.uniform(0, 2 * math.pi)),
        speed=1.0,
        start=start,
        faces=1,
    )


def _passing(rng: np.random.Generator, kind: str, action: str, speed: float, start: float, place: str = "") -> Figure:
    """Somebody who comes in at one side at `start` and leaves at the other."""
    direction = int(rng.choice([-1, 1]))
    fresh = _figure(rng, action, start)
    x = -0.08 if direction > 0 else 1.08
    return fresh.model_copy(
        update={"kind": kind, "direction": direction, "faces": direction, "x": x, "speed": speed, "place": place or fresh.place}
    )


def rain(frames: np.ndarray, rng: np.random.Generator) -> None:
    """Let it rain: 60 streaks that fall all the time."""
    size = frames.shape[1]
    drops = rng.uniform(0, size, size=(60, 2))
    for frame in frames:
        drops[:, 1] = (drops[:, 1] + 0.35 * size / FPS * rng.uniform(3, 5, 60)) % size
        layer = np.zeros_like(frame)
        for x, y in drops.astype(int).tolist():
            cv2.line(layer, (x, y), (x - 1, y + 7), (90, 90, 95), 1)
        np.copyto(frame, cv2.add(frame, layer))


def trees(frames: np.ndarray, rng: np.random.Generator) -> None:
    """Let the upper left quarter wave in gusts of wind, by up to a twentieth of the picture."""
    half = frames.shape[1] // 2
    leaves = cv2.GaussianBlur(rng.uniform(0, 255, (half + 16, half + 16, 3)), (0, 0), 1.5)
    leaves = cv2.normalize(leaves, None, 20, 150, cv2.NORM_MINMAX).astype(np.uint8)
    gusts = np.interp(np.arange(len(frames)), *_gusts(len(frames), rng))
    for number, frame in enumerate(frames):
        shift = 8 + gusts[number] * 6 * np.sin(2 * np.pi * 0.5 * number / FPS)
        frame[:half, :half] = cv2.getRectSubPix(leaves, (half, half), (half / 2 + shift, half / 2 + 8))


def _gusts(frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    moments = np.arange(0, frames + 3 * FPS, 3 * FPS)
    return moments, rng.uniform(0.3, 1.0, len(moments))


class Condition(NamedTuple):
    """What makes it harder."""

    noise: float = 0.0
    road: bool = False
    weather: Callable[[np.ndarray, np.random.Generator], None] | None = None


CONDITIONS = {
    "as in the sample": Condition(),
    "noise of 10 grey levels": Condition(noise=10),
    "noise of 20 grey levels": Condition(noise=20),
    "waving trees": Condition(weather=trees),
    "rain": Condition(weather=rain),
    "a road at the back": Condition(road=True),
}


def look(number: int, condition: Condition, folder: Path, duration_s: float = 0.0) -> tuple[Video, Signal, list[Event]]:
    """Render a video with known events, encode it and look along it. Without a duration it is 60 to 120 s long."""
    rng = seeded("split", "pixels", number)
    duration_s = duration_s or rng.uniform(60, 120)
    script, events = write_long_script(number, duration_s, condition.noise, road=condition.road)
    frames = draw(script, SyntheticParameters(frames=int(duration_s * FPS), fps=FPS, size=SIZE), rng)
    if condition.weather:
        condition.weather(frames, rng)
    path = folder / f"{number}.mp4"
    write_h264(frames, FPS, path)
    return as_video(path), unpack_signal(look_along(LookPlace(path, FPS), LookParameters())[0]), events


def as_video(path: Path) -> Video:
    """The record of a file."""
    known = {name: fact for name, fact in probe(path)._asdict().items() if name != "notes"}
    about = {"label": None, "spans": [], "split": "test", "split_by": "seeded"}
    return Video(id=path.stem, source="benchmark", path=str(path), name=path.name, **about, **known)


def is_cut(event: Event, clips: list[Clip]) -> bool:
    """Whether a clip ends within the event."""
    return any(event.start_s + INSIDE_S < clip.end_s < event.end_s - INSIDE_S for clip in clips)


def events(videos: int) -> None:
    """Print the share of events that each way to cut cuts in two, for every condition."""
    print("| | longest clip, s | mean clip, s | events | cut by motion | by stride | by shots |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(2) as pool:
        for name, condition in CONDITIONS.items():
            looks = pool.starmap(look, [(number, condition, Path(folder)) for number in range(videos)], chunksize=1)
            for max_s in LONGEST_S:
                print(f"| {name} | {max_s:g} | {_compare(looks, max_s)} |", flush=True)


def _compare(looks: list[tuple[Video, Signal, list[Event]]], max_s: float) -> str:
    """Mean length of clips by motion, the number of events, and the share of them that is cut by motion, stride and shots."""
    by_motion = [cut(video, signal, SplitParameters(max_s=max_s)) for video, signal, _ in looks]
    mean_s = sum(video.duration_s for video, _, _ in looks) / sum(map(len, by_motion))
    others = SplitParameters(by="stride", stride_s=mean_s), SplitParameters(by="shots", max_s=max_s)
    ways = [by_motion, *([cut(video, signal, way) for video, signal, _ in looks] for way in others)]
    happened = [(number, event) for number, (_, _, found) in enumerate(looks) for event in found]
    shares = (sum(is_cut(event, way[number]) for number, event in happened) / len(happened) for way in ways)
    return " | ".join([f"{mean_s:.1f}", str(len(happened)), *(f"{share:.1%}" for share in shares)])


def speed(clips: Path) -> None:
    """Print seconds and memory of the dense look and the cut, by length of the video, on one core."""
    from video import peak, repeat, write_long

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    paths = sorted(path for path in clips.rglob("*") if path.suffix in (".mp4", ".avi"))
    print("| 320×240, 30 frames a second | seconds, median of 3 | MB at peak |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        two, ten = (write_long(paths, Path(folder) / f"{minutes}.mp4", minutes * 60 * 30) for minutes in (2, 10))
        for name, path in {"2 min": two, "10 min": ten, "1 h": repeat(ten, Path(folder) / "60.mp4", 60 * 60 * 30)}.items():
            taken = []
            for _ in range(3):
                start = time.perf_counter()
                look_and_cut(path)
                taken.append(time.perf_counter() - start)
            print(f"| {name} | {statistics.median(taken):.2f} | {peak(look_and_cut, path)} |", flush=True)
        video, looks = as_video(ten), 10 * 3600 * 4
    rng = np.random.default_rng(0)
    moving, speeds = rng.random((2, looks, ROWS, COLUMNS), np.float32)
    frames = (np.arange(looks) * 7.5).astype(np.int64)
    still, none = np.zeros(looks, np.float32), np.zeros(looks, bool)
    random = Signal(frames, frames / 30, speeds, moving, np.zeros((*moving.shape, 2), np.float32), still, none)
    start = time.perf_counter()
    cut(video.model_copy(update={"frames": 10 * 3600 * 30}), random, SplitParameters())
    print(f"\nTo cut 10 hours of random motion (1,080,000 frames) takes {time.perf_counter() - start:.2f} s.")


def look_and_cut(path: Path) -> list[Clip]:
    """What the `split` pipeline does with a video."""
    video = as_video(path)
    return cut(video, unpack_signal(look_along(LookPlace(path, video.fps), LookParameters())[0]), SplitParameters())


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["events", "speed"])
    parser.add_argument("clips", type=Path, nargs="?", help="a folder of real clips, for `speed`")
    parser.add_argument("--videos", type=int, default=VIDEOS)
    arguments = parser.parse_args()
    if arguments.what == "events":
        events(arguments.videos)
    elif arguments.clips:
        speed(arguments.clips)
    else:
        parser.error("`speed` needs a folder of real clips")


if __name__ == "__main__":
    main()

"""How long an item takes and how much memory: our one pass against decoding everything, as the public code does.

    .venv/bin/uv pip install --python .venv/bin/python --constraint constraints.txt decord
    .venv/bin/python benchmarks/video.py ../shared/data/videos            # real clips, 65 s, 10 min
    .venv/bin/python benchmarks/video.py ../shared/data/videos --nine-hours

The baseline is decord at 224×224: every frame is decoded once, then 32 Farneback pairs are computed. Both sides have one thread
for the decoder and one for OpenCV and look at the same 32 frames. Runs are interleaved and the median of 7 is told. Memory is the
peak of a fresh process (VmHWM), in which only that has run.
"""

import argparse
import itertools
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from hawk_pipelines.video.flow import optical_flow
from hawk_pipelines.video.streams import StreamParameters, read_streams

SIZE, FRAMES, RUNS = 224, 32, 7


def baseline(path: Path) -> np.ndarray:
    """Decode everything, then measure the motion of 32 frames: their numbers."""
    import decord

    reader = decord.VideoReader(str(path), width=SIZE, height=SIZE, num_threads=1)
    frames = reader.get_batch(range(len(reader))).asnumpy()
    wanted = np.maximum(np.arange(0, len(reader), len(reader) / FRAMES)[:FRAMES].astype(int), 1)
    for number in wanted:
        flow = optical_flow(frames[number - 1], frames[number])
        cv2.magnitude(flow[..., 0], flow[..., 1])
    return wanted


def ours(path: Path) -> np.ndarray:
    """Our pass with Farneback."""
    return read_streams(path, StreamParameters(frames=FRAMES), SIZE).indices[0]


def ours_dis(path: Path) -> np.ndarray:
    """Our pass with DIS."""
    return read_streams(path, StreamParameters(frames=FRAMES, flow="dis"), SIZE).indices[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="a folder of real clips")
    parser.add_argument("--nine-hours", action="store_true", help="only our side on a video of 976,000 frames")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = sorted(path for path in arguments.clips.rglob("*") if path.suffix in (".mp4", ".avi"))
        ten_minutes = write_long(clips, Path(folder) / "10 min.mp4", 18_000)
        if arguments.nine_hours:
            compare([repeat(ten_minutes, Path(folder) / "9 h.mp4", 976_000)], [ours, ours_dis])
        else:
            long = [write_long(clips, Path(folder) / "65 s.mp4", 1_950), ten_minutes]
            compare([*clips, *long], [baseline, ours, ours_dis])


def compare(paths: list[Path], methods: list) -> None:
    """Time every method on every path in turns, and print medians, peaks and ratios."""
    table = Table(box=None, pad_edge=False)
    for title in ("clip", "seconds long", *(f"{method.__name__} s" for method in methods), "×", "× dis", "MB at peak"):
        table.add_column(title, justify="left" if title == "clip" else "right")
    for path in paths:
        frames = [tuple(method(path)) for method in methods]  # the first, unmeasured run
        assert len(set(frames)) == 1, "the methods look at different frames"  # noqa: S101
        taken: dict = {method: [] for method in methods}
        for _, method in itertools.product(range(RUNS), methods):
            start = time.perf_counter()
            method(path)
            taken[method].append(time.perf_counter() - start)
        medians = [statistics.median(taken[method]) for method in methods]
        ratios = [f"{medians[0] / median:.2f}" for median in medians[1:]] if baseline in methods else ["", ""]
        peaks = " / ".join(str(peak(method, path)) for method in methods)
        table.add_row(path.stem[:28], f"{length(path):.1f}", *(f"{median:.3f}" for median in medians), *ratios, peaks)
    Console(width=140).print(table)


def peak(method, path: Path) -> int:
    """Peak resident memory in MB of a spawned process that does it once."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (method, path))


def _measured(method, path: Path) -> int:
    method(path)
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def length(path: Path) -> float:
    """Seconds."""
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def write_long(clips: list[Path], path: Path, frames: int) -> Path:
    """Real clips one after the other, again and again: 320×240 at 30 frames a second, x264 with a key frame at most every 250."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"x264-params": "keyint=250", "preset": "medium", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number, frame in enumerate(itertools.islice(_frames(clips), frames)):
            small = frame.reformat(320, 240, "yuv420p")
            small.pts, small.time_base = number, Fraction(1, 30)
            out.mux(stream.encode(small))
        out.mux(stream.encode(None))
    return path


def _frames(clips: list[Path]) -> Iterator[av.VideoFrame]:
    for clip in itertools.cycle(clips):
        with av.open(str(clip)) as container:
            yield from container.decode(video=0)


def repeat(source: Path, path: Path, frames: int) -> Path:
    """The packets of a video again and again, up to so many."""
    with av.open(str(source)) as container, av.open(str(path), "w") as out:
        inner = container.streams.video[0]
        stream = out.add_stream_from_template(inner)
        step = int(1 / inner.average_rate / inner.time_base)
        for number in range(frames):
            if number % inner.frames == 0:
                container.seek(0)
                packets = container.demux(inner)
            packet = next(packets)
            offset = number // inner.frames * inner.frames * step
            packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
            out.mux(packet)
    return path


if __name__ == "__main__":
    main()

"""What it costs to read data sets of their real size: UCF-Crime's 1,900 videos, WebVid's millions of rows.

.venv/bin/python benchmarks/published_datasets.py ucf_crime
.venv/bin/python benchmarks/published_datasets.py webvid
"""

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hawk_pipelines.sources.ucf_crime import CLASSES
from hawk_pipelines.video.encode import write_h264

ROOT = Path(__file__).parents[1]
ROWS = 2_000_000
PRESENT = 2_000


def ucf_crime(folder: Path) -> None:
    """950 anomalous and 950 normal videos of two seconds, no two alike, through `kedro run --pipelines=ingest`, twice."""
    root = folder / "UCF-Crime"
    names = {"Train": _names(0, 810, 800), "Test": _names(810, 950, 150)}
    number = 0
    for half, listed in names.items():
        lists = root / "UCF_Crimes-Train-Test-Split" / "Anomaly_Detection_splits"
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"Anomaly_{half}.txt").write_text("\n".join(listed) + "\n")
        for name in listed:
            path = root / f"Anomaly-Videos-Part-{1 + number % 4}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_h264(_pixels(number), 30, path)
            number += 1
    times = [f"{Path(name).name}  {name.split('/')[0]}  {5} {40}  -1  -1" for name in names["Test"]]
    (root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt").write_text("\n".join(times))
    project = folder / "project"
    project.mkdir()
    for name in ("conf", "src", "pyproject.toml", ".telemetry"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, project / name)
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "DO_NOT_TRACK": "1"}
    settings = f"ingest.source=ucf_crime,ingest.ucf_crime.path={root}"
    for what in ("the first time", "once more"):
        start = time.perf_counter()
        command = [str(Path(sys.executable).with_name("kedro")), "run", "--pipelines=ingest", "--params", settings]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
        line = next(line for line in done.stdout.splitlines() if line.startswith("videos "))
        print(f"UCF-Crime, {number} videos of 60 frames, {what}: {seconds:.1f} s; {' '.join(line.split())}")


def _names(first: int, last: int, normal: int) -> list[str]:
    anomalous = [f"{CLASSES[n % 13]}/{CLASSES[n % 13]}{n:03d}_x264.mp4" for n in range(first, last)]
    half = "Training" if first == 0 else "Testing"
    return anomalous + [f"{half}_Normal_Videos_Anomaly/Normal_Videos{first + n:03d}_x264.mp4" for n in range(normal)]


def _pixels(number: int) -> np.ndarray:
    frames = np.full((60, 240, 320, 3), 60 + number % 90, np.uint8)
    for t, frame in enumerate(frames):
        frame[80:140, (number + 2 * t) % 280 :][:, :40] = (number * 7 % 256, 200, number // 256 * 20)
    return frames


def webvid(folder: Path) -> None:
    """A table of two million rows, of which 2,000 have their video: listed row by row, read by the source, and checked."""
    table = folder / "results_2M_train.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["videoid", "contentUrl", "duration", "page_dir", "name"])
        for n in range(ROWS):
            page = f"{n // 50 * 50:06d}_{n // 50 * 50 + 50:06d}"
            rows.writerow(
                [n, f"https://example.invalid/{n}.mp4", "PT00H00M11S", page, f"Video {n} of a street, seen from above."]
            )
            if n % (ROWS // PRESENT) == 0:
                path = folder / "videos" / page / f"{n}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    print(f"WebVid, {ROWS:,} rows, {table.stat().st_size / 1e6:.0f} MB")
    for what in ("listed", "read", "checked"):
        print(
            subprocess.run(
                [sys.executable, __file__, "one", what, str(folder)], capture_output=True, text=True, check=True
            ).stdout,
            end="",
        )


def one(what: str, folder: Path) -> None:
    """One way of reading the table, in a process of its own, so that its memory is its own."""
    from hawk_pipelines.sources.checking import check
    from hawk_pipelines.sources.webvid import Parameters, read, read_rows

    start = time.perf_counter()
    if what == "listed":
        count = sum(1 for _ in read_rows(folder / "results_2M_train.csv"))
    elif what == "read":
        count = len(read(Parameters(path=folder)).videos)
    else:
        count = len(check(folder)[0].reading.videos)
    seconds, memory = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{what}: {count:,} in {seconds:.1f} s, at most {memory:.0f} MB (imports included)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ucf_crime", "webvid", "one"))
    parser.add_argument("rest", nargs="*")
    arguments = parser.parse_args()
    if arguments.what == "one":
        one(arguments.rest[0], Path(arguments.rest[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            {"ucf_crime": ucf_crime, "webvid": webvid}[arguments.what](Path(temporary))

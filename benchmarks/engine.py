"""What the engine costs, what a second worker brings, what one more video costs, and what a killed run leaves.

.venv/bin/python benchmarks/engine.py workers ../shared/data/videos
.venv/bin/python benchmarks/engine.py growth
.venv/bin/python benchmarks/engine.py kills
"""

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.sources.listing import ListingParameters, list_videos
from hawk_pipelines.sources.reading import FoundVideo
from hawk_pipelines.sources.synthetic import SyntheticParameters, read
from hawk_pipelines.video.stored import ItemPlace, frame_item
from hawk_pipelines.video.streams import StreamParameters

ROOT = Path(__file__).parents[1]
PARAMETERS = StreamParameters(frames=32)


def workers(clips: Path) -> None:
    """The bare loop, one worker and two, in turns, on real clips; and a worker that does nothing."""
    paths = [path for path in sorted(clips.rglob("*")) if path.suffix in (".mp4", ".avi")] * 4
    function = partial(frame_item, parameters=PARAMETERS, size=224)
    taken: dict[str, list[float]] = {"bare loop": [], "1 worker": [], "2 workers": []}
    _engine(_nothing, [0], 1)  # what a run imports, once
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            for number, path in enumerate(paths):
                ItemStore(folder).write(f"{number:032x}", *function(ItemPlace(path)))
            taken["bare loop"].append(time.perf_counter() - start)
        for count in (1, 2):
            taken[f"{count} worker{'s' * (count > 1)}"].append(_engine(function, [ItemPlace(path) for path in paths], count))
    for name, seconds in taken.items():
        print(f"{name}: {statistics.median(seconds):.2f} s for {len(paths)} items")
    bare, one, two = (statistics.median(seconds) for seconds in taken.values())
    print(f"one worker takes {one / bare - 1:+.1%} over the bare loop; two are {one / two:.2f} times as fast as one")
    few, many = (statistics.median(_engine(_nothing, list(range(count)), 1) for _ in range(5)) for count in (100, 2100))
    print(f"an item with a worker that does nothing: {(many - few) / 2000 * 1000:.2f} ms, packing included")


def _engine(function, payloads: list, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        items = [Item(f"item {number}", number, payload) for number, payload in enumerate(payloads)]
        start = time.perf_counter()
        run_items(Step("benchmark", function, 1, {}), items, ItemStore(folder), EngineParameters(workers=count))
        return time.perf_counter() - start


def _nothing(_) -> tuple[dict, dict]:
    return {}, {}


def growth() -> None:
    """Seconds by node for 2,000 videos of a folder, for the same again, and after one more was put there."""
    with tempfile.TemporaryDirectory() as place:
        project = Path(place)
        for name in ("conf", "src"):
            shutil.copytree(ROOT / name, project / name)
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / name, project)
        found = read(SyntheticParameters(train_videos=2000, test_videos=1, folder=project / "rendered"), 7, 2).videos
        videos = project / "videos"
        videos.mkdir()
        rows = ["video,start_s,end_s,caption,label"]
        for video in found:
            shutil.copy(video.path, videos)
            rows += [f'{video.path.name},{c.start_s},{c.end_s or ""},"{c.text}",{video.label or ""}' for c in video.captions]
        (videos / "captions.csv").write_text("\n".join(rows) + "\n")
        (videos / found[-1].path.name).rename(project / "one_more.mp4")
        table = {"2,000 videos": _nodes(project, "videos"), "the same again": _nodes(project, "videos")}
        shutil.copy(project / "one_more.mp4", videos / found[-1].path.name)
        table["one more"] = _nodes(project, "videos")
        alone = project / "alone"  # two, because something must be tested on
        alone.mkdir()
        for name in ("captions.csv", found[0].path.name, found[-1].path.name):
            shutil.copy(videos / name, alone)
        shutil.rmtree(project / "data")
        table["two videos alone"] = _nodes(project, "alone")
    print("| node | " + " | ".join(table) + " |\n|" + "---|" * (len(table) + 1))
    for node in table["one more"]:
        print(f"| {node} | " + " | ".join(f"{seconds[node]:.2f}" for seconds in table.values()) + " |")
    print("| **all** | " + " | ".join(f"**{sum(seconds.values()):.2f}**" for seconds in table.values()) + " |")


def _nodes(project: Path, folder: str) -> dict[str, float]:
    """Run the pipelines before training and take the time inside each node."""
    program = "import node_times; from kedro.framework.cli import main; main()"
    settings = f"ingest.source=folder,ingest.folder.path={folder}"
    steps = "ingest,split,caption,annotate,validate,motion,encode"
    environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT / "benchmarks")}
    done = subprocess.run(
        [sys.executable, "-c", program, "run", f"--pipelines={steps}", "--params", settings],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return {name: float(seconds) for name, seconds in re.findall(r"node (\w+) took ([\d.]+) s", done.stdout + done.stderr)}


def kills() -> None:
    """Kill a run at 20 random moments, run it to its end each time, and compare with undisturbed and grown stores."""
    draw = random.Random(0)  # noqa: S311 (no secret)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        read(SyntheticParameters(train_videos=119, test_videos=1, folder=folder / "videos"), 0, 2)
        (folder / "broken.mp4").write_text("no video")
        start = time.perf_counter()
        _child(folder, "undisturbed", 120).wait()
        whole = time.perf_counter() - start
        for count in (50, 120):
            _child(folder, "grown", count).wait()
        wanted = _files(folder / "undisturbed")
        wrong = _files(folder / "grown") != wanted
        for number in range(20):
            run = _child(folder, f"killed {number}", 120)
            moment = draw.uniform(0.1, 1) * whole
            time.sleep(moment)
            run.kill()
            run.wait()
            left = len(list((folder / f"killed {number}" / "frames" / "loose").glob("*.safetensors")))
            _child(folder, f"killed {number}", 120).wait()
            same = _files(folder / f"killed {number}") == wanted
            wrong |= not same
            print(
                f"killed after {moment:.2f} s of {whole:.2f} s with {left} items finished: {'the same' if same else 'DIFFERENT'}"
            )
    print(
        "A store grown in two runs and all that were killed are byte-identical to the undisturbed one." if not wrong else "WRONG"
    )
    sys.exit(wrong)


def _child(folder: Path, name: str, count: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__, "child", str(folder), name, str(count)])


def child(folder: Path, name: str, count: int) -> None:
    """List and sample `count` videos and one that is none."""
    engine = EngineParameters(workers=2, shards=16)
    paths = [*sorted((folder / "videos").rglob("*.mp4"))[:count], folder / "broken.mp4"]
    found = [FoundVideo(path, path.name, label="normal") for path in paths]
    listing = list_videos(found, ListingParameters(), 0, ItemStore(folder / name / "probes"), engine)
    step = Step("motion", partial(frame_item, parameters=StreamParameters(), size=96), 1, {})
    items = [Item(video.id, video.id, ItemPlace(Path(video.path))) for video, _ in listing.videos]
    run_items(step, items, ItemStore(folder / name / "frames"), engine)


def _files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["workers", "growth", "kills", "child"])
    parser.add_argument("rest", nargs="*")
    arguments = parser.parse_args()
    match arguments.what, arguments.rest:
        case "workers", [clips]:
            workers(Path(clips))
        case "growth", []:
            growth()
        case "kills", []:
            kills()
        case "child", [folder, name, count]:
            child(Path(folder), name, int(count))
        case _:
            parser.error("see above for what goes with what")


if __name__ == "__main__":
    main()

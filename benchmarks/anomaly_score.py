"""When does something unusual happen? The anomaly score of a trained model on videos whose truth is known, beside plain motion.

    .venv/bin/python benchmarks/anomaly_score.py PROJECT [--params KEY=VALUE ...] [--train N] [--keep FOLDER]

PROJECT is a folder in which `kedro run` has run. It is not changed: windows are kept in a temporary folder, or in FOLDER, where
another call finds them again. KEY is a setting of `when`, VALUE is YAML: `window_s=[1.0]`. With `--train N` the first N training
videos are looked at instead of the test videos: settings are chosen on those.
"""

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from hawk_pipelines.datasets.records import RecordsDataset
from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.when import WhenParameters, encode_windows, sample_windows, score_windows
from hawk_pipelines.schema import Video
from hawk_pipelines.video.streams import StreamParameters

MODEL = Path("data/06_models/finetuned_model")


def main() -> None:
    """Run and print Markdown tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("project", type=Path)
    options.add_argument("--params", nargs="*", default=[])
    options.add_argument("--train", type=int, default=0)
    options.add_argument("--keep", type=Path)
    chosen = options.parse_args()
    given = {name: yaml.safe_load(value) for name, _, value in (one.partition("=") for one in chosen.params)}
    keep = chosen.keep.resolve() if chosen.keep else None
    os.chdir(chosen.project)
    with tempfile.TemporaryDirectory() as folder:
        told = _run(keep or Path(folder), WhenParameters.model_validate(given), chosen.train)
    print(f"\n{told['convention']}\n")
    print(f"{told['videos']}, {told['windows']} windows, {told['share']:.3f} of the model's answers say either\n")
    print("| what | metric | value | 95 % interval | items | videos |\n|---|---|---|---|---|---|")
    for row in told["figures"]:
        print(f"| {row['scored']} | {row['metric']} | {_told(row)} | {row['items']} | {row['videos']} |")
    print("\n| the score over | metric | difference | 95 % interval | p |\n|---|---|---|---|---|")
    for row in told["differences"]:
        print(f"| {row['over']} | {row['metric']} | {_told(row)} | {row['p']:.3f} |")


def _run(folder: Path, parameters: WhenParameters, train: int) -> dict:
    """What the nodes do, each with its time."""
    settings = {name: yaml.safe_load(Path(f"conf/base/parameters_{name}.yml").read_text())[name] for name in ("motion", "encode")}
    motion = StreamParameters.model_validate(settings["motion"])
    encode = TypeAdapter(EncodeParameters).validate_python(settings["encode"])
    engine, frames, features = EngineParameters(), ItemStore(folder / "frames"), ItemStore(folder / "features")
    videos: list[Video] = RecordsDataset(filepath="data/02_intermediate/videos.parquet", record="Video").load()
    if train:
        training = [video for video in videos if video.split == "train"][:train]
        videos = [video.model_copy(update={"split": "test"}) for video in training]
    asked = RecordsDataset(filepath="data/07_model_output/asked.parquet", record="Asked").load()
    seconds = [time.perf_counter()]
    parts, sampled, unread = sample_windows(asked, videos, parameters, motion, encode, engine, frames)
    seconds.append(time.perf_counter())
    encoded, unencoded = encode_windows(sampled, frames, encode, engine, features)
    seconds.append(time.perf_counter())
    _, _, told = score_windows(
        MODEL, videos, parts, sampled, frames, encoded, features, unread, unencoded, parameters, motion, encode, 0
    )
    seconds.append(time.perf_counter())
    spent = [after - before for before, after in itertools.pairwise(seconds)]
    print("seconds: sampling {:.0f}, encoding {:.0f}, scoring and figures {:.0f}".format(*spent))
    return told


def _told(row: dict) -> str:
    value, low, high = (row[name] for name in ("value", "low", "high"))
    return "– | –" if value is None else f"{value:.3f} | {'–' if low is None else f'{low:.3f} to {high:.3f}'}"


if __name__ == "__main__":
    main()

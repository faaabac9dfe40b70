"""What the client for language models takes itself: `python benchmarks/llm.py cached [ITEMS]` or `… concurrency [REQUESTS]`.

`cached` annotates items with a server that answers at once, and again with all replies in the store; each time through the node
`write_drafts`, with estimate and MLflow. `concurrency` sends requests to a server that takes 200 ms for each, one at a time and
eight at a time. The server is the one of the tests, in a process of its own.
"""

import argparse
import collections
import contextlib
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import mlflow
from pydantic import BaseModel, ConfigDict

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.language.llm import Client, Request, Script
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.llm_report import figures
from hawk_pipelines.pipelines.annotate.nodes import write_drafts
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.validate.parameters import ValidateParameters
from hawk_pipelines.schema import Caption, FrameSpan, Video

ROOT = Path(__file__).parents[1]
MODEL = "test-model"
REPEATS = 3


class Description(BaseModel):
    """What is asked for when only the client is measured."""

    model_config = ConfigDict(extra="forbid")

    description: str


@contextlib.contextmanager
def served(latency_s: float) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.servers.llm", "--latency", str(latency_s)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield next(iter(process.stdout or ())).strip()
    finally:
        process.terminate()
        process.wait()


def parameters(url: str, folder: Path, concurrency: int) -> LlmParameters:
    """A model that costs nothing, and a store of its own."""
    prices = folder / "prices.yml"
    prices.write_text(f"{MODEL}: {{input: 0, output: 0}}\n")
    return LlmParameters(base_url=url, model=MODEL, prices=prices, replies=folder / "replies.sqlite", concurrency=concurrency)


def cached(count: int, folder: Path) -> None:
    """Annotate items, and again."""
    videos = [
        Video(
            id=f"{number:032x}", source="s", path=f"{number}.mp4", name=f"{number}.mp4", frames=300, fps=30, width=320,
            height=240, duration_s=10, label="falling", split="train", split_by="seeded",
            spans=[FrameSpan(start_s=2, end_s=5, start_frame=60, end_frame=150)],
        )
        for number in range(count)
    ]  # fmt: skip
    captions = [
        Caption(
            clip_id=f"{video.id}_{part}", video_id=video.id, start_s=2 * part, end_s=2 * part + 2, tool="existing", version="1",
            text=f"A person of item-{number:04d} walks along the street, then falls beside a parked car.", score=1,
        )
        for number, video in enumerate(videos)
        for part in range(5)
    ]  # fmt: skip
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    with served(0) as url, mlflow.start_run():
        annotate = AnnotateParameters(provider="openai", openai=parameters(url, folder, 8))
        validate = ValidateParameters(decisions=folder / "decisions.sqlite")
        for title in ["the first time", *["again"] * REPEATS]:
            begun, used = time.perf_counter(), time.process_time()
            drafts, rejected, calls = write_drafts(
                videos, captions, [], annotate, validate, 42, EngineParameters(), None, None  # type: ignore[arg-type]
            )  # fmt: skip
            took, used = time.perf_counter() - begun, time.process_time() - used
            if len(drafts) != count or rejected:
                sys.exit(f"Only {len(drafts)} of {count} items have a draft.")
            sent = sum(call.attempts for call in calls)
            print(f"{count} items, {title}: {took:.2f} s ({used:.2f} s of processor time), {sent} of {len(calls)} requests sent")


def concurrency(count: int, folder: Path) -> None:
    """Send requests one at a time and eight at a time."""

    def asked(name: str) -> Script[None]:
        yield Request("description", [{"role": "user", "content": f"What of {name}?"}], Description, Description(description="x"))

    rates: dict[int, list[float]] = {1: [], 8: []}
    with served(0.2) as url:
        for repeat in range(REPEATS):
            for width in rates:
                total = count * width
                with Client(parameters(url, folder, width), None, "annotate.openai") as client:
                    client.server()  # the import of the SDK and the look at the list of models
                    scripts = [partial(asked, f"item-{repeat}{width}{number:06d}") for number in range(total)]
                    begun = time.perf_counter()
                    collections.deque(client.run(scripts, "requests"), maxlen=0)
                    rates[width].append(total / (time.perf_counter() - begun))
                    if figures(client)["attempts"] != total:
                        sys.exit(f"{total} requests were to be sent, but {figures(client)['attempts']:.0f} were.")
    one, eight = (statistics.median(rates[width]) for width in (1, 8))
    print(f"one at a time: {one:.2f} requests/s; eight at a time: {eight:.2f} requests/s; {eight / one:.2f} times as many")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["cached", "concurrency"])
    parser.add_argument("count", nargs="?", type=int)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        if given.what == "cached":
            cached(given.count or 1000, Path(folder))
        else:
            concurrency(given.count or 30, Path(folder))


if __name__ == "__main__":
    main()

"""What the tests of the judge share: predictions, and a scripted judge over real HTTP.

As a process of its own, which a test can kill: `python -m tests.evaluation.judging ADDRESS FOLDER COUNT`.
"""

import json
import sys
from pathlib import Path

from pydantic import SecretStr

from hawk_pipelines.evaluation.judge import JudgeParameters, judge
from hawk_pipelines.evaluation.judge_request import read_prompts
from hawk_pipelines.language.llm import Client
from hawk_pipelines.schema import DESCRIBE, Prediction
from tests.conftest import ROOT
from tests.language.asking import PRICES
from tests.servers.llm import MODEL, completion

PROMPTS = ROOT / "conf" / "prompts"


def prediction(number, answer=None, task="question", model="hawk", **change):
    usual = {
        "item_id": f"item-{number:04d}",
        "task": task,
        "question": f"What happens in scene {number}?" if task == "question" else DESCRIBE,
        "reference": f"A man falls in scene {number}.",
        "kind": "what" if task == "question" else "description",
        "source": "test",
        "video": f"video-{number // 2}",
        "normal": False,
        "model": model,
        "answer": f"A man falls off ladder {number}." if answer is None else answer,
    }
    return Prediction(**usual | change)


def parameters(folder, url, *, calibration=None, openai=None, **settings):
    """Settings of a judge at an address, without calibration unless it is given."""
    prices = folder / "prices.yml"
    prices.write_text(PRICES)
    usual = {"base_url": url, "model": MODEL, "prices": prices, "replies": folder / "replies.sqlite", "first_wait_s": 0.01}
    usual |= {"limit_usd": None, "leave_to_spend": True, "timeout_s": 10}
    return JudgeParameters(prompts=PROMPTS, calibration=calibration, openai=usual | (openai or {}), **settings)


def judged_by(settings, predictions):
    """What a judge makes of predictions, and its client."""
    with Client(settings.openai, SecretStr("sk-made-up"), "evaluate.judge.openai") as client:
        return judge(predictions, client, read_prompts(settings.prompts, settings.dimensions), settings), client


def fenced(body):
    """The JSON that a judge was told."""
    text = body["messages"][1]["content"]
    assert text.count("<data>") == text.count("</data>") == 1
    return json.loads(text.split("<data>")[1].split("</data>")[0])


def saying(score_of):
    """A scripted judge: what it says of (purpose, data, how often it was asked that); a number, or words of its own."""

    def answer(asked):
        said = score_of(asked.purpose.removeprefix("judge_"), fenced(asked.body), asked.nth)
        return completion(said if isinstance(said, str) else json.dumps({"score": said}))

    return answer


def main():
    url, folder, count = sys.argv[1:]
    settings = parameters(Path(folder), url, openai={"concurrency": 4}, dimensions=["detail", "consistency"])
    judged_by(settings, [prediction(number) for number in range(int(count))])


if __name__ == "__main__":
    main()

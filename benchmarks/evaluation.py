"""What evaluating costs beside generating and judging, at the size of HAWK's own test split: seconds by step.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/evaluation.py [--items 786] [--training 7066] [--rivals 4]

Both tasks; seven models by default: the one that is evaluated, its rivals as files of answers, the constant answer, and the
nearest neighbour. Texts are drawn at random: descriptions as long as published ones (three of four have 25 to 55 words, the rest
140 to 260), answers of 10 to 40 words.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hawk_pipelines.schema import DESCRIBE, Asked, EvaluationDifference, EvaluationScore, Prediction, Sample

SOURCES = ("dota", "ucf_crime", "ubnormal", "shanghaitech", "ucsd_ped1", "cuhk_avenue", "ucsd_ped2")
SHARES = (4883, 1854, 543, 437, 70, 37, 28)
"""Of the sources in the published annotations."""
KINDS = ("what", "who", "where", "when", "how", "how much", "why")
SECONDS: dict[str, float] = {}


def main() -> None:
    """Evaluate and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=786)
    options.add_argument("--training", type=int, default=7066)
    options.add_argument("--rivals", type=int, default=4, help="files of answers of other models")
    chosen = options.parse_args()
    rng = random.Random(0)  # noqa: S311 (texts, no secrets)
    asked = [one for number in range(chosen.items) for one in _asked(rng, f"test{number}")]
    training = [
        Sample(item_id=one.item_id, task=one.task, question=one.question, answer=one.reference, motion_text="")
        for number in range(chosen.training)
        for one in _asked(rng, f"train{number}")
    ]
    vectors = np.random.default_rng(0).normal(size=(chosen.training + chosen.items, 768)).astype(np.float32)
    items = list(dict.fromkeys(sample.item_id for sample in training)) + list(dict.fromkeys(one.item_id for one in asked))
    of_item = dict(zip(items, vectors, strict=True))

    begin = time.perf_counter()
    _taken("imports", _imports)
    _evaluate(asked, training, of_item, chosen.rivals, rng)
    whole = time.perf_counter() - begin

    print(f"{chosen.items} items × both tasks, {chosen.training} items to train on, {chosen.rivals + 3} models\n")
    print("| step | seconds |\n|---|---|")
    for step, seconds in SECONDS.items():
        print(f"| {step} | {seconds:.1f} |")
    print(f"| all | {whole:.1f} |")


def _imports() -> None:
    from hawk_pipelines.evaluation import baselines, localisation, predictions_file, report, scores  # noqa: F401


def _evaluate(asked: Sequence[Asked], training: Sequence[Sample], vectors: dict, rivals: int, rng: random.Random) -> None:
    from hawk_pipelines.evaluation.baselines import constant_answers, nearest_neighbour
    from hawk_pipelines.evaluation.predictions_file import read_predictions
    from hawk_pipelines.evaluation.report import page
    from hawk_pipelines.evaluation.scores import compare, flat_scores, metrics, notes, score
    from hawk_pipelines.evaluation.statistics import plain

    answers = [_answers(asked, rng) for _ in range(rivals + 1)]  # stand for generation
    predictions = [Prediction(**one.model_dump(), model="hawk", answer=text) for one, text in zip(asked, answers[0], strict=True)]
    judged = {(one.item_id, one.task, one.question): {"reasonability": rng.random(), "detail": rng.random()} for one in asked}
    models = [predictions]
    with tempfile.TemporaryDirectory() as place:
        for number, texts in enumerate(answers[1:]):
            path = Path(place) / f"rival{number}.jsonl"
            lines = [
                json.dumps({"item_id": one.item_id, "question": one.question, "answer": text})
                for one, text in zip(asked, texts, strict=True)
            ]
            path.write_text("\n".join(lines))
            read = _taken("files of answers", read_predictions, path, asked, {}, f"rival {number}")
            models.append(read.predictions)
    models.append(_taken("constant answer", constant_answers, asked, training))
    models.append(_taken("nearest neighbour", nearest_neighbour, asked, training, vectors, vectors))
    scored = []
    for which, mine in enumerate(models):
        name = "figures of the evaluated model" if which == 0 else f"figures of {len(models) - 1} others"
        scored.append(_taken(name, score, mine, training, (), judged if which == 0 else None, asked))
    compared = [one for other in scored[1:] for one in _taken("comparisons", compare, other, scored[0])]
    told = _taken("tables", lambda: [(metrics(one), flat_scores(one), notes(one)) for one in scored])
    assert all(one[0]["tasks"]["description"]["count"] == len(asked) // 2 for one in told)  # noqa: S101 (nothing was left out)
    rows = [EvaluationScore(**plain(one)) for scores in scored for one in scores.scores]
    differences = [EvaluationDifference(**plain(one)) for one in compared]
    others = [one for mine in models[1:] for one in mine]
    _taken("the page, without pictures", page, told[0][0], rows, differences, predictions, others, [], {}, {}, lambda _: None, 40)
    _taken("figures of 450 frames a video", _along, len(asked) // 2)


def _along(videos: int) -> None:
    """Figures of the anomaly score and of plain motion, and their difference, of random scores."""
    from hawk_pipelines.evaluation.localisation import Labelled, frame_differences, frame_figures

    rng = np.random.default_rng(0)
    labels = [np.arange(450) > rng.integers(0, 900) for _ in range(videos)]
    scores, flow = ([rng.random(450) + weight * one for one in labels] for weight in (0.5, 0.2))
    labelled = Labelled(labels, [str(number) for number in range(videos)])
    for one in (scores, flow):
        frame_figures(labelled, one)
    frame_differences(labelled, flow, scores)


def _taken(step: str, do: Callable, *arguments: object) -> Any:
    begin = time.perf_counter()
    made = do(*arguments)
    SECONDS[step] = SECONDS.get(step, 0) + time.perf_counter() - begin
    return made


def _asked(rng: random.Random, item: str) -> list[Asked]:
    kind, source = rng.choice(KINDS), rng.choices(SOURCES, SHARES)[0]
    facts = {"item_id": item, "source": source, "video": item, "normal": rng.random() < 0.2}
    described = _words(rng, rng.randint(25, 55) if rng.random() < 0.75 else rng.randint(140, 260))
    question = f"{kind.capitalize()} {_words(rng, 8)}?"
    return [
        Asked(**facts, task="description", question=DESCRIBE, kind="description", reference=described),
        Asked(**facts, task="question", question=question, kind=kind, reference=_words(rng, rng.randint(10, 40))),
    ]


def _answers(asked: Sequence[Asked], rng: random.Random) -> list[str]:
    """Half of the reference's words, the rest at random."""
    return [" ".join(word if rng.random() < 0.5 else _words(rng, 1) for word in one.reference.split()) for one in asked]


def _words(rng: random.Random, count: int) -> str:
    """Few words are frequent and most are rare, as in a language."""
    return " ".join(f"word{int(rng.paretovariate(0.9)) % 20000}" for _ in range(count)) + "."


if __name__ == "__main__":
    main()

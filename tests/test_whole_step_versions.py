"""Whoever changes what a training, the evaluation, the checks or the gate make of the same input must raise the step's version.

Otherwise a finished one would be taken for the new one. `tests/golden/whole_step_outputs.json` holds version and output of
each step on made-up input, as `test_step_versions` does for items. After raising a version, `python -m
tests.test_whole_step_versions` writes it anew.
"""

import hashlib
import json
from pathlib import Path

import pytest

from hawk_pipelines.schema import (
    QA,
    Annotation,
    AnomalyScore,
    Caption,
    ConversationScore,
    Draft,
    FrameSpan,
    Sample,
    Truth,
    Video,
    WindowScore,
)
from tests.evaluation.made import said

GOLDEN = Path(__file__).parent / "golden" / "whole_step_outputs.json"
STEPS = (
    "judge_drafts",
    "training",
    "ask_test_items",
    "answer_questions",
    "answer_in_conversations",
    "answer_as_baselines",
    "score_answers",
    "score_windows",
    "select_headline",
    "report_evaluation",
    "register_model",
)


_SCORES = {"raw": [0.5] * 50, "smoothed": [frame / 50 for frame in range(50)], "predicted": []}


def _video(number, split="test", label="falling"):
    known = {"width": 64, "height": 64, "duration_s": 5, "split_by": "seeded", "source": "folder"}
    spans = [FrameSpan(start_s=1, end_s=3, start_frame=10, end_frame=30)] if label == "falling" else []
    name = f"{number}.mp4"
    return Video(id=f"v{number}", path=name, name=name, frames=50, fps=10, label=label, spans=spans, split=split, **known)


def _versions():
    from hawk_pipelines.pipelines.reuse import reusable_steps
    from hawk_pipelines.training.job import TRAINING_VERSION

    return {name: step.version for name, step in reusable_steps().items()} | {"training": TRAINING_VERSION}


def _judged(videos):
    from hawk_pipelines.curation.judging import judge
    from hawk_pipelines.curation.settling import settle

    facts = {"clip_id": "c", "start_s": 0, "end_s": 5, "tool": "existing", "version": "1", "score": 1}
    captions = [Caption(video_id=video.id, text="A man in red falls on the road.", **facts) for video in videos]
    texts = [
        "A man falls on the road.",
        "As an AI language model, I cannot say.",
        "A woman is swimming.",
        "A man falls on the road.",
    ]
    drafts = [
        Draft(
            item_id=video.id,
            video_id=video.id,
            description=text,
            QA=[QA(q="Who is it?", a="A man.")],
            provider="rules",
            sources=[],
        )
        for video, text in zip(videos, texts, strict=True)
    ]
    settled = settle(judge(drafts, videos, captions, True), [], ["Who is it?"], videos, 0.5, 1)
    return [one.model_dump(mode="json") for one in [*settled.drafts, *settled.queue]]


def _asked(videos):
    from hawk_pipelines.evaluation.asked import asked

    known = {"description": "A man falls.", "QA": [], "provider": "rules", "sources": [], "split": "test"}
    annotations = [Annotation(item_id=video.id, video_id=video.id, video=video.name, **known) for video in videos]
    samples = [
        Sample(item_id=video.id, task="question", question=question, answer="A man.", motion_text="")
        for video in videos
        for question in ("Who is it?", "Where does it happen?", "Who is it?")
    ]
    return asked(samples, annotations, videos)


def _trained(folder):
    """The losses of a few steps."""
    from mlflow import MlflowClient

    from tests.training.made import EXPERIMENT, given, losses

    uri = f"sqlite:///{folder}/mlflow.db"
    MlflowClient(uri).create_experiment(EXPERIMENT, artifact_location=(folder / "artifacts").as_uri())
    made = given(folder)
    validation = {"share": 0.2, "every": 3, "generated": 0}
    return losses(made.train(made.job(steps=6, validation=validation), uri).parent)


def _speaking(folder):
    """A model of large random weights, whose likeliest word is far from the second, and what it sees."""
    from hawk_pipelines.training.features import Features
    from tests.training.made import MODEL, sentences, small_parts, stored

    model = MODEL.model_copy(deep=True)
    model.branches.initializer_range = 1.0
    parts = small_parts(sentences(["v0", "v1"]), model, 4)
    store, features = stored(folder / "store", [f"v{number}" for number in range(4)])
    return parts, Features(features, store).read


def _answered(folder, questions):
    """The first words to each question."""
    from hawk_pipelines.evaluation.answers import answer_all
    from hawk_pipelines.model.settings import GenerationSettings

    parts, read = _speaking(folder)
    return [one.answer for one in answer_all(parts, questions, read, 4, GenerationSettings(max_new_tokens=3))]


def _conversed(folder, questions):
    """What is asked turn by turn, and the first words to it."""
    from hawk_pipelines.evaluation.conversations import hold_conversations, plan_conversations
    from hawk_pipelines.model.settings import GenerationSettings

    parts, read = _speaking(folder)
    held = hold_conversations(parts, plan_conversations(questions, 3, 0), read, 4, GenerationSettings(max_new_tokens=3), "hawk")
    return [[turn.wording, turn.answer] for turn in held]


def _windows(videos):
    from hawk_pipelines.evaluation import when

    rows = []
    for place, video in enumerate(videos):
        for start in (0, 15, 35):
            facts = {"item_id": video.id, "video_id": video.id, "start_frame": start, "end_frame": start + 15}
            facts |= {"start_s": start / 10, "end_s": start / 10 + 1.5}
            rows.append(WindowScore(**facts, score=(start + 7 * place) / 60, share=1.0, flow=start / 50, peak_flow=place / 4))
    by_id = {video.id: video for video in videos}
    curves = when.curves(by_id, rows, 0.1)
    along = [one.model_dump(mode="json") for one in when.anomaly_scores(by_id, curves, 0.5)]
    return [along, when.metrics(videos, curves, 0.5, 1)]


def _headline(videos, scored):
    from hawk_pipelines.evaluation.headline import headline, roc_curve, turn_curve
    from hawk_pipelines.evaluation.scores import metrics

    scores = [AnomalyScore(video_id=video.id, video=video.name, **_SCORES) for video in videos]
    facts = {"form": "full", "metric": "bleu_4", "low": None, "high": None, "items": 4, "videos": 4}
    turns = [ConversationScore(turn=turn, value=0.5 / turn, alone=0.5, **facts) for turn in (1, 2)]
    when = {"figures": [{"scored": "score", "metric": "frame_auc", "value": 0.75}]}
    return [headline(metrics(scored), when), turn_curve(turns), roc_curve(scores, videos)]


def _rounded(value):
    """Numbers that processors compute in their last digits differently."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def outputs(folder, only=None):
    """Of each step its version, a hash of what is the same everywhere, and numbers that processors compute a little apart."""
    from hawk_pipelines.evaluation.baselines import constant_answers
    from hawk_pipelines.evaluation.report import examples_table
    from hawk_pipelines.evaluation.scores import metrics, score
    from hawk_pipelines.evaluation.statistics import plain
    from hawk_pipelines.serving import gate
    from hawk_pipelines.serving.parameters import GateParameters

    videos = [_video(number, label=label) for number, label in enumerate(["falling", "falling", "normal", "falling"])]
    questions = _asked(videos)
    samples = [
        Sample(item_id="t", task="question", question="Who is it?", answer=a, motion_text="") for a in ("A man.", "A car.")
    ]
    predictions = [
        said(video.id, answer, video=video.id, reference="A man in red falls on the road.", normal=video.label == "normal")
        for video, answer in zip(videos, ["A man falls.", "A red man on the road.", "Nothing unusual.", "A dog."], strict=True)
    ]
    others = [one.model_copy(update={"answer": "A man."}) for one in predictions]
    truths = [Truth(video_id=video.id, slots={"actor": "man", "action": "falls"}) for video in videos]
    parameters = GateParameters(metric="description.bleu_4", min_videos=2, draws=100)
    scored = score(predictions, samples, truths)
    makes = {
        "judge_drafts": lambda: (_judged(videos), []),
        "training": lambda: ([], _trained(folder)),
        "ask_test_items": lambda: ([one.model_dump(mode="json") for one in questions], []),
        "answer_questions": lambda: (_answered(folder, questions), []),
        "answer_in_conversations": lambda: (_conversed(folder, questions), []),
        "answer_as_baselines": lambda: ([one.answer for one in constant_answers(questions, samples)], []),
        "score_answers": lambda: ([metrics(scored), [plain(one) for one in scored.scores]], []),
        "score_windows": lambda: (_windows(videos), []),
        "select_headline": lambda: (_headline(videos, scored), []),
        "report_evaluation": lambda: (examples_table(predictions, {video.id: video.name for video in videos}, 3, []), []),
        "register_model": lambda: (gate.decide(predictions, others, others, "production", parameters, "1").model_dump(), []),
    }
    made = {step: make() for step, make in makes.items() if only in (None, step)}
    return {
        step: {
            "version": _versions()[step],
            "sha256": hashlib.sha256(json.dumps(_rounded(exact), sort_keys=True).encode()).hexdigest(),
            "numbers": [round(float(number), 3) for number in numbers],
        }
        for step, (exact, numbers) in made.items()
    }


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_makes_changes_only_with_its_version(tmp_path, step):
    known = json.loads(GOLDEN.read_text())[step]
    now = outputs(tmp_path, step)[step]
    same = now["sha256"] == known["sha256"] and now["numbers"] == pytest.approx(known["numbers"], abs=0.05)
    if not same:
        assert now["version"] > known["version"], f"What `{step}` makes has changed: raise its version."
    assert same, f"Write {GOLDEN.name} anew: python -m tests.test_whole_step_versions"


def test_every_reusable_step_is_held_or_needs_a_language_model():
    assert set(_versions()) - set(STEPS) == {"judge_answers"}


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        rows = [f"{json.dumps(step)}: {json.dumps(made)}" for step, made in outputs(Path(folder)).items()]
        GOLDEN.write_text("{\n" + ",\n".join(rows) + "\n}\n")

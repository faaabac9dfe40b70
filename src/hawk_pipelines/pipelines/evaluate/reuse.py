"""What decides each step of the evaluation besides the tables that it reads, and the steps' versions.

Windows are sampled and encoded item by item, so their steps are not here: they know their finished items.
"""

from pathlib import Path

from hawk_pipelines.engine.finished import path_sha256
from hawk_pipelines.errors import HawkError
from hawk_pipelines.pipelines.reuse import Load, Reusable
from hawk_pipelines.training.job import RECORDS

NOT_IN_THE_FIGURES = "is not in the figures"
"""Words of a note about somebody who could not answer: the next run asks again."""


def _seen(load: Load) -> list:
    """How what is stored of the items has to have been made."""
    motion, encode = load("params:motion"), load("params:encode")
    return [motion.model_dump(mode="json"), encode.model_dump(mode="json", include={"frame_encoder", "mask"})]


def _answering(load: Load) -> list:
    evaluate = load("params:evaluate")
    return [*_seen(load), evaluate.batch_size, evaluate.max_new_tokens]


def _conversing(load: Load) -> list:
    return [*_answering(load), load("params:evaluate").conversations.max_items, load("params:seed")]


def _baselines(load: Load) -> list:
    baselines = load("params:evaluate").baselines
    files = {name: path_sha256(folder, RECORDS) for name, folder in baselines.models.items()}
    files |= {name: path_sha256(path) for name, path in baselines.answers.items()}
    files |= {name: _source_sha256(model.source, model.revision) for name, model in baselines.video_models.items()}
    return [*_answering(load), baselines.model_dump(mode="json"), files]


def _source_sha256(source: str, revision: str | None) -> str | None:
    """Of the files of a pretrained model; None where it is not on this machine."""
    from hawk_pipelines.model.sources import locate

    try:
        return path_sha256(locate(source, revision))
    except HawkError:
        return None


def _judge(load: Load) -> list | None:
    judge = load("params:evaluate").judge
    return None if judge is None else [judge.model_dump(mode="json"), _prompts_sha256(judge.prompts)]


def _prompts_sha256(folder: Path) -> str | None:
    return path_sha256(folder)


def _windows(load: Load) -> list:
    return [*_seen(load), load("params:when").model_dump(mode="json"), load("params:seed")]


def _report(load: Load) -> list:
    return [load("params:encode").mask, load("params:evaluate").examples]


def _everybody_answered(load: Load) -> bool:
    return not any(NOT_IN_THE_FIGURES in note for note in load("baseline_notes"))


def _everything_judged(load: Load) -> bool:
    return not any(judgement.outcome in ("broken", "refused") for judgement in load("judgements"))


EVALUATION_STEPS = {
    "ask_test_items": Reusable(1, writes=("questions_to_answer",)),
    "answer_questions": Reusable(1, _answering),
    "answer_in_conversations": Reusable(1, _conversing),
    "answer_as_baselines": Reusable(1, _baselines, settled=_everybody_answered),
    "judge_answers": Reusable(2, _judge, settled=_everything_judged),
    "score_answers": Reusable(1),
    "score_windows": Reusable(1, _windows),
    "select_headline": Reusable(1),
    "report_evaluation": Reusable(2, _report),
}
"""By the name of their node."""

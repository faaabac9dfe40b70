import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.schema import (
    Annotation,
    AnomalyScore,
    Asked,
    EvaluationDifference,
    EvaluationScore,
    Judgement,
    LlmCall,
    Prediction,
    Sample,
    StoredItem,
    Truth,
    Video,
)
from hawk_pipelines.video.streams import StreamParameters

if TYPE_CHECKING:
    from hawk_pipelines.training.features import Features

logger = logging.getLogger(__name__)


def ask_test_items(
    test_samples: list[Sample], annotations: list[Annotation], videos: list[Video], questions: Path
) -> list[Asked]:
    """What is asked, also as a file for models that are run elsewhere."""
    from hawk_pipelines.evaluation.asked import asked
    from hawk_pipelines.evaluation.predictions_file import write_questions

    found = asked(test_samples, annotations, videos)
    write_questions(questions, found, annotations, videos)
    return found


def answer_questions(
    model_folder: Path,
    asked: list[Asked],
    test_samples: list[Sample],
    features: list[StoredItem],
    feature_store: ItemStore,
    motion: StreamParameters,
    encode: EncodeParameters,
    parameters: EvaluateParameters,
) -> list[Prediction]:
    """What the model answers about every test item that has features."""
    from hawk_pipelines.evaluation.asked import HAWK
    from hawk_pipelines.training.features import Features, with_features

    tested = {one.item_id for one in asked}
    seen = Features([item for item in features if item.item_id in tested], feature_store)
    with_features(test_samples, seen)
    return answers_of(model_folder, [one for one in asked if one.item_id in seen], seen, motion, encode, parameters, HAWK)


def answer_as_baselines(
    asked: list[Asked],
    train_samples: list[Sample],
    annotations: list[Annotation],
    frames: list[StoredItem],
    frame_store: ItemStore,
    features: list[StoredItem],
    feature_store: ItemStore,
    motion: StreamParameters,
    encode: EncodeParameters,
    parameters: EvaluateParameters,
) -> tuple[list[Prediction], list[str]]:
    """What others answer to the same; and what has to be said of them. One that cannot answer costs no other."""
    from hawk_pipelines.evaluation import predictions_file
    from hawk_pipelines.evaluation.baselines import constant_answers, nearest_neighbour
    from hawk_pipelines.training.features import Features

    told = parameters.baselines
    seen = Features(features, feature_store)
    predictions: list[Prediction] = []
    notes: list[str] = []
    if told.constant:
        predictions += constant_answers(asked, train_samples)
    if told.nearest_neighbour:
        train = sorted({sample.item_id for sample in train_samples if sample.item_id in seen})
        test = sorted({one.item_id for one in asked if one.item_id in seen})
        predictions += nearest_neighbour(asked, train_samples, _vectors(train, seen), _vectors(test, seen))
    answerable = [one for one in asked if one.item_id in seen]
    for name, folder in told.models.items():
        try:
            predictions += answers_of(folder, answerable, seen, motion, encode, parameters, name)
        except HawkError as error:
            notes.append(f"{name} ({folder}) is not in the figures. {error}")
    for name, model in told.video_models.items():
        from hawk_pipelines.evaluation.video_models import answer_with_video_model, frames_reader

        try:
            predictions += answer_with_video_model(name, model, asked, frames_reader(frames, frame_store))
        except HawkError as error:
            notes.append(f"{name} ({model.source}) is not in the figures. {error}")
    names = {annotation.item_id: annotation.video for annotation in annotations}
    for name, path in told.answers.items():
        try:
            found = predictions_file.read_predictions(path, asked, names, name)
        except HawkError as error:
            notes.append(f"{name} is not in the figures. {error}")
            continue
        predictions += found.predictions
        notes += [f"{name} ({path}): {note}" for note in predictions_file.notes(found)]
    for note in notes:
        logger.warning("%s", note)
    return predictions, notes


def judge_answers(
    predictions: list[Prediction], others: list[Prediction], parameters: EvaluateParameters, key: SecretStr | None
) -> tuple[list[Judgement], dict, list[LlmCall]]:
    """What a language model makes of the answers, where one is set."""
    from hawk_pipelines.evaluation import judge
    from hawk_pipelines.evaluation.judge_request import read_prompts
    from hawk_pipelines.language.llm import Client
    from hawk_pipelines.language.llm_report import rows
    from hawk_pipelines.pipelines.llm_tracking import track, track_calls

    told = parameters.judge
    if told is None:
        logger.info("%s", judge.NOT_CONFIGURED)
        return [], {"notes": [judge.NOT_CONFIGURED]}, []
    every = [*predictions, *others]
    with Client(told.openai, key, "evaluate.judge.openai") as client:
        try:
            judged = judge.judge(every, client, read_prompts(told.prompts, told.dimensions), told)
        finally:
            calls = rows(client, [one.prediction.item_id for one in judge.questions(every, told)])
            track("judge", client)
            track_calls("judge", calls)
    return judged.judgements, judge.summary(judged) | {"notes": judge.notes(judged)}, calls


def score_answers(
    model_folder: Path,
    asked: list[Asked],
    predictions: list[Prediction],
    others: list[Prediction],
    notes: list[str],
    judgements: list[Judgement],
    judge_summary: dict,
    train_samples: list[Sample],
    truths: list[Truth],
) -> tuple[dict, list[EvaluationScore], list[EvaluationDifference]]:
    """All figures of the model and of those it is compared with."""
    import mlflow

    from hawk_pipelines.evaluation.asked import HAWK
    from hawk_pipelines.evaluation.scores import compare, flat_scores, metrics, score
    from hawk_pipelines.evaluation.statistics import plain
    from hawk_pipelines.serving.provenance import weights_sha256

    scored = {}
    for name in dict.fromkeys(one.model for one in [*predictions, *others]):
        mine = [one for one in [*predictions, *others] if one.model == name]
        scored[name] = score(mine, train_samples, truths, _judged(judgements, name), asked)
    told = metrics(scored[HAWK])
    mlflow.log_metrics(flat_scores(told))
    rows = [EvaluationScore(**plain(one)) for scores in scored.values() for one in scores.scores]
    compared = [compare(scores, scored[HAWK]) for name, scores in scored.items() if name != HAWK]
    differences = [EvaluationDifference(**plain(one)) for few in compared for one in few]
    del told["parts"]  # `scores` has them
    told["notes"] += [*notes, *judge_summary["notes"]]
    return told | {"weights_sha256": weights_sha256(model_folder)}, rows, differences


def report_evaluation(
    metrics: dict,
    scores: list[EvaluationScore],
    differences: list[EvaluationDifference],
    predictions: list[Prediction],
    others: list[Prediction],
    judgements: list[Judgement],
    judge_summary: dict,
    when: dict,
    anomaly_scores: list[AnomalyScore],
    annotations: list[Annotation],
    videos: list[Video],
    frames: list[StoredItem],
    frame_store: ItemStore,
    encode: EncodeParameters,
    parameters: EvaluateParameters,
) -> tuple[str, object, str]:
    """Everything as one page; figures as a picture, and answers beside their references."""
    from hawk_pipelines.evaluation.report import examples_table, page, pictures, plot

    names = {annotation.item_id: annotation.video for annotation in annotations}
    shown = page(
        metrics,
        scores,
        differences,
        predictions,
        others,
        judgements,
        judge_summary,
        names,
        pictures(frame_store, frames, encode.mask),
        parameters.examples,
        when or None,
        anomaly_scores,
        videos,
    )
    return shown, plot(metrics), examples_table(predictions, names, parameters.examples, judgements)


def _judged(judgements: Sequence[Judgement], model: str) -> dict[tuple[str, str, str], dict[str, float | None]]:
    found: dict[tuple[str, str, str], dict[str, float | None]] = {}
    for one in judgements:
        if one.model == model:
            found.setdefault(one.key, {})[one.dimension] = one.score
    return found


def answers_of(
    folder: Path,
    asked: Sequence[Asked],
    seen: "Features",
    motion: StreamParameters,
    encode: EncodeParameters,
    parameters: EvaluateParameters,
    name: str,
) -> list[Prediction]:
    """What a saved model answers, as the settings say."""
    from hawk_pipelines.model.settings import GenerationSettings
    from hawk_pipelines.training.asking import ask_saved

    made_by = seen.made_by(encode.frame_encoder, encode.mask, motion.frames, motion.flow)
    generation = GenerationSettings(max_new_tokens=parameters.max_new_tokens)
    return ask_saved(folder, asked, seen, made_by, parameters.batch_size, generation, name)


def _vectors(items: Sequence[str], seen: "Features") -> dict[str, NDArray]:
    """Of each item the mean of its features over frames and places, both streams one after the other."""
    vectors = {}
    for item in progress(items, "features"):
        tokens = seen.read(item)
        both = [stream.float().mean(dim=(0, 1)).numpy() for stream in (tokens.appearance, tokens.motion)]
        vectors[item] = np.concatenate(both)
    return vectors

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from hawk_pipelines.engine.joins import check_joined
from hawk_pipelines.engine.progress import progress
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.schema import (
    Annotation,
    AnomalyScore,
    Asked,
    ConversationScore,
    ConversationTurn,
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
) -> tuple[list[Prediction], dict]:
    """What the model answers about every test item that has features; and what made these answers."""
    from hawk_pipelines.evaluation.asked import HAWK
    from hawk_pipelines.training.features import Features, with_features

    tested = {one.item_id for one in asked}
    check_joined("asked", tested, "test_samples", {sample.item_id for sample in test_samples}, "item")
    seen = Features([item for item in features if item.item_id in tested], feature_store)
    with_features(test_samples, seen)
    answerable = [one for one in asked if one.item_id in seen]
    made_by = answered_by(model_folder, answerable, features, parameters)
    return answers_of(model_folder, answerable, seen, motion, encode, parameters, HAWK), made_by


def answer_in_conversations(
    model_folder: Path,
    asked: list[Asked],
    features: list[StoredItem],
    feature_store: ItemStore,
    motion: StreamParameters,
    encode: EncodeParameters,
    parameters: EvaluateParameters,
    seed: int,
) -> tuple[list[ConversationTurn], list[str]]:
    """What the model answers when the questions about an item are asked one after another; and why it is not asked so."""
    from hawk_pipelines.evaluation.conversations import converse_with, plan_conversations, select_items
    from hawk_pipelines.model.checkpoint import read_configuration
    from hawk_pipelines.model.settings import GenerationSettings
    from hawk_pipelines.training.features import Features

    max_turns = read_configuration(model_folder).conversation_turns or 1
    if not parameters.conversations.max_items:
        return [], []
    if max_turns < 2:
        note = "The model was trained on single questions, so it is not tested in conversations (`finetune.conversations`)."
        logger.info("%s", note)
        return [], [note]
    seen = Features(features, feature_store)
    answerable = select_items([one for one in asked if one.item_id in seen], parameters.conversations.max_items, seed)
    conversations = plan_conversations(answerable, max_turns, seed)
    made_by = seen.made_by(encode.frame_encoder, encode.mask, motion.frames, motion.flow)
    generation = GenerationSettings(max_new_tokens=parameters.max_new_tokens)
    return converse_with(model_folder, conversations, seen.read, made_by, parameters.batch_size, generation), []


def answered_by(
    model_folder: Path, asked: Sequence[Asked], features: Sequence[StoredItem], parameters: EvaluateParameters
) -> dict[str, str | int]:
    """What decides the answers: the model's weights, what it saw of whatever was asked about, and how long it may answer."""
    from hawk_pipelines.serving.provenance import weights_sha256

    keys = {item.item_id: item.key for item in features}
    seen = json.dumps([[item, keys.get(item)] for item in sorted({one.item_id for one in asked})])
    return {
        "weights_sha256": weights_sha256(model_folder),
        "features_sha256": hashlib.sha256(seen.encode()).hexdigest(),
        "max_new_tokens": parameters.max_new_tokens,
    }


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
    from hawk_pipelines.evaluation.asked import NEIGHBOUR
    from hawk_pipelines.evaluation.baselines import constant_answers
    from hawk_pipelines.training.features import Features

    told = parameters.baselines
    names = {annotation.item_id: annotation.video for annotation in annotations}
    check_joined("asked", (one.item_id for one in asked), "annotations", names, "item")
    seen = Features(features, feature_store)
    answerable = [one for one in asked if one.item_id in seen]
    predictions: list[Prediction] = constant_answers(asked, train_samples) if told.constant else []
    notes: list[str] = []

    def add(who: str, answers: Callable[[], list[Prediction]], unless: str) -> None:
        try:
            found = answers()
        except HawkError as error:
            notes.append(f"{who} is not in the figures. {error}")
            return
        if asked and not found:
            notes.append(f"{who} is not in the figures: {unless}")
        predictions.extend(found)

    encode_first = "run `kedro run --pipelines=motion,encode`, and this again."
    if told.nearest_neighbour:
        unless = f"no item that is asked about has features, or no training item of the same task has; {encode_first}"
        add(NEIGHBOUR, partial(_as_neighbours, answerable, train_samples, seen), unless)
    for name, folder in told.models.items():
        answers = partial(answers_of, folder, answerable, seen, motion, encode, parameters, name)
        add(f"{name} ({folder})", answers, f"no item that is asked about has features; {encode_first}")
    for name, model in told.video_models.items():
        from hawk_pipelines.evaluation.video_models import answer_with_video_model, frames_reader

        answers = partial(answer_with_video_model, name, model, asked, frames_reader(frames, frame_store))
        unless = "no item that is asked about has stored frames; run `kedro run --pipelines=motion`, and this again."
        add(f"{name} ({model.source})", answers, unless)
    for name, path in told.answers.items():
        answers = partial(_from_file, name, path, asked, names, notes)
        add(f"{name} ({path})", answers, "nothing that is asked is answered in it.")
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
    from hawk_pipelines.language.llm_report import insist_on_answers, rows
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
        insist_on_answers(client)
    return judged.judgements, judge.summary(judged) | {"notes": judge.notes(judged)}, calls


def score_answers(
    asked: list[Asked],
    predictions: list[Prediction],
    made_by: dict,
    others: list[Prediction],
    notes: list[str],
    conversation_turns: list[ConversationTurn],
    conversation_notes: list[str],
    judgements: list[Judgement],
    judge_summary: dict,
    train_samples: list[Sample],
    truths: list[Truth],
) -> tuple[dict, list[EvaluationScore], list[EvaluationDifference], list[ConversationScore]]:
    """All figures of the model and of those it is compared with."""
    import mlflow

    from hawk_pipelines.evaluation.asked import HAWK
    from hawk_pipelines.evaluation.conversations import conversation_metrics, conversation_scores
    from hawk_pipelines.evaluation.scores import compare, flat_scores, metrics, score
    from hawk_pipelines.evaluation.scores import notes as notes_of
    from hawk_pipelines.evaluation.statistics import plain

    items = {one.item_id for one in asked}
    check_joined("predictions", (one.item_id for one in predictions), "asked", items, "item")
    check_joined("baseline_predictions", (one.item_id for one in others), "asked", items, "item")
    scored = {}
    for name in dict.fromkeys([HAWK, *(one.model for one in others)]):
        mine = [one for one in [*predictions, *others] if one.model == name]
        scored[name] = score(mine, train_samples, truths, _judged(judgements, name), asked)
    conversation = conversation_scores(conversation_turns, predictions, truths)
    told = metrics(scored[HAWK]) | {"conversation": conversation_metrics(conversation)}
    if mlflow.active_run():
        mlflow.log_metrics(flat_scores(told))
    rows = [EvaluationScore(**plain(one)) for scores in scored.values() for one in scores.scores]
    compared = [compare(scores, scored[HAWK]) for name, scores in scored.items() if name != HAWK]
    differences = [EvaluationDifference(**plain(one)) for few in compared for one in few]
    del told["parts"]  # `scores` has them
    # What is of the references and not of the answers is the same of all, and said once.
    apart = [f"{name}: {note}" for name, one in scored.items() for note in notes_of(one) if note not in told["notes"]]
    told["notes"] += [*apart, *notes, *conversation_notes, *judge_summary["notes"]]
    for note in apart:
        logger.warning("%s", note)
    return told | {"weights_sha256": made_by["weights_sha256"]}, rows, differences, conversation


def select_headline(
    metrics: dict, when: dict, conversation: list[ConversationScore], anomaly_scores: list[AnomalyScore], videos: list[Video]
) -> tuple[dict, list[dict], list[dict]]:
    """What is compared from experiment to experiment."""
    from hawk_pipelines.evaluation.headline import headline, roc_curve, turn_curve

    check_joined("anomaly_scores", (one.video_id for one in anomaly_scores), "videos", {video.id for video in videos})
    return headline(metrics, when), turn_curve(conversation), roc_curve(anomaly_scores, videos)


def report_evaluation(
    metrics: dict,
    scores: list[EvaluationScore],
    differences: list[EvaluationDifference],
    conversation: list[ConversationScore],
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
    check_joined("predictions", (one.item_id for one in predictions), "annotations", names, "item")
    check_joined("baseline_predictions", (one.item_id for one in others), "annotations", names, "item")
    check_joined("anomaly_scores", (one.video_id for one in anomaly_scores), "videos", {video.id for video in videos})
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
        conversation,
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


def _as_neighbours(asked: Sequence[Asked], training: Sequence[Sample], seen: "Features") -> list[Prediction]:
    """What is said of the training items that look most like those that are asked about, all of which have features."""
    from hawk_pipelines.evaluation.baselines import nearest_neighbour

    if not asked:
        return []
    trained = {sample.item_id for sample in training if sample.item_id in seen}
    return nearest_neighbour(asked, training, _vectors(trained, seen), _vectors({one.item_id for one in asked}, seen))


def _vectors(items: Iterable[str], seen: "Features") -> dict[str, NDArray]:
    """What the features of each item come to, of both streams, [4·D] in all: what is seen, and how much it changes.

    The first is their mean over frames and places, which tells pretrained encoders' videos apart. The second is their standard
    deviation over frames, averaged over places. The tiny encoder needs it: its tokens are relative to their frame, so that their
    mean is the same of every video. Places are averaged, since 257 of them for each of thousands of items do not fit in memory.
    """
    vectors = {}
    for item in progress(sorted(items), "features"):
        tokens = seen.read(item)
        parts = []
        for stream in (tokens.appearance.float(), tokens.motion.float()):
            parts += [stream.mean(dim=(0, 1)), stream.std(dim=0, correction=0).mean(dim=0)]
        vectors[item] = np.concatenate([part.numpy() for part in parts])
    return vectors


def _from_file(name: str, path: Path, asked: Sequence[Asked], names: Mapping[str, str], notes: list[str]) -> list[Prediction]:
    """Answers of a model that was run elsewhere; what has to be said of the file is added to the notes."""
    from hawk_pipelines.evaluation import predictions_file

    found = predictions_file.read_predictions(path, asked, names, name)
    # What is missing or empty is told beside the figures, as it is of every model.
    notes += [f"{name} ({path}): {note}" for note in predictions_file.notes(found, without=("missing", "empty"))]
    return found.predictions

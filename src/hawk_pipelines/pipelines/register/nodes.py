import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from hawk_pipelines.engine.joins import check_annotated, check_joined
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.nodes import answered_by, answers_of
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.pipelines.register.parameters import RegisterParameters
from hawk_pipelines.pipelines.register.reuse import deciding_settings, registration_key, told
from hawk_pipelines.schema import Annotation, Asked, EvaluationScore, Prediction, Sample, StoredItem, Video
from hawk_pipelines.video.streams import StreamParameters

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from hawk_pipelines.serving.gate import Decision
    from hawk_pipelines.serving.provenance import TrainedOn, Training
    from hawk_pipelines.serving.registration import Earlier
    from hawk_pipelines.serving.registry import Version

logger = logging.getLogger(__name__)

Ask = Callable[[Path, Sequence[Asked]], list[Prediction]]
"""What a saved model answers to questions."""


class RegisterError(HawkError):
    """Answers that are not those of the model that is to be registered."""


def register_model(
    folder: Path,
    predictions: list[Prediction],
    made_by: dict,
    metrics: dict,
    scores: list[EvaluationScore],
    annotations: list[Annotation],
    videos: list[Video],
    train_samples: list[Sample],
    features: list[StoredItem],
    feature_store: ItemStore,
    motion: StreamParameters,
    encode: EncodeParameters,
    evaluate: EvaluateParameters,
    annotate: AnnotateParameters,
    parameters: RegisterParameters,
) -> dict:
    """Register the model with its card, and give it the alias if it passes the gate."""
    import mlflow

    from hawk_pipelines.evaluation.asked import HAWK
    from hawk_pipelines.model.checkpoint import read_configuration
    from hawk_pipelines.serving import alias, gate, model_card, provenance, registration
    from hawk_pipelines.serving.registry import add_version, describe
    from hawk_pipelines.serving.requirements import requirements

    candidate = [one for one in predictions if one.model == HAWK]
    known = {one.item_id for one in annotations}
    check_joined("predictions", (one.item_id for one in candidate), "annotations", known, "item")
    check_joined("train_samples", (sample.item_id for sample in train_samples), "annotations", known, "item")
    check_annotated(annotations, videos)
    tested = _tested(candidate, annotations, videos)
    _insist_on_its_own_answers(folder, made_by, answered_by(folder, candidate, features, evaluate), metrics)
    recorded = provenance.read_training(folder)
    training = recorded or _training_by_tables(train_samples, annotations, videos)
    trained_on = provenance.trained_on(training)

    def ask(model: Path, asked: Sequence[Asked]) -> list[Prediction]:
        return _answers(model, asked, features, feature_store, motion, encode, evaluate)

    client = mlflow.MlflowClient()
    tables: list[Sequence[BaseModel]] = [predictions, scores, annotations, videos, train_samples]
    settings = deciding_settings(motion, encode, evaluate, annotate, parameters)
    inputs = registration_key(folder, made_by, metrics, tables, settings)
    earlier = registration.find_earlier(client, parameters.name, parameters.alias, inputs, made_by["weights_sha256"])
    resumed = _half_made(earlier, parameters.name, made_by["weights_sha256"])
    version = alias.holder(client, parameters.name, parameters.alias)
    if resumed and version == resumed.number:  # it was given the alias already, and what had it before is compared with it
        version = registration.holder_before(client, parameters.name, parameters.alias, version)
    incumbent, theirs, obstacles = _incumbent(client, parameters.name, version, candidate, tested, trained_on, ask)
    constant = gate.best_constant_answers(candidate, train_samples)
    unanswered = sum(metrics["tasks"].get(task, {}).get("missing", 0) for task in gate.tasks(parameters.metric))
    decision = gate.decide(candidate, incumbent, constant, parameters.alias, parameters, version, obstacles, unanswered)
    remarks = gate.remarks_on(trained_on if recorded else None, theirs, version)
    decision = decision.model_copy(update={"reason": " ".join([decision.reason, *remarks])})

    data, code = provenance.data_version(annotations, Path.cwd()), provenance.code_version(Path.cwd())
    wordings, config = _wordings(annotate, annotations), read_configuration(folder)
    own = {
        registration.GATE: registration.UNFINISHED,
        registration.WEIGHTS: made_by["weights_sha256"],
        registration.INPUTS: inputs,
    }
    added = resumed or add_version(folder, parameters.name, requirements(config), provenance.tags(data, code) | own)
    made = model_card.Made(training, recorded is not None, trained_on, data, code, config, wordings)
    mine = [one for one in scores if one.model == HAWK]
    results = model_card.Results(mine, metrics["notes"], provenance.sources_of(tested))
    card = model_card.model_card(parameters.name, added.number, decision, results, made)
    files = {"README.md": card, "gate.json": decision.model_dump_json(indent=1)}
    if recorded:  # what was only taken for it must not pass for known when another version is compared with this one
        files[provenance.TRAINED_ON] = trained_on.model_dump_json()
    describe(added, files, model_card.card_head(card))
    for name, value in sorted(gate.tags(decision).items(), reverse=True):  # `gate` last: with it all is written but the alias
        client.set_model_version_tag(parameters.name, added.number, name, value)
    _give_alias(client, added, decision, version)
    logger.info("register: version %s of `%s`. %s", added.number, parameters.name, decision.reason)
    return told(parameters.name, added.number, decision)


def _give_alias(client: "MlflowClient", added: "Version", decision: "Decision", version: str | None) -> None:
    """Last of all: whoever finds a version by its alias finds it whole."""
    from hawk_pipelines.serving import alias, registration

    before = version if decision.promoted else alias.holder(client, added.name, decision.alias)
    if registration.is_in_use(client, added.name, decision.alias, added.number):
        return
    try:
        how: alias.How = "forced" if decision.forced else "gate"
        alias.give(client, added.name, decision.alias, added.number, how, decision.reason, before)
    except alias.AliasMoved:
        client.set_model_version_tag(added.name, added.number, registration.GATE, registration.UNFINISHED)
        raise


def _half_made(earlier: "Earlier", name: str, weights: str) -> "Version | None":
    """The version that a run began to register and did not finish, where its files are whole: it is finished now."""
    import mlflow

    from hawk_pipelines.serving.provenance import weights_sha256
    from hawk_pipelines.serving.registry import Version, fetch, weights_in

    for version in earlier.others:
        logger.warning("Version %s of `%s` is half-made, and of other settings or answers; it is left as it is.", version, name)
    if earlier.unfinished is None:
        return None
    number = str(earlier.unfinished.version)
    try:
        files = fetch(f"models:/{name}/{number}", mlflow.get_tracking_uri())
    except HawkError as error:
        logger.warning("Version %s of `%s` is half-made and cannot be finished (%s); it is left as it is.", number, name, error)
        return None
    if weights_sha256(weights_in(files)) != weights:
        logger.warning("Version %s of `%s` is half-made, and its weights are not whole; it is left as it is.", number, name)
        return None
    logger.info("register: version %s of `%s` was begun by a run that ended early, and is finished now.", number, name)
    return Version(name, number, (earlier.unfinished.source or "").removeprefix("models:/"))


def _insist_on_its_own_answers(folder: Path, then: dict, now: dict, metrics: dict) -> None:
    """What is registered is what answered, and the version that has the alias is asked about the same and may say as much."""
    again = "run `kedro run --pipelines=evaluate,register`."
    if {then.get("weights_sha256"), metrics.get("weights_sha256")} != {now["weights_sha256"]}:
        msg = f"`predictions` and `metrics` are of another model than {folder}; {again}"
        raise RegisterError(msg)
    if then.get("features_sha256") != now["features_sha256"]:
        msg = f"The features of the test items are not those that `predictions` were made from; {again}"
        raise RegisterError(msg)
    if then.get("max_new_tokens") != now["max_new_tokens"]:
        was, would = then.get("max_new_tokens"), now["max_new_tokens"]
        msg = f"`predictions` were made with `evaluate.max_new_tokens` {was}, which is {would} now; set it back, or {again}"
        raise RegisterError(msg)


def _incumbent(
    client: "MlflowClient",
    name: str,
    version: str | None,
    candidate: Sequence[Prediction],
    tested: Sequence[Video],
    trained_on: "TrainedOn",
    ask: Ask,
) -> tuple[list[Prediction] | None, "TrainedOn | None", list[str]]:
    """What the version that has the alias answers to the same questions, or why it cannot be compared; and what it saw."""
    import mlflow

    from hawk_pipelines.serving import gate, provenance
    from hawk_pipelines.serving.registry import fetch, weights_in

    groups = {video.id: video.group for video in tested}
    if version is None:
        return None, None, gate.obstacles_to(groups, trained_on)
    theirs = None
    try:
        files = fetch(f"models:/{name}/{version}", mlflow.get_tracking_uri())
        theirs = provenance.read_trained_on(files)
        obstacles = gate.obstacles_to(groups, trained_on, theirs, version)
        registered = client.get_model_version(name, version).tags.get("weights_sha256")
        if registered not in (None, provenance.weights_sha256(weights_in(files))):
            obstacles.append(f"The weights of version {version} of `{name}` are not those that were registered.")
        return (None, theirs, obstacles) if obstacles else (ask(weights_in(files), candidate), theirs, [])
    except (HawkError, ImportError) as error:  # an optional package that it needs may be gone, too
        why = f"Version {version} of `{name}` cannot be asked any more: {' '.join(str(error).split()).rstrip('.')}."
        return None, theirs, [why]


def _answers(
    model: Path,
    asked: Sequence[Asked],
    features: Sequence[StoredItem],
    feature_store: ItemStore,
    motion: StreamParameters,
    encode: EncodeParameters,
    evaluate: EvaluateParameters,
) -> list[Prediction]:
    from hawk_pipelines.training.features import Features

    wanted = {one.item_id for one in asked}
    seen = Features([item for item in features if item.item_id in wanted], feature_store)
    return answers_of(model, asked, seen, motion, encode, evaluate, "incumbent")


def _tested(candidate: Sequence[Prediction], annotations: Sequence[Annotation], videos: Sequence[Video]) -> list[Video]:
    """The videos that are tested on."""
    of_item = {one.item_id: one.video_id for one in annotations}
    ids = {of_item[one.item_id] for one in candidate}
    return [video for video in videos if video.id in ids]


def _training_by_tables(samples: Sequence[Sample], annotations: Sequence[Annotation], videos: Sequence[Video]) -> "Training":
    """The videos that a model was trained on for all that is known here, where its folder does not say."""
    from hawk_pipelines.serving.provenance import training_of

    return training_of("unknown", 0, 0, len(samples), {sample.item_id for sample in samples}, annotations, videos)


def _wordings(annotate: AnnotateParameters, annotations: Sequence[Annotation]) -> dict[str, str]:
    """Hashes of the words in which a description is requested, of the question pool, and of what a language model was told."""
    from hawk_pipelines.language.requests import DESCRIPTION_REQUESTS

    requests = hashlib.sha256(json.dumps(DESCRIPTION_REQUESTS).encode()).hexdigest()
    found = {f"requests for a description ({len(DESCRIPTION_REQUESTS)} wordings)": requests}
    if annotate.questions.is_file():
        found[f"questions ({annotate.questions.name})"] = hashlib.sha256(annotate.questions.read_bytes()).hexdigest()
    prompts = {prompt for one in annotations if one.written for prompt in one.written.prompts.items()}
    return found | {f"prompt of the drafts ({name}, {value[:8]})": value for name, value in sorted(prompts)}

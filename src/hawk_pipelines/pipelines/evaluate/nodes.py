from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.progress import progress
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Annotation, Prediction, Sample, StoredItem, Truth, Video
from hawk_pipelines.video.streams import StreamParameters


class EvaluateParameters(BaseModel):
    """How the model is asked and what is shown."""

    model_config = ConfigDict(extra="forbid")

    batch_size: int = Field(default=64, ge=1)
    max_new_tokens: int = Field(default=64, ge=1, le=1024)
    """An answer is cut off after so many tokens."""
    examples: int = Field(default=40, ge=1)
    """Rows of the table of examples."""


def evaluate_model(
    model_folder: Path,
    annotations: list[Annotation],
    videos: list[Video],
    train_samples: list[Sample],
    test_samples: list[Sample],
    features: list[StoredItem],
    feature_store: ItemStore,
    truths: list[Truth],
    motion: StreamParameters,
    encode: EncodeParameters,
    parameters: EvaluateParameters,
) -> tuple[list[Prediction], dict, object, str]:
    """Ask the model everything about the test items and score its answers."""
    import mlflow

    from hawk_pipelines.evaluation.asked import asked
    from hawk_pipelines.evaluation.report import examples_table, plot
    from hawk_pipelines.evaluation.scores import flat_scores, score
    from hawk_pipelines.model.answering import Query, answer, watch
    from hawk_pipelines.model.checkpoint import check_features, load
    from hawk_pipelines.model.settings import GenerationSettings
    from hawk_pipelines.training.features import Features, with_features

    tested = {sample.item_id for sample in test_samples}
    seen = Features([item for item in features if item.item_id in tested], feature_store)
    samples = with_features(test_samples, seen)
    parts = load(model_folder)
    check_features(parts.model, seen.made_by(encode.frame_encoder, encode.mask, motion.frames, motion.flow))
    generation = GenerationSettings(max_new_tokens=parameters.max_new_tokens)
    questions = asked(samples, annotations, videos)
    predictions = []
    for start in progress(range(0, len(questions), parameters.batch_size), "evaluate"):
        batch = questions[start : start + parameters.batch_size]
        tokens = [seen.read(one.item_id) for one in batch]
        queries = [Query(one.question) for one in batch]
        answers = answer(parts, watch(parts.model, tokens), queries, [one.times_s for one in tokens], generation)
        predictions += [
            Prediction(**one.model_dump(), model="hawk", answer=text) for one, text in zip(batch, answers, strict=True)
        ]
    names = {annotation.item_id: annotation.video for annotation in annotations}
    metrics = score(predictions, train_samples, truths)
    mlflow.log_metrics(flat_scores(metrics))
    return predictions, metrics, plot(metrics), examples_table(predictions, names, parameters.examples)

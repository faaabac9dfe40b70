"""A saved model, asked about stored features."""

from collections.abc import Sequence
from pathlib import Path

from hawk_pipelines.evaluation.answers import answer_all
from hawk_pipelines.model.checkpoint import FeatureFacts, check_features, load
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import Asked, Prediction
from hawk_pipelines.training.features import Features


def ask_saved(
    folder: Path,
    asked: Sequence[Asked],
    features: Features,
    made_by: FeatureFacts,
    batch_size: int,
    generation: GenerationSettings,
    name: str,
) -> list[Prediction]:
    """What the model in a folder answers.

    Args:
        folder: of a saved model.
        asked: about items that have features.
        features: of these items, at least.
        made_by: how they were made (`Features.made_by`).
        batch_size: see `answer_all`.
        generation: how is answered.
        name: who answers.

    Raises:
        CheckpointError: there is no such model, or it was trained on features that were made in another way.
    """
    parts = load(folder)
    check_features(parts.model, made_by)
    return answer_all(parts, asked, features.read, batch_size, generation, name)

from pathlib import Path

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.stage import StageInput, annotated_samples, train_stage
from hawk_pipelines.schema import Annotation, Pair, Sample, StoredItem, Video
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.video.streams import StreamParameters


def finetune_model(
    samples: list[Sample],
    pairs: list[Pair],
    annotations: list[Annotation],
    videos: list[Video],
    features: list[StoredItem],
    feature_store: ItemStore,
    trainings: Path,
    former: Path | None,
    pretrained: Path | None,
    motion: StreamParameters,
    encode: EncodeParameters,
    model: ModelSettings,
    parameters: FinetuneParameters,
    seed: int,
) -> Path:
    """Stage 2: learn to describe anomalies and to answer questions about them."""
    given = StageInput(annotated_samples(samples, pairs), annotations, videos, features, feature_store, trainings)
    return train_stage("finetune", given, former, pretrained, motion, encode, model, parameters, seed)

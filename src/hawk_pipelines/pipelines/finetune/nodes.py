import logging
from pathlib import Path

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.stage import StageInput, train_stage
from hawk_pipelines.schema import Annotation, Pair, Sample, StoredItem, Video
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.video.streams import StreamParameters

logger = logging.getLogger(__name__)


def finetune_model(
    samples: list[Sample],
    pairs: list[Pair],
    annotations: list[Annotation],
    videos: list[Video],
    features: list[StoredItem],
    feature_store: ItemStore,
    trainings: Path,
    pretrained: Path | None,
    motion: StreamParameters,
    encode: EncodeParameters,
    model: ModelSettings,
    parameters: FinetuneParameters,
    seed: int,
) -> Path:
    """Stage 2: learn to describe anomalies and to answer questions about them.

    Items of which nothing but captions is known are for stage 1; they are left out unless there is nothing else.
    """
    captioned = {pair.item_id for pair in pairs}
    annotated = [sample for sample in samples if sample.item_id not in captioned]
    if annotated and len(annotated) < len(samples):
        logger.info("finetune: %d samples of captioned items are left to pretraining.", len(samples) - len(annotated))
    given = StageInput(annotated or samples, annotations, videos, features, feature_store, trainings)
    return train_stage("finetune", given, pretrained, motion, encode, model, parameters, seed)

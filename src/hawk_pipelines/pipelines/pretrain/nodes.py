from pathlib import Path

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.stage import StageInput, train_stage
from hawk_pipelines.schema import Annotation, Pair, Sample, StoredItem, Video
from hawk_pipelines.training.parameters import PretrainParameters
from hawk_pipelines.video.streams import StreamParameters


def pretrain_model(
    pairs: list[Pair],
    annotations: list[Annotation],
    videos: list[Video],
    features: list[StoredItem],
    feature_store: ItemStore,
    trainings: Path,
    former: Path | None,
    motion: StreamParameters,
    encode: EncodeParameters,
    model: ModelSettings,
    parameters: PretrainParameters,
    seed: int,
) -> Path:
    """Stage 1: learn to say what a video shows, and its motion text, from captioned videos of the train split."""
    from hawk_pipelines.language.requests import CAPTION_REQUESTS

    samples = [
        Sample(
            item_id=pair.item_id,
            task="description",
            question=CAPTION_REQUESTS[0],
            answer=pair.caption,
            motion_text=pair.motion_text,
        )
        for pair in pairs
        if pair.split == "train"
    ]
    given = StageInput(samples, annotations, videos, features, feature_store, trainings)
    return train_stage("pretrain", given, former, None, motion, encode, model, parameters, seed)

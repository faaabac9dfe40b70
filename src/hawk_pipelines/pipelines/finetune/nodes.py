import atexit
import logging
import shutil
import tempfile
from pathlib import Path

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import Sample, StoredItem
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.training.tracking import flat
from hawk_pipelines.video.streams import StreamParameters

logger = logging.getLogger(__name__)


def finetune_model(
    samples: list[Sample],
    features: list[StoredItem],
    feature_store: ItemStore,
    motion: StreamParameters,
    encode: EncodeParameters,
    model: ModelSettings,
    parameters: FinetuneParameters,
    seed: int,
) -> Path:
    """Train a model on the samples whose features are there, in an MLflow run of its own below this one."""
    import mlflow

    from hawk_pipelines.model.checkpoint import FeatureFacts, Parts, save
    from hawk_pipelines.training.build import build_model, build_tokenizer
    from hawk_pipelines.training.data import encoder_sha256, load_tokens, usable_samples
    from hawk_pipelines.training.trainer import train

    tokens = load_tokens(features, feature_store)
    usable = usable_samples(samples, tokens)
    sha256 = encoder_sha256(features, feature_store)
    facts = FeatureFacts(encode.frame_encoder, sha256, encode.mask, motion.frames, motion.flow)
    width = tokens[usable[0].item_id][0].appearance.shape[-1]
    tokenizer = build_tokenizer(usable, model)
    parts = Parts(build_model(model, parameters.losses, facts, width, tokenizer, seed), tokenizer)
    folder = Path(tempfile.mkdtemp(prefix="hawk_finetune_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # the catalog copies the model when this node is done
    settings = {"finetune": parameters, "model": model, "encode": encode, "motion": motion}
    with mlflow.start_run(run_name="finetune", nested=True, tags={"stage": "finetune"}):
        mlflow.log_params(flat(settings) | {"seed": seed})
        loss = train(parts, usable, tokens, parameters, seed, folder / "trainer")
        save(folder / "model", *parts)
        mlflow.log_artifacts(str(folder / "model"), "model")
    logger.info("finetune: %d steps over %d samples, mean loss %.3f.", parameters.steps, len(usable), loss)
    return folder / "model"

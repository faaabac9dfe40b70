"""What decides the registration besides the tables that it reads, and whether its version is still in the registry."""

from hawk_pipelines.engine.finished import path_sha256
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.pipelines.register.parameters import RegisterParameters
from hawk_pipelines.pipelines.reuse import Load, Reusable
from hawk_pipelines.serving.registration import REGISTRATION_VERSION
from hawk_pipelines.video.streams import StreamParameters


def deciding_settings(
    motion: StreamParameters,
    encode: EncodeParameters,
    evaluate: EvaluateParameters,
    annotate: AnnotateParameters,
    parameters: RegisterParameters,
) -> list:
    """What of the settings decides a version, its decision and its card."""
    return [
        motion.model_dump(mode="json"),
        encode.model_dump(mode="json", include={"frame_encoder", "mask"}),
        [evaluate.batch_size, evaluate.max_new_tokens],
        path_sha256(annotate.questions),
        parameters.model_dump(mode="json"),
    ]


def _settings(load: Load) -> list:
    sections = (load(f"params:{name}") for name in ("motion", "encode", "evaluate", "annotate", "register"))
    return [deciding_settings(*sections), path_sha256(load("finetuned_model") / "training.json")]


def _in_the_registry(load: Load, _: str) -> bool:
    """The version is there, with the gate's decision; one that was forced has its alias still, or it is forced once more."""
    import mlflow

    from hawk_pipelines.serving.registration import is_in_use, is_registered

    registered, parameters, client = load("registered_model"), load("params:register"), mlflow.MlflowClient()
    name, version = registered["name"], registered["version"]
    if not is_registered(client, name, version):
        return False
    return parameters.force is None or is_in_use(client, name, registered["alias"], version)


REGISTRATION_STEPS = {"register_model": Reusable(REGISTRATION_VERSION, _settings, holds=_in_the_registry)}
"""By the name of their node."""

"""What a registered version needs installed to be loaded and asked, and no more. Its own code is carried with it."""

from importlib.metadata import packages_distributions, version
from pathlib import Path

from hawk_pipelines.model.checkpoint import frame_encoder_settings
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.settings import LanguageModelSettings
from hawk_pipelines.model.sources import PACKAGE

ALWAYS = (
    "av",
    "huggingface-hub",
    "jinja2",
    "mlflow",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pydantic",
    "safetensors",
    "torch",
    "transformers",
)
"""What the modules import that load a model and answer; tests/serving/test_standing_alone.py holds this list to them."""


def requirements(config: HawkConfig) -> list[str]:
    """Packages with the versions that are in use here, as pip takes them.

    Args:
        config: of the model: its parts may lie in packages, or need one to be read.
    """
    names = {*ALWAYS, *_of_language_model(config), *_of_frame_encoder(config)}
    return [f"{name}=={version(name).split('+')[0]}" for name in sorted(names)]  # without the build, such as `+cpu`


def _of_language_model(config: HawkConfig) -> list[str]:
    settings = LanguageModelSettings.model_validate(config.language_model or {})
    adapters = ["peft"] if settings.lora is not None else []
    if settings.source is None or config.language_model_saved:
        return adapters
    readers = {"gguf": settings.gguf_file, "bitsandbytes": settings.four_bit}
    return [*adapters, *_package_of(settings.source), *(name for name, needed in readers.items() if needed)]


def _of_frame_encoder(config: HawkConfig) -> list[str]:
    settings = frame_encoder_settings(config)
    reader = ["efficientnet-lite-pytorch"] if settings.kind == "efficientnet_lite0" else []
    return [*reader, *_package_of(str(getattr(settings, "source", "")))]


def _package_of(source: str) -> list[str]:
    """The distribution that a pretrained part lies in; none where it is a folder or on the model hub."""
    if not source.startswith(PACKAGE):
        return []
    module = Path(source.removeprefix(PACKAGE)).parts[0]
    return packages_distributions().get(module, [])[:1]

"""What the settings of each variant come to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.ablate.parameters import AblateParameters
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.parameter_check import ParameterError, check_parameters
from hawk_pipelines.training.parameters import FinetuneParameters


class Variant(NamedTuple):
    """The settings that decide a training."""

    model: ModelSettings
    finetune: FinetuneParameters
    encode: EncodeParameters


def variants(
    parameters: AblateParameters, model: ModelSettings, finetune: FinetuneParameters, encode: EncodeParameters
) -> dict[str, Variant]:
    """The settings of every variant, by name.

    Raises:
        ParameterError: a variant has a setting that is unknown or of the wrong kind.
    """
    given = {"model": model, "finetune": finetune, "encode": encode}
    found = {}
    for name, changes in parameters.variants.items():
        try:
            found[name] = _changed(given, parameters.common | changes)
        except ParameterError as error:
            msg = f"The variant `{name}` of `ablate` cannot be. {error}"
            raise ParameterError(msg) from error
    return found


def _changed(given: Mapping[str, BaseModel], changes: Mapping[str, Any]) -> Variant:
    told: dict[str, Any] = {name: section.model_dump(mode="json") for name, section in given.items()}
    for setting, value in changes.items():
        *above, last = setting.split(".")
        place = told
        for depth, part in enumerate(above, start=1):
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                msg = f"It sets `{setting}`, but `{'.'.join(above[:depth])}` is {place!r} and has nothing in it."
                raise ParameterError(msg)
        place[last] = value
    check_parameters(told, {name: type(section) for name, section in given.items()})
    return Variant(*(type(section).model_validate(told[name]) for name, section in given.items()))  # type: ignore[arg-type]

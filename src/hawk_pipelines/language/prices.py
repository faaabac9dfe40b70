"""What tokens cost: the price table, a YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hawk_pipelines.errors import HawkError


class PriceError(HawkError):
    """A price table that cannot be used, or a model without a price."""


class Price(BaseModel):
    """What a model costs, in US dollars for a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of input tokens that the server had seen before; None: as any other."""
    batch: float = Field(default=0.5, ge=0, le=1, allow_inf_nan=False)
    """What a batch costs, as a share of the same requests one by one."""


class Tokens(NamedTuple):
    """How much was read and written."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    """Of `input`, what the server had seen before."""

    def __add__(self, other: "Tokens") -> "Tokens":  # type: ignore[override]
        return Tokens(*(mine + its for mine, its in zip(self, other, strict=True)))


def price_of(path: Path, model: str) -> Price:
    """The price of a model.

    Raises:
        PriceError: the table cannot be read, or has no such model.
    """
    table = _read(path)
    if model not in table:
        known = ", ".join(table)
        msg = f"{path} has no price for the model {model!r} (it has {known}); add a line for it, with 0 where it is free."
        raise PriceError(msg)
    return table[model]


def cost_usd(price: Price, tokens: Tokens, batch: bool = False) -> float:
    """What tokens cost, in US dollars."""
    cached = price.input if price.cached_input is None else price.cached_input
    fresh = tokens.input - tokens.cached_input
    millionths = fresh * price.input + tokens.cached_input * cached + tokens.output * price.output
    return millionths * (price.batch if batch else 1) / 1e6


def _read(path: Path) -> Mapping[str, Price]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Price]).validate_python(content)
    except FileNotFoundError as error:
        msg = f"There is no price table {path}; put it there or name another (`prices`)."
        raise PriceError(msg) from error
    except ValidationError as error:
        fault = error.errors()[0]
        msg = f"{path} has a fault at {'.'.join(map(str, fault['loc'])) or 'its top'}: {fault['msg']}."
        raise PriceError(msg) from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        msg = f"{path} cannot be read as YAML ({' '.join(str(error).split())})."
        raise PriceError(msg) from error

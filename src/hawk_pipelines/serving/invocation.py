"""What a registered model takes and gives through MLflow, and what it refuses.

MLflow drops columns and parameters that it does not know, with a warning in the server's log: with `questions` instead of
`question` a client would get descriptions and never know. They are refused here instead, before MLflow sees them.
"""

import functools
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

import mlflow.pyfunc
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from pydantic import FiniteFloat, ValidationError, model_validator

from hawk_pipelines.errors import HawkError
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.plain_text import printable


class InvocationError(HawkError):
    """A request that the model cannot answer a row of."""


class InvocationParameters(GenerationSettings):
    """How all rows of a request are answered: those of `hawk ask`."""

    span: tuple[FiniteFloat, FiniteFloat] | None = None
    """Seconds [start, end) of each video to look at; None for the whole video."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.span and not 0 <= self.span[0] < self.span[1]:
            msg = "span is [start, end) in seconds, with 0 ≤ start < end"
            raise ValueError(msg)
        return self


_DEFAULT = GenerationSettings()
SIGNATURE = ModelSignature(
    Schema([ColSpec("string", "video"), ColSpec("string", "question", required=False)]),
    Schema([ColSpec("string", "answer", required=False), ColSpec("string", "error", required=False)]),
    ParamSchema(
        [
            ParamSpec("span", "double", [], (-1,)),  # MLflow has no list that may be missing: an empty one is the whole video
            ParamSpec("max_new_tokens", "long", _DEFAULT.max_new_tokens),
            ParamSpec("beams", "long", _DEFAULT.beams),
            ParamSpec("temperature", "double", _DEFAULT.temperature),
            ParamSpec("top_p", "double", _DEFAULT.top_p),
            ParamSpec("seed", "long", _DEFAULT.seed),
        ]
    ),
)
"""Rows of `video` (a path) and `question` (empty or missing: a description is wanted); rows of `answer` and `error`, of which one
is null; and the parameters of all rows."""


def invocation_parameters(params: Mapping[str, Any] | None) -> InvocationParameters:
    """The parameters of a request.

    Args:
        params: by name; what is missing has its default.

    Raises:
        InvocationError: one is unknown or has an impossible value.
    """
    params = _without_nulls(params)
    _check_known("parameter", params, InvocationParameters.model_fields)
    try:
        if len(params.get("span", ())) == 0:
            params["span"] = None
        text = json.dumps(params, default=lambda value: value.tolist())  # numbers and arrays of numpy
        return InvocationParameters.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = next(iter(first["loc"]), "span")
        msg = f"The parameter `{name}` cannot be {params[str(name)]!r}: {first['msg'].removeprefix('Value error, ')}."
    except (TypeError, AttributeError, ValueError):
        msg = f"The parameters {params!r} cannot be read; give numbers, and `span` as [start, end]."
    raise InvocationError(printable(msg))


def _without_nulls(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters that have a value: null means the default."""
    if not isinstance(params or {}, Mapping):
        msg = f"`params` is a {type(params).__name__}; give an object with any of {_names(InvocationParameters.model_fields)}."
        raise InvocationError(msg)
    return {name: value for name, value in (params or {}).items() if value is not None}


def check_columns(names: Collection[Any]) -> None:
    """Refuse a table without videos, or with a column that nothing would be done with.

    Raises:
        InvocationError: with what is missing or unknown.
    """
    columns = SIGNATURE.inputs.input_names()
    _check_known("column", names, columns)
    if "video" not in names:
        has = f"only {_names(names)}" if names else "nothing"
        msg = f"The input has no column `video` (a path), but {has}; give {_names(columns)}."
        raise InvocationError(msg)


def _check_known(what: str, names: Collection[Any], known: Collection[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = f"There is no {what} {_names(unknown)}; there are {_names(known)}."
        raise InvocationError(printable(msg))


def _names(names: Collection[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def refuse_what_mlflow_drops() -> None:
    """Check requests to models of this signature before MLflow does; models of others are left alone.

    Afterwards such a request raises an `MlflowException` (status 400 of a server) that says what is wrong.
    """
    pyfunc: Any = mlflow.pyfunc
    validate = pyfunc._validate_prediction_input
    if not hasattr(validate, "__wrapped__"):
        pyfunc._validate_prediction_input = _checking(validate)


def _checking(validate: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(validate)
    def checked(data: Any, params: Any, input_schema: Any, params_schema: Any, flavor: Any = None) -> Any:
        if params_schema == SIGNATURE.params and input_schema == SIGNATURE.inputs:
            try:
                params = _without_nulls(params)
                invocation_parameters(params)
                data = _table(data)
            except HawkError as error:
                raise MlflowException.invalid_parameter_value(str(error)) from error
        return validate(data, params, input_schema, params_schema, flavor)

    return checked


def _table(data: Any) -> Any:
    """The input with columns of objects: what is no path is the matter of its row. What is no table is left to MLflow."""
    if isinstance(data, Mapping) or (isinstance(data, list) and all(isinstance(row, Mapping) for row in data)):
        rows = [data] if isinstance(data, Mapping) and not any(_is_column(value) for value in data.values()) else data
        try:
            data = pd.DataFrame(rows, dtype=object)  # pandas' own texts take no half characters
        except ValueError as error:
            msg = f"The columns of the input make no table: {error}."
            raise InvocationError(msg) from error
    if not isinstance(data, pd.DataFrame):
        return data
    check_columns(list(data.columns))
    return data.astype(object)


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))

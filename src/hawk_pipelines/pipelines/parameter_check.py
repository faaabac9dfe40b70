"""Settings are checked before anything runs: every fault, its place, and what to do."""

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from hawk_pipelines.errors import HawkError

SEED: Any = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""The kind of the setting `seed`: what NumPy and the trainer take, too."""


class ParameterError(HawkError):
    """A setting that is unknown or of the wrong kind."""


def check_parameters(parameters: dict[str, Any], types: dict[str, type]) -> None:
    """Refuse parameters that no pipeline reads or that are of the wrong kind.

    Raises:
        ParameterError: with every fault, its place and what to do.
    """
    unknown = [name for name in parameters if name not in types]
    faults = [f"`{name}` is read by no pipeline; {_hint(name, list(types))}" for name in unknown]
    for name, kind in types.items():
        if name not in parameters:
            faults.append(f"`{name}` is missing; add it to conf/base/parameters_{name}.yml")
            continue
        try:
            TypeAdapter(kind).validate_python(
                parameters[name], strict=None if _is_model(kind) else True
            )  # a node gets it as it is
        except ValidationError as error:
            faults += [_fault(name, kind, one) for one in error.errors()]
    if faults:
        told = "; ".join(faults)
        msg = f"Settings (conf/*/parameters*.yml or --params): {told}{'' if told.endswith('?') else '.'}"
        raise ParameterError(msg)


def check_versions(versions: Iterable[str], catalog: Mapping[str, Any]) -> None:
    """Refuse versions of data sets of which Kedro keeps none: it would load what is there, without a word.

    Args:
        versions: names of data sets, of which `--load-versions` gives one.
        catalog: how each is described.

    Raises:
        ParameterError: with the first such name.
    """
    for name in versions:
        if not (catalog.get(name) or {}).get("versioned"):
            msg = f"Kedro keeps no versions of `{name}`: leave --load-versions out. `dvc checkout` brings earlier data back."
            raise ParameterError(msg)


def _fault(name: str, kind: Any, error: Any) -> str:
    path, above = [name], kind
    for part in error["loc"]:
        choices = [getattr(one, "__origin__", one) for one in get_args(kind)]  # of a union, without what annotates it
        chosen = [one for one in choices if _is_model(one) and one.model_fields.get("kind", _NO_KIND).default == part]
        if chosen:  # the part says which of the union was meant; the user wrote no such name
            kind = chosen[0]
            continue
        if _names_a_choice(part, kind, choices):
            kind = object
            continue
        kind = next(filter(_is_model, choices), kind)
        path.append(str(part))
        above = kind
        if _is_model(kind) and part in kind.model_fields:
            kind = kind.model_fields[part].annotation
    place = ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"`{place}` is unknown; {_hint(path[-1], list(above.model_fields) if _is_model(above) else [])}"
    if error["type"] == "union_tag_invalid":
        context = error["ctx"]
        return f"`{place}.kind` is '{context['tag']}', but it is one of {context['expected_tags']}"
    if error["type"] == "missing":
        return f"`{place}` is missing"
    reason = error["msg"].removeprefix("Value error, ").replace(" for <class 'pathlib.Path'>", "")
    if error["type"] in _WANT_TEXT and isinstance(error["input"], int | float):  # also true and false
        text = json.dumps(json.dumps(error["input"]))
        reason += f"; as a text it is {text} in a file, and --params {shlex.quote(f'{place}={text}')} on the command line"
    if isinstance(error["input"], dict) and error["type"] == "value_error":  # a check of several settings names those it is about
        return f"`{place}`: {reason[:1].lower()}{reason[1:]}"
    return f"`{place}` is {shown(error['input'])}, but {reason[:1].lower()}{reason[1:]}"


def _names_a_choice(part: object, kind: Any, choices: list[Any]) -> bool:
    """Whether a part of a place is pydantic's name for a kind of value, such as `str` of `str | list[str]`."""
    several = get_origin(kind) in (Union, UnionType) and len([one for one in choices if one is not type(None)]) > 1
    return several and isinstance(part, str) and not any(_is_model(one) and part in one.model_fields for one in choices)


def shown(value: object) -> str:
    """A setting as it may be printed: without the password and the query of an address."""
    return re.sub(r"(?<=://)[^/@\s]*@", "…@", re.sub(r"(://[^'\"\s?]*\?)[^'\"\s]*", r"\1…", repr(value)))


_NO_KIND = FieldInfo()
_WANT_TEXT = ("string_type", "path_type", "literal_error", "enum")


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(sorted(known))}"

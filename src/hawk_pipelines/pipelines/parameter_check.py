"""Settings are checked before anything runs: every fault, its place, and what to do."""

import difflib
import re
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from hawk_pipelines.errors import HawkError


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
            TypeAdapter(kind).validate_python(parameters[name])
        except ValidationError as error:
            faults += [_fault(name, kind, one) for one in error.errors()]
    if faults:
        msg = f"Settings (conf/*/parameters*.yml or --params): {'; '.join(faults)}."
        raise ParameterError(msg)


def _fault(name: str, kind: Any, error: Any) -> str:
    path, above = [name], kind
    for part in error["loc"]:
        choices = [getattr(one, "__origin__", one) for one in get_args(kind)]  # of a union, without what annotates it
        chosen = [one for one in choices if _is_model(one) and one.model_fields.get("kind", _NO_KIND).default == part]
        if chosen:  # the part says which of the union was meant; the user wrote no such name
            kind = chosen[0]
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
    reason = error["msg"].removeprefix("Value error, ")
    return f"`{place}` is {shown(error['input'])}, but {reason[:1].lower()}{reason[1:]}"


def shown(value: object) -> str:
    """A setting as it may be printed: without the password and the query of an address."""
    return re.sub(r"(?<=://)[^/@\s]*@", "…@", re.sub(r"(://[^'\"\s?]*\?)[^'\"\s]*", r"\1…", repr(value)))


_NO_KIND = FieldInfo()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(sorted(known))}"

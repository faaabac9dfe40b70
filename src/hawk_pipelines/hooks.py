"""What happens around a Kedro run: settings are checked before it, and it ends with a table of what was made."""

import difflib
import logging
import re
from typing import Any, get_args

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from hawk_pipelines.errors import HawkError
from hawk_pipelines.perception.parameters import CaptionParameters
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.llm_preflight import look_ahead
from hawk_pipelines.summary import show
from hawk_pipelines.training.tracking import flat

logger = logging.getLogger(__name__)


class ParameterError(HawkError):
    """A setting that is unknown or of the wrong kind."""


class ProjectHooks:
    """The project's only hooks."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check every parameter before anything runs."""
        try:
            self._parameters = context.config_loader["parameters"]
        except (AttributeError, TypeError, ValueError) as error:  # Kedro's own words for a list, or a section in two files
            msg = (
                f"conf/*/parameters*.yml cannot be read as settings ({error}); each section is a mapping and stands in one file."
            )
            raise ParameterError(msg) from error
        types = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
        check_parameters(self._parameters, {"seed": int} | types)

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Look ahead to a language model, then write every parameter to the MLflow run, so that runs can be compared by them."""
        import mlflow

        if "llm_key" in pipeline.inputs():
            annotate = AnnotateParameters.model_validate(self._parameters["annotate"])
            caption = CaptionParameters.model_validate(self._parameters["caption"])
            look_ahead({node.name for node in pipeline.nodes}, annotate, caption, catalog.load("llm_key"))
        mlflow.log_params(flat(self._parameters))

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Say what is going on."""
        logger.info("%s …", node.name)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol, run_result: dict[str, Any]) -> None:
        """Show what was made, where it is, and what to do next."""
        show(pipeline, catalog)


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
    """A setting as it may be printed: without the password of an address."""
    return re.sub(r"(?<=://)[^/@\s]*@", "…@", repr(value))


_NO_KIND = FieldInfo()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(sorted(known))}"

"""Before the first step of a run that comes to a language model later: what will go wrong there is said at once."""

import logging

from pydantic import SecretStr

from hawk_pipelines.curation import question_pool
from hawk_pipelines.language import writing
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.llm_server import LlmError, Server
from hawk_pipelines.language.prices import price_of
from hawk_pipelines.perception import openai_vision
from hawk_pipelines.perception.parameters import CaptionParameters
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters

logger = logging.getLogger(__name__)


def look_ahead(
    steps: set[str], annotate: AnnotateParameters, caption: CaptionParameters, key: SecretStr | None, published: bool = False
) -> None:
    """Check what captions and drafts by a language model need.

    A server that cannot be used is only warned of where the run may need none: because replies are kept from earlier, or because
    descriptions come with the source.

    Args:
        steps: names of the nodes of the run.
        annotate: the settings of drafts.
        caption: the settings of captions.
        key: for the servers.
        published: whether descriptions come with the source.

    Raises:
        CaptionError: frames may not leave, or faces cannot be blurred.
        PriceError: a model has no price.
        PromptError: a prompt is missing or wrong.
        LlmError: there is no key, no server or no such model, and nothing is kept from earlier.
    """
    if "caption_clips" in steps and openai_vision.TOOL in caption.captioners:
        openai_vision.check(caption.openai_vision)
        _look_for(caption.openai_vision.openai, key, f"{openai_vision.SECTION}.openai", may_need_none=False)
    drafts = "write_drafts" in steps and annotate.provider == "openai"
    if drafts or "write_questions" in steps:
        price_of(annotate.openai.prices, annotate.openai.model)
        writing.read_prompts(annotate.prompts)
        _look_for(annotate.openai, key, "annotate.openai", may_need_none=published and "write_questions" not in steps)
    if "write_questions" in steps:
        question_pool.read_prompts(annotate.prompts)


def _look_for(parameters: LlmParameters, key: SecretStr | None, section: str, may_need_none: bool) -> None:
    try:
        Server(parameters, key, section).close()
    except LlmError as error:
        if not may_need_none and not parameters.replies.exists():
            raise
        logger.warning("%s A run that has to ask ends where it does.", error)

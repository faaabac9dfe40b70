"""Before the first step of a run that comes to a language model later: what will go wrong there is said at once."""

import logging

from pydantic import SecretStr

from hawk_pipelines.curation import question_pool
from hawk_pipelines.language import writing
from hawk_pipelines.language.llm_server import LlmError, Server
from hawk_pipelines.language.prices import price_of
from hawk_pipelines.perception import openai_vision
from hawk_pipelines.perception.parameters import CaptionParameters
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters

logger = logging.getLogger(__name__)


def look_ahead(steps: set[str], annotate: AnnotateParameters, caption: CaptionParameters, key: SecretStr | None) -> None:
    """Check what captions and drafts by a language model need.

    A server that cannot be used is only warned of: a run whose replies are all in the store needs none.

    Args:
        steps: names of the nodes of the run.
        annotate: the settings of drafts.
        caption: the settings of captions.
        key: for the server.

    Raises:
        CaptionError: frames may not leave, or faces cannot be blurred.
        PriceError: the model has no price.
        PromptError: a prompt is missing or wrong.
    """
    if "caption_clips" in steps and openai_vision.TOOL in caption.captioners:
        openai_vision.check(caption.openai_vision)
    asks = ("write_drafts" in steps and annotate.provider == "openai") or "write_questions" in steps
    if not asks:
        return
    price_of(annotate.openai.prices, annotate.openai.model)
    writing.read_prompts(annotate.prompts)
    if "write_questions" in steps:
        question_pool.read_prompts(annotate.prompts)
    if len(steps) == 1:
        return  # the step itself says it as soon
    try:
        Server(annotate.openai, key, "annotate.openai").close()
    except LlmError as error:
        logger.warning("%s Drafts whose replies are not in the store cannot be written: this run will end at that step.", error)

import logging

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hawk_pipelines.curation import decisions, question_pool
from hawk_pipelines.language.llm import Client
from hawk_pipelines.language.llm_estimate import estimate, insist_on_leave
from hawk_pipelines.language.llm_report import insist_on_answers, rows
from hawk_pipelines.language.questions import ASKS
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.llm_tracking import track, track_calls
from hawk_pipelines.pipelines.validate.parameters import ValidateParameters
from hawk_pipelines.schema import Candidate, LlmCall, ReviewTask

logger = logging.getLogger(__name__)


class QuestionsParameters(BaseModel):
    """How many questions are proposed, and which are kept."""

    model_config = ConfigDict(extra="forbid")

    proposed_per_kind: int = Field(default=40, ge=1, le=100)
    """Of each of the seven kinds."""
    keep: int = Field(default=100, ge=1)
    """The best of all, about as many of each kind."""
    least_score: float = Field(default=0.6, ge=0, le=1)
    """From which on a question is good enough."""
    alike: float = Field(default=0.6, gt=0, le=1)
    """Share of their words that two questions have in common, from which on the worse one is dropped."""


def write_questions(
    parameters: QuestionsParameters, annotate: AnnotateParameters, validate: ValidateParameters, llm_key: SecretStr | None
) -> tuple[dict, list[Candidate], list[ReviewTask], list[LlmCall]]:
    """Propose, score and choose the questions of the pool, without those that reviewers have rejected."""
    prompts = question_pool.read_prompts(annotate.prompts)
    decided = decisions.read(validate.decisions)
    with Client(annotate.openai, llm_key, "annotate.openai") as client:
        insist_on_leave(client, estimate(client, question_pool.scripts(prompts, parameters.proposed_per_kind)))
        try:
            proposed = question_pool.propose_all(client, prompts, parameters.proposed_per_kind)
        finally:  # what was spent is told even where the run ends at its limit
            track("questions", client)
            calls = rows(client, list(ASKS))
            track_calls("questions", calls)
        insist_on_answers(client)
    rejected = question_pool.rejected_questions([one.text for one in proposed], decided)
    chosen = question_pool.choose(proposed, rejected, parameters.keep, parameters.least_score, parameters.alike)
    kept = sum(one.against is None for one in chosen)
    if kept < parameters.keep:
        reasons = "question_candidates.parquet says why the others are not kept"
        logger.warning("%d of %d proposed questions are kept, not %d; %s.", kept, len(chosen), parameters.keep, reasons)
    return question_pool.as_file(chosen), chosen, question_pool.queue_of(chosen), calls

"""What decides the checks of drafts besides the tables that they read: people's decisions and the question pool."""

from hawk_pipelines.curation import decisions
from hawk_pipelines.engine.finished import path_sha256, rows_sha256
from hawk_pipelines.pipelines.reuse import Load, Reusable


def _judging(load: Load) -> list:
    parameters, pool = load("params:validate"), load("params:annotate").questions
    decided = rows_sha256(decisions.read(parameters.decisions))
    settings = parameters.model_dump(mode="json", include={"review_share", "claims_of_published"})
    return [settings, decided, path_sha256(pool), load("params:seed")]


VALIDATION_STEPS = {"judge_drafts": Reusable(1, _judging)}
"""By the name of their node."""

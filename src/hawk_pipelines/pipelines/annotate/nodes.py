import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from pydantic import SecretStr

from hawk_pipelines.curation import decisions
from hawk_pipelines.curation.question_pool import as_reviewed
from hawk_pipelines.engine import run
from hawk_pipelines.engine.joins import check_joined
from hawk_pipelines.engine.run import EngineParameters, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.language import writing
from hawk_pipelines.language.llm import Client, LlmError
from hawk_pipelines.language.llm_estimate import estimate, insist_on_leave
from hawk_pipelines.language.llm_report import insist_on_answers, rows
from hawk_pipelines.language.questions import Pool, read_pool
from hawk_pipelines.language.rules import RULES_VERSION, Known, describe
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.llm_tracking import track, track_calls
from hawk_pipelines.pipelines.validate.parameters import ValidateParameters
from hawk_pipelines.schema import Caption, Draft, LlmCall, Rejection, Video

logger = logging.getLogger(__name__)

Undescribed = list[tuple[Video, list[Caption]]]
"""Videos that came without a description, each with its captions."""


def write_drafts(
    videos: list[Video],
    captions: list[Caption],
    published: list[Draft],
    parameters: AnnotateParameters,
    validate: ValidateParameters,
    seed: int,
    engine: EngineParameters,
    llm_key: SecretStr | None,
    draft_store: ItemStore,
) -> tuple[list[Draft], list[Rejection], list[LlmCall]]:
    """Draft a description and answers for every video that came without, with the questions as reviewers want them."""
    pool = as_reviewed(read_pool(parameters.questions), decisions.read(validate.decisions))
    todo = undescribed(videos, captions, published)
    if parameters.provider == "openai":
        return _by_language_model(todo, pool, parameters, seed, llm_key)
    return *_by_rules(todo, pool, parameters, seed, engine, draft_store), []


def undescribed(videos: Sequence[Video], captions: Sequence[Caption], published: Sequence[Draft]) -> Undescribed:
    """The videos that are to be described."""
    known = {video.id for video in videos}
    check_joined("clip_captions", (caption.video_id for caption in captions), "videos", known)
    check_joined("published_drafts", (draft.video_id for draft in published), "videos", known)
    captions_of = defaultdict(list)
    for caption in captions:
        captions_of[caption.video_id].append(caption)
    described = {draft.item_id for draft in published}
    return [(video, captions_of[video.id]) for video in videos if video.id not in described]


def _by_rules(
    todo: Undescribed, pool: Pool, parameters: AnnotateParameters, seed: int, engine: EngineParameters, draft_store: ItemStore
) -> tuple[list[Draft], list[Rejection]]:
    items = [run.Item(video.id, _content(video, captions), (video, captions)) for video, captions in todo]
    settings = {"provider": "rules", "questions": pool.sha256, "count": parameters.questions_per_item, "seed": seed}
    step = Step("annotate", partial(_draft, pool, seed, parameters.questions_per_item), RULES_VERSION, settings)
    here = engine.model_copy(update={"workers": 0})  # quicker than starting a process
    outcome = run_items(step, items, draft_store, here)
    names = {video.id: video.name for video, _ in todo}
    rejections = [rejection.model_copy(update={"item": names[rejection.item]}) for rejection in outcome.rejections]
    return [Draft.model_validate(draft_store.facts(key)) for key in outcome.keys.values()], rejections


def _by_language_model(
    todo: Undescribed, pool: Pool, parameters: AnnotateParameters, seed: int, llm_key: SecretStr | None
) -> tuple[list[Draft], list[Rejection], list[LlmCall]]:
    items, unknown = writing.items_of(todo, pool, seed, parameters.questions_per_item)
    prompts = writing.read_prompts(parameters.prompts)
    scripts = writing.scripts(items, prompts, parameters.longest_captions)
    with Client(parameters.openai, llm_key, "annotate.openai") as client:
        insist_on_leave(client, estimate(client, scripts))
        try:
            drafts, failures = writing.write_all(client, items, scripts)
        finally:  # what was spent is told even where the run ends at its limit
            track("annotate", client)
            calls = rows(client, [item.video.id for item in items])
            track_calls("annotate", calls)
        insist_on_answers(client)
    if failures:
        name, reason = failures[0]
        told = (
            f"{len(failures)} of {len(items)} items have no draft; the next run asks for them again. The first, {name}: {reason}"
        )
        if not drafts:
            raise LlmError(told)
        logger.warning("%s", told)
    rejections = [Rejection(step="annotate", item=name, reason=reason) for name, reason in [*unknown, *failures]]
    return drafts, rejections, calls


def _content(video: Video, captions: list[Caption]) -> object:
    said = [caption.model_dump() for caption in captions]
    return [video.id, video.label, [[span.start_s, span.end_s] for span in video.spans], video.duration_s, said]


def _draft(pool: Pool, seed: int, count: int, item: tuple[Video, list[Caption]]) -> Product:
    video, captions = item
    told = describe(Known(video.id, video.label, video.spans, captions, video.duration_s), pool, seed, count)
    sources = [f"label: {video.label}"] * bool(video.label)
    sources += [f"caption of {caption.clip_id} by {caption.tool}: {caption.text}" for caption in told.captions]
    draft = Draft(
        item_id=video.id,
        video_id=video.id,
        description=told.description,
        QA=told.qa,
        provider=told.provider,
        sources=sources,
    )
    return {}, draft.model_dump(mode="json")

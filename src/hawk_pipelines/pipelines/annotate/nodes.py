from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.language.questions import Pool, read_pool
from hawk_pipelines.language.rules import RULES_VERSION, Known, describe
from hawk_pipelines.schema import Caption, Draft, Rejection, Video


class AnnotateParameters(BaseModel):
    """Who writes the drafts, and what is asked."""

    model_config = ConfigDict(extra="forbid")

    provider: Literal["rules"] = "rules"
    questions: Path = Path("conf/questions.yml")
    """The question pool."""
    questions_per_item: int = Field(default=7, ge=0)
    """Or as many as have answers."""


def write_drafts(
    videos: list[Video],
    captions: list[Caption],
    published: list[Draft],
    parameters: AnnotateParameters,
    seed: int,
    engine: EngineParameters,
    draft_store: ItemStore,
) -> tuple[list[Draft], list[Rejection]]:
    """Draft a description and answers for every video that came without."""
    pool = read_pool(parameters.questions)
    captions_of = defaultdict(list)
    for caption in captions:
        captions_of[caption.video_id].append(caption)
    described = {draft.item_id for draft in published}
    items = [
        Item(video.id, _content(video, captions_of[video.id]), (video, captions_of[video.id]))
        for video in videos
        if video.id not in described
    ]
    settings = {"provider": parameters.provider, "questions": pool.sha256, "count": parameters.questions_per_item, "seed": seed}
    step = Step("annotate", partial(_draft, pool, seed, parameters.questions_per_item), RULES_VERSION, settings)
    here = engine.model_copy(update={"workers": 0})  # quicker than starting a process
    outcome = run_items(step, items, draft_store, here)
    names = {video.id: video.name for video in videos}
    rejections = [rejection.model_copy(update={"item": names[rejection.item]}) for rejection in outcome.rejections]
    return [Draft.model_validate(draft_store.facts(key)) for key in outcome.keys.values()], rejections


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

from collections import defaultdict
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.language.rules import RULES_VERSION, describe
from hawk_pipelines.schema import Caption, Draft, Rejection, Video


class AnnotateParameters(BaseModel):
    """Who writes the drafts."""

    model_config = ConfigDict(extra="forbid")

    provider: Literal["rules"] = "rules"


def write_drafts(
    videos: list[Video],
    captions: list[Caption],
    published: list[Draft],
    parameters: AnnotateParameters,
    engine: EngineParameters,
    draft_store: ItemStore,
) -> tuple[list[Draft], list[Rejection]]:
    """Draft a description and answers for every video that came without."""
    captions_of = defaultdict(list)
    for caption in captions:
        captions_of[caption.video_id].append(caption)
    described = {draft.item_id for draft in published}
    items = [
        Item(video.id, _content(video, captions_of[video.id]), (video, captions_of[video.id]))
        for video in videos
        if video.id not in described
    ]
    here = engine.model_copy(update={"workers": 0})  # quicker than starting a process
    outcome = run_items(Step("annotate", _draft, RULES_VERSION, parameters.model_dump()), items, draft_store, here)
    names = {video.id: video.name for video in videos}
    rejections = [rejection.model_copy(update={"item": names[rejection.item]}) for rejection in outcome.rejections]
    return [Draft.model_validate(draft_store.facts(key)) for key in outcome.keys.values()], rejections


def _content(video: Video, captions: list[Caption]) -> object:
    said = [caption.model_dump() for caption in captions]
    return [video.id, video.label, [[span.start_s, span.end_s] for span in video.spans], video.duration_s, said]


def _draft(known: tuple[Video, list[Caption]]) -> Product:
    video, captions = known
    told = describe(video.label, video.spans, captions, video.duration_s)
    sources = [f"label: {video.label}"] * bool(video.label) + [f"caption of {c.clip_id} by {c.tool}: {c.text}" for c in captions]
    draft = Draft(
        item_id=video.id,
        video_id=video.id,
        description=told.description,
        QA=told.qa,
        provider="rules" if video.label else "captions",
        sources=sources,
    )
    return {}, draft.model_dump(mode="json")

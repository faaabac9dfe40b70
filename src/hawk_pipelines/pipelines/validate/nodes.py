from functools import partial

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.curation.samples import SAMPLES_VERSION, make_pairs, make_samples
from hawk_pipelines.curation.validation import validate
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.language.motion_text import MOTION_TEXT_VERSION, MotionTextRule, motion_text
from hawk_pipelines.schema import Annotation, Draft, Pair, Rejection, Sample, Video


class ValidateParameters(BaseModel):
    """How annotations become samples."""

    model_config = ConfigDict(extra="forbid")

    motion_text: MotionTextRule = "full"
    """Which words of an answer the motion branch learns to say: our full rule, or the public code's."""


def validate_drafts(drafts: list[Draft], published: list[Draft], videos: list[Video]) -> tuple[list[Annotation], list[Rejection]]:
    """Check published and written drafts alike."""
    validated = validate([*published, *drafts], videos)
    return validated.annotations, validated.rejections


def write_samples(
    annotations: list[Annotation], parameters: ValidateParameters, engine: EngineParameters, sample_store: ItemStore
) -> tuple[list[Sample], list[Sample], list[Pair]]:
    """Make the samples of both splits, and the pairs to pretrain on; each annotation's sentences are parsed once."""
    items = [Item(one.item_id, [one.item_id, one.description, [[qa.q, qa.a] for qa in one.QA]], one) for one in annotations]
    settings = {"motion_text": MOTION_TEXT_VERSION, "rule": parameters.motion_text}
    step = Step("samples", partial(_samples, parameters.motion_text), SAMPLES_VERSION, settings)
    here = engine.model_copy(update={"workers": 0})  # quicker than loading a parser in every process
    keys = run_items(step, items, sample_store, here).keys
    splits: dict[str, list[Sample]] = {"train": [], "validation": [], "test": []}
    pairs = []
    for annotation in annotations:
        if annotation.item_id in keys:
            made = [Sample.model_validate(sample) for sample in sample_store.facts(keys[annotation.item_id])["samples"]]
            splits[annotation.split] += made
            pairs += make_pairs(annotation, made)
    return splits["train"], splits["test"], pairs


def _samples(rule: MotionTextRule, annotation: Annotation) -> Product:
    words = partial(motion_text, rule=rule)
    return {}, {"samples": [sample.model_dump() for sample in make_samples(annotation, words)]}

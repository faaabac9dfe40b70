from functools import partial

from hawk_pipelines.curation import decisions
from hawk_pipelines.curation.admission import annotations_of
from hawk_pipelines.curation.judging import judge
from hawk_pipelines.curation.samples import SAMPLES_VERSION, make_pairs, make_samples
from hawk_pipelines.curation.settling import settle
from hawk_pipelines.curation.summary import flat_summary, summary
from hawk_pipelines.engine.joins import check_joined
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.language.motion_text import MOTION_TEXT_VERSION, MotionTextRule, motion_text
from hawk_pipelines.language.questions import read_pool
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.validate.parameters import ValidateParameters
from hawk_pipelines.schema import Annotation, Caption, Draft, JudgedDraft, LlmCall, Pair, ReviewTask, Sample, Video


def judge_drafts(
    drafts: list[Draft],
    published: list[Draft],
    videos: list[Video],
    captions: list[Caption],
    caption_calls: list[LlmCall],
    draft_calls: list[LlmCall],
    parameters: ValidateParameters,
    annotate: AnnotateParameters,
    seed: int,
) -> tuple[list[JudgedDraft], list[ReviewTask], dict]:
    """Check published and written drafts alike, apply what reviewers decided, and queue what they are to look at."""
    import mlflow

    known = {video.id for video in videos}
    check_joined("drafts", (draft.video_id for draft in drafts), "videos", known)
    check_joined("published_drafts", (draft.video_id for draft in published), "videos", known)
    check_joined("clip_captions", (caption.video_id for caption in captions), "videos", known)
    decided = decisions.read(parameters.decisions)
    pool = [question.text for question in read_pool(annotate.questions).questions]
    judged = judge([*published, *drafts], videos, captions, parameters.claims_of_published)
    settled = settle(judged, decided, pool, videos, parameters.review_share, seed)
    told = summary(settled, decided, [*caption_calls, *draft_calls])
    mlflow.log_metrics(flat_summary(told))
    return settled.drafts, settled.queue, told


def admit_annotations(judged: list[JudgedDraft], videos: list[Video]) -> list[Annotation]:
    """What was accepted. It may be nothing: then the tables after it are empty, too, and `staged_runner.py` ends the run."""
    check_joined("judged_drafts", (draft.video_id for draft in judged), "videos", {video.id for video in videos})
    return annotations_of(judged)


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

"""From judged drafts to annotations: what is accepted, and nothing else."""

from collections.abc import Sequence

from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Annotation, Draft, JudgedDraft, Split, Video


class NothingLeft(HawkError):
    """No annotation at all, or none in a subset that has videos."""


def annotations_of(judged: Sequence[JudgedDraft]) -> list[Annotation]:
    """The annotations of accepted drafts, each without the answers that something stands against. There may be none."""
    return [_annotation(draft, draft.split) for draft in judged if draft.verdict == "accepted" and draft.split]


def check_subsets(judged: Sequence[JudgedDraft], videos: Sequence[Video]) -> None:
    """Refuse to go on without annotations.

    Args:
        judged: every draft with its verdict.
        videos: every usable video.

    Raises:
        NothingLeft: no annotation is left, or none of a subset that has videos and is trained on or tested on.
    """
    if subset := empty_subset(judged, videos):
        of_subset = [draft for draft in judged if draft.split == subset]
        raise NothingLeft(_empty(subset, of_subset, sum(video.split == subset for video in videos)))
    if not annotations_of(judged):
        msg = (
            "No annotation is left: there is no draft of a usable video. "
            "Give the videos captions or labels (`captions.csv` in a folder), or published annotations."
        )
        raise NothingLeft(msg)


def empty_subset(judged: Sequence[JudgedDraft], videos: Sequence[Video]) -> Split | None:
    """The subset that has videos or drafts, but no annotation: `train` before `test`; None where there is no such subset."""
    subsets: tuple[Split, ...] = ("train", "test")
    for subset in subsets:
        of_subset = [draft for draft in judged if draft.split == subset]
        has_any = bool(of_subset) or any(video.split == subset for video in videos)
        if has_any and not any(draft.verdict == "accepted" for draft in of_subset):
            return subset
    return None


def _annotation(draft: JudgedDraft, split: Split) -> Annotation:
    against = {finding.place for finding in draft.findings}
    pairs = [pair for number, pair in enumerate(draft.QA) if f"QA[{number}]" not in against]
    told = {name: getattr(draft, name) for name in Draft.model_fields if name != "QA"}
    return Annotation(**told, QA=pairs, video=draft.video, split=split, reviewers=draft.reviewers)


def _empty(split: Split, drafts: Sequence[JudgedDraft], videos: int) -> str:
    if not drafts:
        return (
            f"No annotation of the {split} split is left: of its {videos} video(s) nothing is known. Give them captions or "
            f"labels (`captions.csv` in a folder), or add `motion` to `caption.captioners` and look at what is measured with "
            f"`hawk review next`; the reasons stand in `rejected_drafts` (rejected_drafts.parquet)."
        )
    waiting = sum(draft.verdict == "needs_review" for draft in drafts)
    first = next(finding.reason for draft in drafts for finding in draft.findings if finding.place == "description")
    return (
        f"No annotation of the {split} split is left: of {len(drafts)} draft(s) {waiting} need review and "
        f"{len(drafts) - waiting} were rejected. Look at them with `hawk review next`, or give their videos captions or labels "
        f"(`captions.csv` in a folder), and run again; the reasons stand in `judged_drafts` (judged_drafts.jsonl). The first: "
        f"{drafts[0].video}: {first}"
    )

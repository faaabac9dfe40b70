"""Tables that are read together must be of the same data; this says so before a row is looked for that is not there."""

from collections.abc import Collection, Iterable, Sequence

from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Annotation, Video

STEPS = ("ingest", "split", "caption", "annotate", "validate", "motion", "encode", "finetune", "evaluate", "register")
"""The pipelines of a whole run, in their order."""
MADE_BY = {
    "videos": "ingest",
    "source_captions": "ingest",
    "published_drafts": "ingest",
    "slot_truths": "ingest",
    "motion_signal": "split",
    "clips": "split",
    "clip_captions": "caption",
    "drafts": "annotate",
    "judged_drafts": "validate",
    "annotations": "validate",
    "train_samples": "validate",
    "test_samples": "validate",
    "pretraining_pairs": "validate",
    "frames": "motion",
    "features": "encode",
    "asked": "evaluate",
    "predictions": "evaluate",
    "baseline_predictions": "evaluate",
    "window_parts": "evaluate",
    "window_frames": "evaluate",
    "window_features": "evaluate",
    "anomaly_scores": "evaluate",
}
"""Which pipeline makes a table."""


class TablesApart(HawkError):
    """Two tables of different data, such as annotations of one source beside the videos of another."""


def check_joined(table: str, ids: Iterable[str], other: str, known: Collection[str], what: str = "video") -> None:
    """Refuse a table whose rows are about something that another table does not have.

    Args:
        table: the name of the table that is read.
        ids: what its rows are about.
        other: the name of the table that has to know all of it.
        known: the ids in that table.
        what: is known by them: a video, an item.

    Raises:
        TablesApart: it does not; the sentence names both tables and the command that makes them belong together.
    """
    known = known if isinstance(known, (set, frozenset, dict)) else set(known)
    missing = sorted({one for one in ids if one not in known})
    if not missing:
        return
    found = f"`{table}` is about {len(missing):,} {what}(s) that `{other}` does not have, for example {missing[0]}"
    msg = f"{found}: the two tables are of different data. Run `kedro run --pipelines={','.join(steps_between(other, table))}`."
    raise TablesApart(msg)


def check_annotated(annotations: Sequence[Annotation], videos: Sequence[Video]) -> None:
    """Refuse annotations of other videos than those that are there, or of videos that are on another side of the split by now.

    Otherwise a model would be tested on what it was trained on.

    Args:
        annotations: that a step reads.
        videos: of the last ingest.

    Raises:
        TablesApart: which they are, and the command that makes the tables belong together.
    """
    sides = {video.id: video.split for video in videos}
    check_joined("annotations", (annotation.video_id for annotation in annotations), "videos", sides)
    moved = {one.video_id: one.split for one in annotations if one.split != sides[one.video_id]}
    if not moved:
        return
    example = min(moved)
    msg = (
        f"`annotations` and `videos` put {len(moved):,} video(s) on different sides of the split, for example {example} "
        f"(`{moved[example]}` and `{sides[example]}`): the two tables are of different data. Run `kedro run --pipelines="
        f"{','.join(steps_between('videos', 'annotations'))}`."
    )
    raise TablesApart(msg)


def steps_between(other: str, table: str) -> tuple[str, ...]:
    """The pipelines that make a table anew from another one."""
    first, last = STEPS.index(MADE_BY[other]) + 1, STEPS.index(MADE_BY[table])
    return STEPS[first : last + 1] if first <= last else (STEPS[last],)

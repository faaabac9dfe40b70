"""Videos of the same content: one of them is used, with what is said of all of them.

Contradictions are settled as those between the rows of a captions table (`caption_rows.py`): what is certain is kept, the rest is
unknown, and a line says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from hawk_pipelines.schema import ANOMALY, Rejection, Split
from hawk_pipelines.sources.groups import leading_groups
from hawk_pipelines.sources.reading import FoundVideo, note
from hawk_pipelines.sources.table_labels import NORMAL

Entry = TypeVar("Entry")
_SPLITS: tuple[Split, ...] = ("test", "validation", "train")


class UniqueVideo(NamedTuple):
    """A probed video: its facts, what the sources said of it, and the names of its copies."""

    facts: dict[str, Any]
    found: FoundVideo
    copies: list[str]


def merge_copies(probed: Sequence[tuple[dict[str, Any], FoundVideo]]) -> tuple[list[UniqueVideo], list[Rejection]]:
    """Make one video of those of the same content, and one group of the groups that share a video.

    The file that is kept is one that is tested on before one to train on, one with words before one without; then the first.

    Args:
        probed: the facts of each video, with its id, and what its source said of it.

    Returns:
        The videos in order of their first copy, and a line about each copy with all that it contradicts.
    """
    by_content: dict[str, list[tuple[dict[str, Any], FoundVideo]]] = defaultdict(list)
    for facts, video in probed:
        by_content[facts["id"]].append((facts, video))
    unique, rejections, memberships = [], [], []
    for group in by_content.values():
        group = sorted(group, key=lambda pair: (pair[1].split != "test", not is_known(pair[1])))
        videos = [video for _, video in group]
        facts, merged = _merge(group)
        unique.append(UniqueVideo(facts, merged, [video.name for video in videos[1:]]))
        memberships.append([video.group for video in videos if video.group])
        for number, video in enumerate(videos[1:], start=1):
            contradictions = _contradictions(video, videos[:number], merged)
            differs = f" ({'; '.join(contradictions)})" if contradictions else ""
            reason = f"{video.path} has the same content as {merged.path}{differs}, which is used instead; remove one of the two."
            rejections.append(note(video.name, reason))
    leaders = leading_groups(memberships)
    joined = [
        video._replace(found=replace(video.found, group=leaders[video.found.group])) if video.found.group else video
        for video in unique
    ]
    return joined, rejections


def is_known(video: FoundVideo) -> bool:
    """Whether anything is known of what happens in a video."""
    return bool(video.label or video.captions or video.description)


def _merge(group: Sequence[tuple[dict[str, Any], FoundVideo]]) -> tuple[dict[str, Any], FoundVideo]:
    """The first video of a group of copies, with what is said of all of them."""
    if len(group) == 1:
        return group[0]
    videos = [video for _, video in group]
    facts, kept = group[0]
    sided = next((video for split in _SPLITS for video in videos if video.split == split), kept)
    described = next((video for video in videos if video.description), kept)
    merged = replace(
        kept,
        label=_label([video.label for video in videos]),
        split=sided.split,
        split_by=sided.split_by,
        group=next((video.group for video in videos if video.group), None),
        captions=_each_once(video.captions for video in videos),
        description=described.description,
        qa=described.qa,
        truth=next((video.truth for video in videos if video.truth), None),
    )
    facts = {name: fact for name, fact in facts.items() if name not in ("masks", "masks_faults", "first_number")}
    if merged.label is None and any(video.label for video in videos):  # times of an anomaly that may be none
        return facts, replace(merged, spans=[], open_spans=[], frame_spans=[], masks=(), label_frames=None, label_size=None)
    times_facts, timed = next((pair for pair in group if pair[1].frame_spans or pair[1].masks), group[0])
    facts |= {name: times_facts[name] for name in ("masks", "masks_faults", "first_number") if name in times_facts}
    origin = (timed.first_picture, times_facts.get("first_number"))  # frames that are counted otherwise are not put together
    alike = [video for known, video in group if (video.first_picture, known.get("first_number")) == origin]
    return facts, replace(
        merged,
        spans=_each_once(video.spans for video in videos),
        open_spans=_each_once(video.open_spans for video in videos),
        frame_spans=_each_once(video.frame_spans for video in alike),
        **{name: getattr(timed, name) for name in ("masks", "label_frames", "label_size", "first_picture")},
    )


def _label(labels: Iterable[str | None]) -> str | None:
    """Normal and unusual is no label; two classes are an anomaly whose class is not certain."""
    classes = {label.casefold(): label for label in reversed([label for label in labels if label])}
    if len(classes) > 1 and NORMAL in classes:
        return None
    if len(classes) > 1:
        classes.pop(ANOMALY, None)  # says nothing of the class
    return next(iter(classes.values()), None) if len(classes) < 2 else ANOMALY


def _contradictions(video: FoundVideo, others: Sequence[FoundVideo], merged: FoundVideo) -> list[str]:
    """What a copy says otherwise than those before it, and what follows, in words."""
    contradictions = []
    for other in others:
        if video.label and other.label and video.label.casefold() != other.label.casefold():
            outcome = f"it counts as {merged.label}" if merged.label else "which is right is unknown, so it has no label"
            contradictions.append(f"labelled {video.label}, the other {other.label}: {outcome}")
        if video.split and other.split and video.split != other.split:
            contradictions.append(f"for {video.split}, the other for {other.split}: it is used for {merged.split} only")
        if video.group and other.group and video.group != other.group:
            contradictions.append(f"of group {video.group}, the other of group {other.group}: both count as one group")
        if video.description and other.description and video.description != other.description:
            contradictions.append(f"described otherwise: the description of {merged.name} is used")
    return list(dict.fromkeys(contradictions))


def _each_once(lists: Iterable[Sequence[Entry]]) -> list[Entry]:
    entries: list[Entry] = []
    for entry in chain.from_iterable(lists):
        if entry not in entries:
            entries.append(entry)
    return entries

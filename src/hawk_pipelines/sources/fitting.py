"""Holding what a source says of a video's times against the video itself: what fits is kept, everything else gets a line."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hawk_pipelines.schema import ANOMALY, FrameSpan
from hawk_pipelines.sources.frame_labels import merged
from hawk_pipelines.sources.reading import FoundVideo, TimedText
from hawk_pipelines.video.clock import read_clock


class FittedLabels(NamedTuple):
    """What is left of a video's label, its spans and captions, and what was wrong with them."""

    label: str | None
    spans: list[FrameSpan]
    captions: list[TimedText]
    notes: list[str]


def fit_labels(video: FoundVideo, facts: dict[str, Any]) -> FittedLabels:
    """Keep the spans and captions as far as they lie inside the video.

    Args:
        video: what the source says.
        facts: what the video is (`frames`, `fps`, `width`, `height`, `duration_s`, and `frame_intervals` where its rate varies)
            and, where it has masks, what they say.
    """
    frames, duration_s = facts["frames"], facts["duration_s"]
    clock = read_clock(frames, facts["fps"], facts.get("frame_intervals"))
    notes: list[str] = []
    spans = [(clock.first_frame_at(span.start_s), clock.end_frame_at(span.end_s)) for span in video.spans]
    for start_s in video.open_spans:
        start = clock.first_frame_at(start_s)
        if start < frames:
            spans.append((start, frames))
        else:
            what = f"The anomaly of {video.name} is said to begin at {start_s:g} s and to last to the end"
            notes.append(f"{what}, but the video ends at {duration_s:.2f} s; mend the label.")
    missing = _missing_before(video, facts)
    spans += _labelled_frames(video, facts, missing, notes)
    kept = []
    for start, end in spans:
        seconds = f"{clock.seconds_of(start):.2f} to {clock.seconds_of(end):.2f} s"
        said = f"The anomaly of {video.name} is said to be at frames {start} to {end} ({seconds})"
        ends = f"but the video ends at {duration_s:.2f} s"
        if start < 0 or end <= start:
            notes.append(f"{said}, which is no stretch of time; mend the label.")
        elif start >= frames:
            notes.append(f"{said}, {ends}; mend the label.")
        else:
            if end > frames + 1:  # the rounding of seconds to frames is no fault
                notes.append(f"{said}, {ends}; it is cut there.")
            kept.append((start, min(end, frames)))
    notes += [f"Masks of {video.name} are left out. {fault}" for fault in facts.get("masks_faults", [])]
    captions = [_fit_caption(video.name, caption, duration_s, notes) for caption in video.captions]
    label = video.label
    if missing and label == ANOMALY and not kept:
        notes.append(f"The anomaly of {video.name} lies in the pictures that are missing: whether the rest is normal is unknown.")
        label = None
    return FittedLabels(label, [clock.span(*span) for span in merged(kept)], [caption for caption in captions if caption], notes)


def _labelled_frames(video: FoundVideo, facts: dict[str, Any], missing: int, notes: list[str]) -> list[tuple[int, int]]:
    """The spans that the source gives in frames, by itself or through masks."""
    frames, masks = facts["frames"], facts.get("masks")
    counted, size = (masks["frames"], masks["size"]) if masks else (video.label_frames, video.label_size)
    if missing:
        what = f"The pictures of {video.path} begin at number {facts['first_number']}, so that {missing} are missing before them"
        notes.append(f"{what}, and its labels are moved accordingly. Extract it again.")
    spans = _moved(video.frame_spans, -missing)
    uncounted = 0 if masks and masks["by_number"] else missing  # masks that know their picture lack what the pictures lack
    if masks:
        seen = _moved(masks["spans"], -uncounted)
        if masks["absent"]:
            what = f"{video.name} has masks for {frames - len(masks['absent'])} of its {frames} frames"
            notes.append(f"{what}; the others count as normal. Extract the masks again.")
        if not spans and video.label in (None, ANOMALY):
            spans = seen
        elif merged(seen) != merged(spans):
            both = f"The masks of {video.name} are at frames {_told(seen)}, its labels at {_told(spans)}"
            notes.append(f"{both}; the labels are used.")
    if counted is not None and counted - uncounted != frames:
        more = "longer" if counted > frames else "shorter"
        what = f"The labels of {video.name} are {more} than the video: {counted} frames instead of {frames}"
        notes.append(f"{what}; both are read from the start.")
    if size and tuple(size) != (facts["width"], facts["height"]):
        what = f"The masks of {video.name} are {size[0]}×{size[1]}, but the video is {facts['width']}×{facts['height']}"
        notes.append(f"{what}; only their times are used.")
    return spans


def _missing_before(video: FoundVideo, facts: dict[str, Any]) -> int:
    """How many pictures are missing at the beginning, told by the first one's number.

    Pictures that were numbered anew are not missing: told by a last number that is past the labels' last frame, or, where
    nothing says how many frames there should be, by numbers from 1 in a data set that counts from 0.
    """
    first, masks = facts.get("first_number", video.first_picture), facts.get("masks")
    missing = first - video.first_picture
    counted = masks["frames"] if masks and not masks["by_number"] else video.label_frames
    renumbered = first == 1 if counted is None else missing + facts["frames"] > counted
    return 0 if missing < 0 or renumbered else missing


def _moved(spans: Iterable[Sequence[int]], by: int) -> list[tuple[int, int]]:
    """Spans as they are counted from another first frame; what lies before it is cut."""
    if not by:
        return [(start, end) for start, end in spans]
    moved = [(start + by, end + by) for start, end in spans]
    return [(max(0, start), end) for start, end in moved if end > 0]


def _told(spans: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{start} to {end}" for start, end in spans) or "none"


def _fit_caption(name: str, caption: TimedText, duration_s: float, notes: list[str]) -> TimedText | None:
    start_s, end_s, text = caption
    end_s = duration_s if end_s is None else end_s
    what = f"A caption of {name} ({text[:40]!r}) is said to hold from {start_s:g} to {end_s:g} s"
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
        notes.append(f"{what}, which is no stretch of time; mend it.")
        return None
    if start_s >= duration_s:
        notes.append(f"{what}, but the video ends at {duration_s:.2f} s; mend it.")
        return None
    if end_s > duration_s + 1:  # written by people, to the second at best
        notes.append(f"{what}, but the video ends at {duration_s:.2f} s; it is cut there.")
    return TimedText(start_s, min(end_s, duration_s), text)

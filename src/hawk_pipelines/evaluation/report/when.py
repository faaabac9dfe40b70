"""When something unusual happens: tables, and which videos are drawn along."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hawk_pipelines.evaluation.localisation import auc, frame_labels
from hawk_pipelines.evaluation.report.cells import Group, Row, Table, figure_cell, kind_of, metric_name, signed
from hawk_pipelines.evaluation.report.plots import Timeline
from hawk_pipelines.schema import AnomalyScore, Video
from hawk_pipelines.video.clock import clock_of

SCORED = {
    "score": "the model's score",
    "raw": "the same without smoothing",
    "flow": "plain motion",
    "peak_flow": "largest motion",
    "whole_video": "every video from beginning to end",
}
"""What is scored, as it is called on the page."""
OF_EACH = 3
"""Videos that are drawn for each reason."""


class Drawn(NamedTuple):
    """Videos that are drawn along, and why these."""

    why: str
    timelines: list[Timeline]


def tables(told: Mapping[str, Any]) -> list[Table]:
    """How well scores say which frames are unusual, and predicted spans when that is.

    Args:
        told: `evaluation.when.metrics`.
    """
    figures = {(one["scored"], one["metric"]): one for one in told["figures"]}
    over = {(one["over"], one["metric"]): one for one in told["differences"]}
    found = []
    for title, of_frames in (("Which frames are unusual", True), ("From when to when", False)):
        names = [name for name in dict.fromkeys(metric for _, metric in figures) if name.startswith("frame_") == of_frames]
        groups = []
        for heading, known, label, told_as in (
            ("", figures, "{}", None),
            ("What the model's score has over motion alone, on the same videos", over, "over {}", signed),
        ):
            rows = [
                Row(
                    label.format(SCORED.get(scored, scored)),
                    [figure_cell(known.get((scored, name)), *([told_as] if told_as else [])) for name in names],
                    kind=kind_of(scored, "score"),
                )
                for scored in dict.fromkeys(scored for scored, name in known if name in names)
            ]
            groups += [Group(heading, rows)] if rows else []
        found += [Table(title, [metric_name(name) for name in names], groups)] if groups else []
    return found


def drawn(along: Sequence[AnomalyScore], videos: Sequence[Video]) -> list[Drawn]:
    """Some videos: those in which frames are told apart worst, usual ones, and normal ones with the highest scores."""
    by_id = {video.id: video for video in videos}
    apart, normal = [], []
    for one in along:
        labels = frame_labels(by_id[one.video_id])
        if labels is not None and labels.any() and not labels.all():
            apart.append((auc(labels, np.array(one.smoothed)), one))
        elif labels is not None and not labels.any():
            normal.append((-max(one.smoothed), one))
    apart.sort(key=lambda pair: pair[0])
    normal.sort(key=lambda pair: pair[0])
    worst, rest = apart[:OF_EACH], apart[OF_EACH:]
    middle = max(0, (len(rest) - OF_EACH) // 2)
    chosen = {
        "Where its score tells frames apart worst": [(f"AUC {value:.2f}", one) for value, one in worst],
        "In the middle": [(f"AUC {value:.2f}", one) for value, one in rest[middle : middle + OF_EACH]],
        "Nothing unusual happens, and yet the score is highest": [
            (f"up to {-value:.2f}", one) for value, one in normal[:OF_EACH]
        ],
    }
    return [Drawn(why, [_timeline(one, by_id[one.video_id], told) for told, one in few]) for why, few in chosen.items() if few]


def _timeline(one: AnomalyScore, video: Video, told: str) -> Timeline:
    return Timeline(
        title=f"{one.video} ({told})",
        times_s=clock_of(video).times.tolist(),
        raw=one.raw,
        smoothed=one.smoothed,
        true=[(span.start_s, span.end_s) for span in video.spans],
        predicted=[(span.start_s, span.end_s) for span in one.predicted],
    )

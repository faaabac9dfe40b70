"""Tasks and decisions to test reviews with."""

import json

from hawk_pipelines.curation.decisions import task_id
from hawk_pipelines.schema import Decision, ReviewTask

NASTY = "\x1b[31m<script>alert(1)</script>\x00 [red]b[/red] \u202eevil\u2028 \x85 'x'; DROP TABLE decisions; -- \U0001f525"


def task(text="A man falls.", item="v1", kind="description", question=None, reasons=("It is short.",)):
    item = None if kind == "question" else item
    return ReviewTask(
        id=task_id(kind, item, question, text),
        kind=kind,
        item_id=item,
        video=None if item is None else f"{item}.mp4",
        path=None if item is None else f"data/{item} [red].mp4",
        question=question,
        text=text,
        reasons=list(reasons),
        sources=["caption: a man"],
    )


def decision(of, what="accept", reviewer="Ann", at=0, edited=None, **more):
    """A decision on a task, `at` seconds into 2026."""
    fields = {"task_id": of.id, "kind": of.kind, "item_id": of.item_id, "question": of.question, "text": of.text}
    time = f"2026-01-01T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}+00:00"
    return Decision(**fields | {"decision": what, "edited": edited, "reviewer": reviewer, "time": time} | more)


def write_queue(path, tasks):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one.model_dump(), ensure_ascii=False) + "\n" for one in tasks), encoding="utf-8")

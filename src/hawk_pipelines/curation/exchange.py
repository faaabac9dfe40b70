"""Review tasks and decisions as files for others: JSON Lines, and the tasks and annotations of Label Studio.

What is read may come from anybody: every decision is checked, the faulty ones are named and the rest is used. Texts are data on
both ways; in Label Studio they are shown by its `Text` tag, which escapes HTML.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic import ValidationError

from hawk_pipelines.curation.decisions import LONGEST_S, ReviewError, fault, first_fault
from hawk_pipelines.engine.whole_files import named_file
from hawk_pipelines.schema import Decision, ReviewTask

STANDARD_OUTPUT = Path("-")
"""Stands for it where a file is written."""


class Reading(NamedTuple):
    """What a file of decisions holds."""

    decisions: list[Decision]
    findings: list[str]
    """What could not be used, where it is and why, a sentence each."""


class _FaultError(ValueError):
    """A decision that cannot be used; the message is the end of a sentence."""


# --- writing -------------------------------------------------------------------------------------------------------------


def write_json_lines(path: Path, tasks: Iterable[ReviewTask], decisions: Iterable[Decision], others: bool) -> int:
    """Write one line per task: `{"task": {…}, "decisions": [{…}, …]}`.

    Args:
        tasks: to write; each once.
        decisions: those on the tasks stand beside them.
        others: also write the decisions on anything else, with null for the task: the file is a copy of the store then.

    Returns:
        The number of lines.
    """
    given: dict[str, list[dict]] = defaultdict(list)
    for decision in decisions:
        given[decision.task_id].append(decision.model_dump())
    lines: list[dict] = [{"task": task.model_dump(), "decisions": given.pop(task.id, [])} for task in tasks]
    if others:
        lines += [{"task": None, "decisions": rest} for rest in given.values()]
    _write(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return len(lines)


def write_label_studio(path: Path, tasks: Sequence[ReviewTask], videos_at: str | None = None) -> int:
    """Write tasks that Label Studio imports into a project with the interface that `write_label_studio_interface` writes.

    Args:
        videos_at: the address below which the videos are served; without it the videos are named and not shown.

    Returns:
        The number of tasks.
    """
    _write(path, json.dumps([{"data": _label_studio_data(task, videos_at)} for task in tasks], ensure_ascii=False, indent=1))
    return len(tasks)


def _label_studio_data(task: ReviewTask, videos_at: str | None) -> dict[str, str]:
    """Strings only: Label Studio takes no null for what it shows."""
    data = {
        "task_id": task.id,
        "kind": task.kind,
        "item_id": task.item_id or "",
        "video": task.video or "",
        "question": task.question or "",
        "text": task.text,
        "reasons": "\n".join(task.reasons),
        "sources": "\n".join(task.sources),
    }
    return data if videos_at is None else data | {"video_url": videos_at + quote(task.path or "")}


def write_label_studio_interface(path: Path, with_video: bool) -> None:
    """Write the labelling interface for the tasks: accept or reject, and the text, to be changed where it needs it."""
    video = '  <Video name="player" value="$video_url"/>\n' if with_video else ""
    interface = f"""<View>
  <Style>.htx-text {{ white-space: pre-wrap; }}</Style>
{video}  <Header value="Video"/>
  <Text name="video" value="$video" selectionEnabled="false"/>
  <Header value="Question"/>
  <Text name="question" value="$question" selectionEnabled="false"/>
  <Header value="Text to judge"/>
  <Text name="text" value="$text" selectionEnabled="false"/>
  <Header value="Why it is to be judged"/>
  <Text name="reasons" value="$reasons" selectionEnabled="false"/>
  <Header value="What it was written from"/>
  <Text name="sources" value="$sources" selectionEnabled="false"/>
  <Choices name="decision" toName="text" choice="single-radio" showInline="true" required="true">
    <Choice value="accept" hotkey="a"/>
    <Choice value="reject" hotkey="r"/>
  </Choices>
  <Header value="To accept it with other words, change them here"/>
  <TextArea name="edited" toName="text" value="$text" rows="4" maxSubmissions="1" editable="true" showSubmitButton="false"/>
  <Header value="Note"/>
  <TextArea name="note" toName="text" rows="1" maxSubmissions="1" editable="true"/>
</View>
"""
    _write(path, interface)


def _write(path: Path, text: str) -> None:
    try:
        if path == STANDARD_OUTPUT:
            sys.stdout.buffer.write(text.encode())
            sys.stdout.buffer.flush()
            return
        with named_file(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except BrokenPipeError:
        raise  # whoever read it has seen enough: the command says so by its exit status
    except OSError as error:
        msg = f"{path} cannot be written ({error.strerror}); see to its folder, its permissions and the free space."
        raise ReviewError(msg) from error


# --- reading -------------------------------------------------------------------------------------------------------------


def read_decisions(path: Path, reviewer: str | None = None) -> Reading:
    """Read decisions from a file that `write_json_lines` or anybody else wrote, or from Label Studio's JSON export.

    JSON Lines hold a `Decision` a line, or an object whose `decisions` is a list of them.

    Args:
        reviewer: whose decisions all of them are, whatever the file says.

    Raises:
        ReviewError: there is no such file, or it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror})."
        raise ReviewError(msg) from error
    try:
        whole = _parsed(content)
    except _FaultError:
        whole = None  # several lines
    if isinstance(whole, dict) and "annotations" in whole:
        whole = [whole]
    found = _label_studio(whole) if isinstance(whole, list) else _json_lines(content)
    decisions, findings = [], []
    for place, value in found:
        odd = _odd_seconds(value)
        try:
            decisions.append(_decision({**value, "seconds": None} if odd else value, reviewer))
            if odd:
                findings.append(f"{place}: {odd}; the decision counts, without it.")
        except _FaultError as error:
            findings.append(f"{place}: {error}.")
    if not decisions and not findings:
        findings.append(f"There is no decision in {path}.")
    return Reading(decisions, findings)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        msg = "this is no text in UTF-8"
        raise _FaultError(msg) from error
    except RecursionError as error:
        msg = "this is nested too deeply"
        raise _FaultError(msg) from error
    except ValueError as error:  # also a number of thousands of digits
        msg = f"this is no JSON ({str(error)[:80]})"
        raise _FaultError(msg) from error


def _decision(value: Any, reviewer: str | None) -> Decision:
    if isinstance(value, _FaultError):
        raise value
    if not isinstance(value, dict):
        msg = f"a decision is an object, and this is {_called(value)}"
        raise _FaultError(msg)
    try:
        decision = Decision.model_validate(value | ({"reviewer": reviewer} if reviewer else {}), strict=True)
    except ValidationError as error:
        raise _FaultError(first_fault(error)) from error
    if wrong := fault(decision):
        raise _FaultError(wrong)
    return decision


def _odd_seconds(value: Any) -> str | None:
    """What is wrong with how long a decision is said to have taken, as part of a sentence."""
    seconds = value.get("seconds") if isinstance(value, dict) else None
    if seconds is None or (type(seconds) in (int, float) and 0 <= seconds <= LONGEST_S):
        return None
    shown = str(seconds)[:40] if type(seconds) in (int, float) else _called(seconds)
    return f"its duration is {shown}, and not between 0 and {LONGEST_S:,} seconds"


def _called(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(
        type(value), "a number"
    )


def _json_lines(content: bytes) -> Iterator[tuple[str, Any]]:
    """Every decision with its place; what cannot be parsed as the fault that it is."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        place = f"Line {number}"
        try:
            value = _parsed(line)
        except _FaultError as error:
            yield place, error
            continue
        if not isinstance(value, dict) or "decisions" not in value:
            yield place, value
        elif isinstance(value["decisions"], list):
            yield from ((place, one) for one in value["decisions"])
        else:
            yield place, _FaultError(f"`decisions` is a list, and this is {_called(value['decisions'])}")


def _label_studio(tasks: list) -> Iterator[tuple[str, Any]]:
    """Every finished annotation as a decision, with its place."""
    for number, task in enumerate(tasks, start=1):
        place = f"Task {number}"
        data = task.get("data") if isinstance(task, dict) else None
        annotations = task.get("annotations") if isinstance(task, dict) else None
        if not isinstance(data, dict) or not isinstance(annotations, list):
            why = "a task has `data` and a list of `annotations`; export the project as JSON, not as JSON-MIN"
            yield place, _FaultError(why)
            continue
        for order, annotation in enumerate(annotations, start=1):
            if isinstance(annotation, dict) and annotation.get("was_cancelled"):
                continue  # skipped by its annotator
            try:
                yield f"{place}, annotation {order}", _from_annotation(data, annotation)
            except _FaultError as error:
                yield f"{place}, annotation {order}", error


def _from_annotation(data: dict, annotation: Any) -> dict:
    results = annotation.get("result") if isinstance(annotation, dict) else None
    if not isinstance(results, list):
        msg = "an annotation has a list as its `result`"
        raise _FaultError(msg)
    choices = _values(results, "decision", "choices", "choices")
    if len(choices) != 1 or choices[0] not in ("accept", "edit", "reject"):
        msg = f"the choice is accept or reject, and here it is {', '.join(map(str, choices))[:80] or 'missing'}"
        raise _FaultError(msg)
    changed = _values(results, "edited", "textarea", "text")
    if len(changed) > 1:
        msg = f"it has {len(changed)} new texts; leave one"
        raise _FaultError(msg)
    kind, text = data.get("kind"), data.get("text")
    decision, edited = choices[0], changed[0].strip() if changed else None
    if decision == "accept" and edited and isinstance(text, str) and edited != text.strip():
        decision = "edit"  # the text area begins with the text as it is
    author = annotation.get("completed_by")
    author = author.get("email") or author.get("id") if isinstance(author, dict) else author
    return {
        "task_id": data.get("task_id"),
        "kind": kind,
        "item_id": None if kind == "question" else data.get("item_id"),
        "question": data.get("question") if kind == "answer" else None,
        "text": text,
        "decision": decision,
        "edited": edited if decision == "edit" else None,
        "reviewer": f"label-studio:{author}" if isinstance(author, int) else author,
        "time": annotation.get("updated_at") or annotation.get("created_at"),
        "seconds": annotation.get("lead_time"),
        "note": "\n".join(_values(results, "note", "textarea", "text")) or None,
    }


def _values(results: list, name: str, kind: str, field: str) -> list[str]:
    """What was entered into one control."""
    values: list[str] = []
    for result in results:
        if isinstance(result, dict) and result.get("from_name") == name and result.get("type") == kind:
            value = result.get("value")
            entered = value.get(field) if isinstance(value, dict) else None
            entered = [entered] if isinstance(entered, str) else entered
            if not isinstance(entered, list) or not all(isinstance(one, str) for one in entered):
                msg = f"the value of `{name}` is no list of texts"
                raise _FaultError(msg)
            values += entered
    return values

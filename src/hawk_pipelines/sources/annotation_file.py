"""A file of annotations in HAWK's published format: a JSON list of `{"video", "description", "QA": [{"q", "a"}, …]}`.

JSON Lines of the same objects are read, too, such as this project's own annotations. What is good in a file is used, whatever the
rest is; the rest is named.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hawk_pipelines.schema import QA, Rejection
from hawk_pipelines.sources.reading import SourceError, note
from hawk_pipelines.sources.text_files import open_text, read_json, unsafe

NORMAL = "normal"
_LABELS = ("label", "class", "category", "anomaly_type", "anomaly_class", "type")
_TIMES = re.compile(r"(?:^|_)(?:spans?|start|end|begin|timestamps?|intervals?|segments?|anomal(?:y|ies))(?:_|$)")
_NOTHING: tuple[Any, ...] = (None, [], {}, "", False, "no", "none", "normal", "n/a", "-", "false")
"""What is no time and no class."""


class Described(NamedTuple):
    """A video as a file describes it."""

    place: str
    """Where in the file it stands, such as `all_videos_train.json[7]`."""
    what: str
    """The same in words and with the file's path, for a sentence to begin with."""
    video: str
    """As the file names it."""
    description: str
    """Empty where the file has none."""
    qa: list[QA]


def read_annotation_file(file: Path, notes: list[Rejection]) -> list[Described]:
    """Read a file of annotations; what cannot be used of it gets a note.

    A description that is missing is empty, and fails when it is checked; pairs of question and answer that are none are left out.
    Times are not read; an item that calls its video normal and gives times of an anomaly all the same is named.

    Raises:
        SourceError: the file cannot be read, is no JSON, or holds no list or an empty one.
    """
    described = []
    for place, what, raw in _raw_items(file, notes):
        if not isinstance(raw, dict):
            notes.append(note(place, f"{what} was left out: it is {_kind(raw)}, not an object. Mend the item and run again."))
            continue
        video = raw.get("video", raw.get("video_path"))
        if not isinstance(video, str) or not video.strip():
            notes.append(note(place, f"{what} was left out: video: {_instead(video)}. Mend the item and run again."))
            continue
        if reason := unsafe(video):
            notes.append(note(video, f"{what} names {video}, which {reason}; mend the path."))
            continue
        description = raw.get("description")
        if not isinstance(description, str) or not description.strip():
            notes.append(note(place, f"{what} has no description: {_instead(description)}. Write one."))
            description = ""
        if anomaly := _normal_with_anomaly(raw):
            notes.append(note(place, f"{what} calls its video normal, but gives {anomaly}. Mend it."))
        described.append(Described(place, what, video, description, list(_pairs(raw, place, what, notes))))
    return described


def _raw_items(file: Path, notes: list[Rejection]) -> Iterator[tuple[str, str, Any]]:
    if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 - a Path's own raise where a name is too long
        msg = f"{file} is no file; name a file of annotations."
        raise SourceError(msg)
    if file.suffix.lower() == ".jsonl":
        yield from _lines(file, notes)
        return
    items = read_json(file, notes)
    if not isinstance(items, list) or not items:
        what = "an empty list" if items == [] else _kind(items)
        msg = f"{file} holds {what}, but a list of annotations is needed; mend or replace the file."
        raise SourceError(msg)
    for number, raw in enumerate(items):
        yield f"{file.name}[{number}]", f"Item {number} of {file}", raw


def _lines(file: Path, notes: list[Rejection]) -> Iterator[tuple[str, str, Any]]:
    read = 0
    with open_text(file) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            place, what = f"{file.name}:{number}", f"Line {number} of {file}"
            try:
                raw = json.loads(line)
            except (ValueError, RecursionError) as error:
                notes.append(note(place, f"{what} was left out: it is not JSON ({error}). Mend the line and run again."))
                continue
            read += 1
            yield place, what, raw
    if not read:
        msg = f"{file} holds no line of JSON, but one annotation a line is needed; mend or replace the file."
        raise SourceError(msg)


def _normal_with_anomaly(raw: dict[str, Any]) -> str | None:
    """The times or the class that an item gives of an anomaly in a video that it calls normal, in words; None without any."""
    label = next((raw[key] for key in _LABELS if key in raw), None)
    if not isinstance(label, str) or label.strip().casefold() != NORMAL:
        return None
    named = [(key, value) for key, value in raw.items() if _TIMES.search(re.sub(r"\W+", "_", key.casefold()))]
    given = [
        (key, value) for key, value in named if (value.strip().casefold() if isinstance(value, str) else value) not in _NOTHING
    ]
    if all(value == -1 for _, value in given):  # as UCF-Crime writes "no anomaly"
        return None
    what = "a class of an anomaly" if all(key.casefold() in _LABELS for key, _ in given) else "times of an anomaly"
    return f"{what} ({', '.join(f'{key}: {str(value)[:60]}' for key, value in given)})"


def _pairs(item: dict[str, Any], place: str, what: str, notes: list[Rejection]) -> Iterator[QA]:
    if "QA" not in item:
        similar = next((key for key in item if key.casefold() in ("qa", "qas", "questions")), None)
        instead = f", but `{similar}`, which is not read" if similar else ""
        notes.append(note(place, f"{what} has no `QA`{instead}. Add its questions and answers, or an empty list."))
        return
    raw = item["QA"]
    if not isinstance(raw, list):
        notes.append(note(place, f"{what} has no questions: QA: {_instead(raw, 'a list')}. Mend it, or leave it out."))
        return
    for number, pair in enumerate(raw):
        question, answer = (pair.get("q"), pair.get("a")) if isinstance(pair, dict) else (None, None)
        if isinstance(question, str) and isinstance(answer, str):
            yield QA(q=question, a=answer)
            continue
        wrong = answer if isinstance(question, str) else question
        told = f"`q` and `a`: {_instead(wrong)}" if isinstance(pair, dict) else "an object with `q` and `a` is needed"
        notes.append(note(f"{place} QA[{number}]", f"QA[{number}] of {what[:1].lower()}{what[1:]} was left out: {told}."))


def _instead(value: Any, wanted: str = "text") -> str:
    is_blank = value is None or (isinstance(value, str) and not value.strip())
    return f"{wanted} is needed, but there is {'nothing' if is_blank else _kind(value)}"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")

"""Answers of a model that was run elsewhere, as JSON Lines.

`write_questions` writes what is asked, one line each::

    {"item_id": "256ac65307655685", "video": "Abuse028_x264.mp4", "path": "data/01_raw/…/Abuse028_x264.mp4", "start_s": null,
     "end_s": null, "task": "question", "question": "Who is involved?"}

Whoever runs Video-ChatGPT, VideoChat, LLaMA-Adapter or anything else goes through it, shows the model the video (from `start_s`
to `end_s` where they are not null), asks the question, and writes the same line with an `answer`::

    {"item_id": "256ac65307655685", "task": "question", "question": "Who is involved?", "answer": "Two men."}

Less is enough where it says what is meant: `video` (the name in the questions file) in the place of `item_id`; `question` without
`task`; neither of them for the description; `task` alone where an item is asked one thing of it. Other fields are left alone.
The file comes from outside: nothing in it is run, and what cannot be used is counted and named, and the rest is used.
"""

import json
from codecs import getincrementaldecoder
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.errors import HawkError
from hawk_pipelines.evaluation.asked import NAMED, has_words, in_words
from hawk_pipelines.schema import Annotation, Asked, Prediction, Video

FIELDS = ("item_id", "video", "task", "question", "answer")
"""Of a line that is read."""
LONGEST_LINE = 65_536
"""Bytes. A longer one is passed over without being held."""
LONGEST_ANSWER = 8_000
"""Characters that are compared; the rest of a longer answer is cut off, as it is where our own model writes without end."""
SHOWN = 80
"""Characters of an outside text that are shown."""

Kind = Literal["missing", "doubled", "unknown", "empty", "cut", "broken"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_TOLD: Mapping[Kind, str] = {
    "missing": "asked without an answer in it, and left out of the figures",
    "doubled": "more answers than one to what is asked, of which the first counts",
    "unknown": "about nothing, or no single thing, that is asked",
    "empty": "empty answers, which are worth 0",
    "cut": f"answers longer than {LONGEST_ANSWER:,} characters, which are cut off there",
    "broken": "no line of JSON with an answer",
}


class PredictionsFileError(HawkError):
    """A file that cannot be read at all."""


class Finding(NamedTuple):
    """How often something was amiss, and where first."""

    times: int
    first: list[str]
    """At most `NAMED`."""


class FromFile(NamedTuple):
    """What a file of answers holds."""

    predictions: list[Prediction]
    """In the order in which they were asked."""
    lines: int
    """Without empty ones."""
    asked: int
    findings: dict[Kind, Finding]
    """Every kind is in it."""
    seems: str = ""
    """What the file seems to be, where it has no line of use."""


def write_questions(path: Path, asked: Sequence[Asked], annotations: Sequence[Annotation], videos: Sequence[Video]) -> None:
    """Write what a model that is run elsewhere has to answer; references are not in it.

    Args:
        path: JSON Lines.
        asked: about items that are annotated.
        annotations: of these items, at least.
        videos: that they are about, at least; paths are those of the videos, relative to the project where they lie in it.
    """
    of_item = {one.item_id: one for one in annotations}
    paths = {video.id: video.path for video in videos}
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for one in asked:
            annotation = of_item[one.item_id]
            place = {"video": annotation.video, "path": paths[annotation.video_id]}
            span = annotation.span
            stretch = {"start_s": span.start_s, "end_s": span.end_s} if span else {"start_s": None, "end_s": None}
            line = {"item_id": one.item_id} | place | stretch | {"task": one.task, "question": one.question}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_predictions(path: Path, asked: Sequence[Asked], names: Mapping[str, str], model: str) -> FromFile:
    """Read answers and check them against what is asked.

    Args:
        path: JSON Lines, see above.
        asked: everything that is asked.
        names: of the items' videos, by item.
        model: who answered.

    Raises:
        PredictionsFileError: it is not there, no file, or cannot be read.
    """
    known = _Known(asked, names)
    counts: Counter[Kind] = Counter()
    first: dict[Kind, list[str]] = defaultdict(list)

    def note(kind: Kind, what: str) -> None:
        counts[kind] += 1
        if len(first[kind]) < NAMED:
            first[kind].append(what)

    answers: dict[int, str] = {}
    lines, head = 0, b""
    for number, line in _lines(path):
        lines += 1
        head = head or line
        try:
            fields = _fields(line)
        except ValueError as error:
            note("broken", f"line {number} ({error})")
            continue
        matching = known.matching(fields)
        if len(matching) != 1:
            meant = fields.get("item_id") or fields.get("video") or "no item"
            fitting = f" ({len(matching)} fit)" if matching else ""
            note("unknown", f"line {number} on {_shown(meant)}{fitting}")
        elif matching[0] in answers:
            note("doubled", f"line {number} on {in_words(asked[matching[0]])}")
        else:
            which, answer = matching[0], fields["answer"]
            answers[which] = answer[:LONGEST_ANSWER]
            if not has_words(answer):
                note("empty", in_words(asked[which]))
            if len(answer) > LONGEST_ANSWER:
                note("cut", in_words(asked[which]))
    for which, one in enumerate(asked):
        if which not in answers:
            note("missing", in_words(one))
    predictions = [one.answered(model, answers[which]) for which, one in enumerate(asked) if which in answers]
    findings = {kind: Finding(counts[kind], first[kind]) for kind in KINDS}
    return FromFile(predictions, lines, len(asked), findings, _seems(head) if lines == counts["broken"] else "")


def notes(found: FromFile, without: Collection[Kind] = ()) -> list[str]:
    """What has to be said of it, a sentence for each kind of finding that there is.

    Args:
        found: what the file holds.
        without: kinds that are told elsewhere.
    """
    told = []
    for kind, finding in found.findings.items():
        if finding.times and kind not in without:
            of = f"of {found.asked:,} things" if kind == "missing" else f"in {found.lines:,} lines"
            more = f" and {finding.times - len(finding.first):,} more" if finding.times > len(finding.first) else ""
            told.append(f"{finding.times:,} {of} {_TOLD[kind]}: {', '.join(finding.first)}{more}.")
    if found.seems:
        told.append(f"It seems to be {found.seems}; what is wanted is JSON Lines: UTF-8, and one object a line.")
    return told


class _Known:
    """Finds what a line is about."""

    def __init__(self, asked: Sequence[Asked], names: Mapping[str, str]) -> None:
        self._asked = asked
        self._of_item: dict[str, list[int]] = defaultdict(list)
        self._of_video: dict[str, list[int]] = defaultdict(list)
        for which, one in enumerate(asked):
            self._of_item[one.item_id].append(which)
            if one.item_id in names:
                self._of_video[names[one.item_id]].append(which)

    def matching(self, fields: Mapping[str, str]) -> list[int]:
        """All that is asked and fits what the line says."""
        if "item_id" in fields:
            mine = self._of_item.get(fields["item_id"], [])
        else:
            mine = self._of_video.get(fields.get("video", ""), [])
        task, question = fields.get("task"), fields.get("question")
        if task is None and question is None:
            task = "description"
        if task is not None:
            mine = [which for which in mine if self._asked[which].task == task]
        if question is not None:
            exact = [which for which in mine if self._asked[which].question == question]
            mine = exact or [which for which in mine if _plain(self._asked[which].question) == _plain(question)]
        return mine


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line that is not empty, with its number; of one that is too long, a byte more than is allowed."""
    if not path.is_file():
        there = "is no file" if path.exists() else "is not there"
        msg = f"The answers {path} {there}; give the path of a JSON Lines file, or leave this model out."
        raise PredictionsFileError(msg)
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                whole = line
                while len(whole) > LONGEST_LINE and not whole.endswith(b"\n"):
                    if not (whole := file.readline(LONGEST_LINE + 1)):
                        break
                if line.strip() or len(line) > LONGEST_LINE:
                    yield number, line
    except OSError as error:
        msg = f"The answers {path} cannot be read ({error.strerror}); check that it is there and its permissions."
        raise PredictionsFileError(msg) from error


def _fields(line: bytes) -> dict[str, str]:
    if len(line) > LONGEST_LINE:
        msg = f"longer than {LONGEST_LINE:,} bytes"
        raise ValueError(msg)
    try:
        found: Any = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        msg = "no JSON"
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = "no JSON object"
        raise ValueError(msg)
    wanted = {field: found[field] for field in FIELDS if found.get(field) is not None}
    if "answer" not in wanted:
        msg = "no `answer`"
        raise ValueError(msg)
    for field, value in wanted.items():
        if not isinstance(value, str):
            msg = f"`{field}` is no text"
            raise ValueError(msg)
    # Halves of characters can be written in JSON and nowhere else.
    return {field: value.encode(errors="replace").decode() for field, value in wanted.items()}


def _seems(head: bytes) -> str:
    """What a file is whose lines are of no use, by the first of them; empty where that is a line as it should be."""
    if b"\0" in head:
        return "text in UTF-16"
    try:
        text = getincrementaldecoder("utf-8-sig")().decode(head)  # which may be cut off within a character
    except UnicodeDecodeError:
        return "text in another encoding than UTF-8"
    if text.lstrip().startswith("["):
        return "a JSON array"
    try:
        return "" if not text or isinstance(json.loads(text), dict) else "no JSON"
    except (ValueError, RecursionError):
        return "JSON over several lines" if text.lstrip().startswith("{") else "no JSON"


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())

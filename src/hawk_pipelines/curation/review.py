"""Human review: what waits for a person, and what people's decisions mean for the texts of today.

What is judged is a text in a place: the description of an item, the answer to a question about it, or a question of the pool.
The texts are the pipeline's own, before any edit: an edit is put in their place at each run.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import ValidationError

from hawk_pipelines.curation.decisions import LONGEST_S, ReviewError, fault, first_fault, task_id, when
from hawk_pipelines.language.refusals import is_refusal
from hawk_pipelines.schema import Decision, ReviewKind, ReviewTask

QUEUE = Path("data/03_primary/review_queue.jsonl")


def read_queue(path: Path) -> list[ReviewTask]:
    """What is to be judged, each text once, the most needed first.

    Raises:
        ReviewError: there is no queue, or it cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
        tasks = [ReviewTask.model_validate_json(line) for line in lines if line.strip()]
        return list({task.id: task for task in tasks}.values())
    except FileNotFoundError as error:
        msg = f"There is no review queue at {path}; `kedro run --pipelines=validate` makes it, in the project's root."
        raise ReviewError(msg) from error
    except OSError as error:
        msg = f"The review queue {path} cannot be read ({error.strerror})."
        raise ReviewError(msg) from error
    except ValidationError as error:
        msg = f"{path} is no review queue ({first_fault(error)}); `kedro run --pipelines=validate` makes it anew."
        raise ReviewError(msg) from error


def find(tasks: Sequence[ReviewTask], beginning: str) -> ReviewTask:
    """The task whose id begins so.

    Raises:
        ReviewError: there is none, or more than one.
    """
    found = [task for task in tasks if beginning and task.id.startswith(beginning.lower())]
    if len({task.id for task in found}) == 1:
        return found[0]
    if not found:
        msg = f"No task in the queue has an id that begins with {beginning!r}; `hawk review list` shows the queue, and "
        msg += "with `--video` all texts of a video."
        raise ReviewError(msg)
    some = ", ".join(task.id for task in found[:5])
    msg = f"{len(found)} tasks have an id that begins with {beginning!r} (such as {some}); give more of it."
    raise ReviewError(msg)


def waiting(tasks: Iterable[ReviewTask], decisions: Iterable[Decision], reviewer: str, second: bool = False) -> list[ReviewTask]:
    """What a reviewer is to judge: what nobody has decided or, for a second opinion, what others have and they have not."""
    judged = defaultdict(set)
    for decision in decisions:
        judged[decision.task_id].add(decision.reviewer)
    return [task for task in tasks if bool(judged[task.id]) is second and reviewer not in judged[task.id]]


def decide(
    task: ReviewTask,
    decision: Literal["accept", "edit", "reject"],
    reviewer: str,
    edited: str | None = None,
    seconds: float | None = None,
    note: str | None = None,
) -> Decision:
    """A decision on a task, taken now.

    Args:
        edited: the new text, where it is an edit.
        seconds: how long it took.

    Raises:
        ReviewError: a refusal is accepted, an edit has no new text, no reviewer, or seconds that are no duration.
    """
    if decision == "accept" and task.kind != "question" and is_refusal(task.text):
        msg = f"The decision on {task.id} was not recorded: a language model's refusal is never trained on; edit or reject it."
        raise ReviewError(msg)
    try:
        made = Decision(
            task_id=task.id,
            kind=task.kind,
            item_id=task.item_id,
            question=task.question,
            text=task.text,
            decision=decision,
            edited=edited.strip() if edited is not None else None,
            reviewer=reviewer.strip(),
            time=datetime.now(UTC).isoformat(),
            seconds=None if seconds is None else round(seconds, 2),
            note=note,
        )
    except ValidationError as error:
        msg = f"The decision on {task.id} was not recorded: {seconds} seconds are no duration."
        raise ReviewError(msg) from error
    if made.seconds is not None and made.seconds > LONGEST_S:
        made = made.model_copy(update={"seconds": None})  # the page stood open
    if wrong := fault(made):
        msg = f"The decision on {task.id} was not recorded: {wrong}."
        raise ReviewError(msg)
    return made


# --- what decisions mean -------------------------------------------------------------------------------------------------


class Subject(Protocol):
    """A text in its place; every `ReviewTask` is one."""

    @property
    def kind(self) -> ReviewKind: ...  # noqa: D102
    @property
    def item_id(self) -> str | None: ...  # noqa: D102
    @property
    def question(self) -> str | None: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


class Text(NamedTuple):
    """A text in its place that need not be in the queue."""

    kind: ReviewKind
    item_id: str | None
    question: str | None
    text: str


class Ruling(NamedTuple):
    """What the decisions on one text come to."""

    outcome: Literal["accept", "edit", "reject", "disputed", "stale"]
    """`disputed`: reviewers differ in whether it can be used. `stale`: it was edited or rejected, and has changed since."""
    text: str
    """What is to be used: the text, or the edit that stands. For `stale`, the edit of the earlier text, if it was edited."""
    reviewers: list[str]
    """Who decided, by time."""
    reason: str
    """In a sentence."""


class Rulings(NamedTuple):
    """What all decisions come to."""

    by_task: dict[str, Ruling]
    """By task id. A text that is not in it was judged by nobody."""
    stale: list[Decision]
    """About texts that have changed since. They decide nothing: what took the text's place is judged anew."""
    gone: list[Decision]
    """About items or questions that are no longer in the data. They decide nothing and are kept."""

    def of(self, kind: ReviewKind, item_id: str | None, question: str | None, text: str) -> Ruling | None:
        """The ruling on a text, before any edit; None where nobody judged it."""
        return self.by_task.get(task_id(kind, item_id, question, text)) if self.by_task else None


def rule(decisions: Iterable[Decision], texts: Iterable[Subject]) -> Rulings:
    """What counts of the decisions, for the texts of today.

    Of each reviewer the last decision on a text counts, by its time. Reviewers who differ in whether the text can be used
    (accepted or edited) leave it disputed until they agree; of several edits the latest stands. A decision on a text that is not
    there any more decides nothing; but where it was an edit or a rejection, what took the text's place needs review again, unless
    it is what the edit said.

    Args:
        decisions: in the order in which they were recorded, which decides between equal times.
        texts: all of the data, in the queue or not: what is not among them is stale or gone.
    """
    today: dict[str, Subject] = {}
    places: dict[tuple[str, str | None, str | None], dict[str, Subject]] = defaultdict(dict)
    for one in texts:
        identity = task_id(one.kind, one.item_id, one.question, one.text)
        today[identity] = one
        if one.kind != "question":  # which is its own place: another question is no newer version of it
            places[one.kind, one.item_id, one.question][identity] = one
    by_task: dict[str, Ruling] = {}
    stale: list[Decision] = []
    gone: list[Decision] = []
    outlived: list[Decision] = []
    for identity, given in _last(decisions).items():
        first = given[0]
        if identity in today:
            by_task[identity] = _ruling(given)
        elif (first.kind, first.item_id, first.question) in places:
            stale += given
            if _ruling(given).outcome == "edit":
                outlived.append(_latest_edit(given))
            elif _ruling(given).outcome == "reject":
                outlived.append(given[-1])
        else:
            gone += given
    judged = set(by_task)
    for decision in sorted(outlived, key=when):
        for identity, one in places[decision.kind, decision.item_id, decision.question].items():
            if identity not in judged:
                by_task[identity] = _outlived(decision, one.text)
    return Rulings(by_task, stale, gone)


def _last(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """Each reviewer's last decision on each task, by time."""
    last: dict[str, dict[str, Decision]] = defaultdict(dict)
    for decision in sorted(decisions, key=when):
        last[decision.task_id][decision.reviewer] = decision
    return {identity: sorted(given.values(), key=when) for identity, given in last.items()}


def _latest_edit(given: Sequence[Decision]) -> Decision:
    return [decision for decision in given if decision.decision == "edit"][-1]


def _ruling(given: Sequence[Decision]) -> Ruling:
    """Args:
    given: one decision of each reviewer on the same text, by time.
    """
    text = given[0].text
    reviewers = [decision.reviewer for decision in given]
    notes = "".join(f" {decision.reviewer} notes: {decision.note}" for decision in given if decision.note)
    usable = [decision.reviewer for decision in given if decision.decision != "reject"]
    refused = [decision.reviewer for decision in given if decision.decision == "reject"]
    if usable and refused:
        differ = f"{_names(usable)} would use it, {_names(refused)} would not"
        return Ruling("disputed", text, reviewers, f"Reviewers differ: {differ}. One of them must decide again.{notes}")
    if refused:
        return Ruling("reject", text, reviewers, f"Rejected by {_names(refused)}.{notes}")
    if any(decision.decision == "edit" for decision in given):
        edit = _latest_edit(given)
        return Ruling("edit", edit.edited or "", reviewers, f"Edited by {edit.reviewer}.{notes}")
    return Ruling("accept", text, reviewers, f"Accepted by {_names(usable)}.{notes}")


def _outlived(edit: Decision, text: str) -> Ruling:
    """What an edit or a rejection of an earlier text means for the text that took its place."""
    if edit.decision == "reject":
        reason = f"{edit.reviewer} rejected an earlier text, which has changed since: judge the new one."
        return Ruling("stale", text, [edit.reviewer], reason)
    wanted = edit.edited or ""
    if wanted == text:
        return Ruling("accept", text, [edit.reviewer], f"It says what {edit.reviewer} made of an earlier text.")
    reason = f"{edit.reviewer} edited an earlier text, which has changed since: judge the new one, or edit it again."
    return Ruling("stale", wanted, [edit.reviewer], reason)


def _names(reviewers: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(reviewers[:-1]), reviewers[-1]]))


# --- how the review went -------------------------------------------------------------------------------------------------


def summarise(decisions: Iterable[Decision]) -> dict:
    """Counts, time per item and agreement between reviewers, of each reviewer's last decision on each task.

    Returns:
        `decisions` (all that were recorded), `tasks`; `by_kind`: how many of each decision; `by_reviewer`: `tasks` and
        `median_seconds` (None where no time is known); `judged_by_several`: tasks; `agreement`: the share of those on which all
        say the same about whether the text can be used (accept and edit against reject), and `krippendorff_alpha`, the same
        freed of chance: 1 is full agreement, 0 is what chance gives. None where there is nothing to compute it from.
    """
    recorded = list(decisions)
    last = _last(recorded)
    given = [decision for one in last.values() for decision in one]
    by_kind = {kind: {"accept": 0, "edit": 0, "reject": 0} for kind in ("description", "answer", "question")}
    seconds: dict[str, list[float]] = defaultdict(list)
    for decision in given:
        by_kind[decision.kind][decision.decision] += 1
        seconds[decision.reviewer] += [] if decision.seconds is None else [decision.seconds]
    tasks = Counter(decision.reviewer for decision in given)
    usable = [[decision.decision != "reject" for decision in one] for one in last.values() if len(one) > 1]
    return {
        "decisions": len(recorded),
        "tasks": len(last),
        "by_kind": by_kind,
        "by_reviewer": {
            name: {"tasks": tasks[name], "median_seconds": statistics.median(seconds[name]) if seconds[name] else None}
            for name in sorted(tasks)
        },
        "judged_by_several": len(usable),
        "agreement": sum(len(set(values)) == 1 for values in usable) / len(usable) if usable else None,
        "krippendorff_alpha": krippendorff_alpha(usable),
    }


def krippendorff_alpha(units: Sequence[Sequence[object]]) -> float | None:
    """Agreement freed of chance, for any number of judges and values without order.

    Args:
        units: for each thing that was judged the values that it got, each judge's one; units with fewer than two do not count.

    Returns:
        At most 1; None where there is no unit with two values, or where all values are the same.
    """
    counts = [Counter(values) for values in units if len(values) > 1]
    total: Counter = sum(counts, Counter())
    n = total.total()
    expected = n * n - sum(count * count for count in total.values())
    if expected == 0:
        return None
    unlike = [(one.total() ** 2 - sum(count * count for count in one.values())) / (one.total() - 1) for one in counts]
    return 1 - (n - 1) * sum(unlike) / expected

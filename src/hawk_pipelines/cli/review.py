"""`hawk review`: look at what waits for a person, decide, and exchange decisions with others."""

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hawk_pipelines.cli.options import one_sentence, say
from hawk_pipelines.cli.workspace import in_data_root
from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import plain, printable

if TYPE_CHECKING:
    from hawk_pipelines.curation.review import Ruling
    from hawk_pipelines.schema import Decision, ReviewTask

LONGEST = 4000
"""Characters of one text that are shown."""
FINDINGS = 20
"""Faults of an imported file that are shown."""
_NEEDED_DONE = (
    "All that needs a decision has one, and `kedro run` heeds it. What follows was drawn at random or is a question of the pool: "
    "look at it as far as you like."
)
"""What is said before the first task that no run waits for."""
_NEEDED_OF_KIND_DONE = "No {kind} needs a decision. What follows is of use to look at, and nothing waits for it."

_KINDS = click.Choice(["description", "answer", "question"])
_file = click.Path(dir_okay=False, path_type=Path)
_queue = in_data_root("--queue", place="03_primary/review_queue.jsonl", type=_file, help="What is to be judged.")
_drafts = in_data_root("--drafts", place="03_primary/judged_drafts.jsonl", type=_file, help="Every text, queued or not.")
_store = in_data_root("--store", place="01_raw/review/decisions.sqlite", type=_file, help="What was decided.")
_seconds = click.option("--seconds", type=click.FloatRange(0, 86_400), help="How long it took.")
_note = click.option("--note", metavar="TEXT", help="A remark, kept with the decision.")
_kind = click.option("--kind", type=_KINDS, help="Only these.")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return ""


_reviewer = click.option(
    "--reviewer", envvar="HAWK_REVIEWER", default=_login, show_default="HAWK_REVIEWER or the login name", help="Who decides."
)


def _deciding(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes that decides on tasks."""
    for option in (_note, _seconds, _reviewer, _store, _drafts, _queue):
        command = option(command)
    return command


@click.group()
def review() -> None:
    """Judge descriptions, answers and questions: accept, edit or reject.

    Decisions are only ever added to, and the next `kedro run` heeds them. Tasks are named by their ids or the beginning of one.
    """


@review.command("next")
@_queue
@_store
@_reviewer
@_kind
@click.option("--second", is_flag=True, help="What others have decided and you have not, for a second opinion.")
@click.option("--loop/--once", default=None, help="Ask for one decision after the other; the default in a terminal.")
def next_task(queue: Path, store: Path, reviewer: str, kind: str | None, second: bool, loop: bool | None) -> None:
    """Show what is to be judged next, and ask for a decision."""
    if loop is None:
        loop = sys.stdin.isatty() and sys.stdout.isatty()
    skipped: set[str] = set()
    needed_before = True
    with one_sentence():
        while True:
            undecided = _waiting(queue, store, reviewer, kind, second)
            offered = [task for task in undecided if task.id not in skipped]
            if not offered:
                break
            task = offered[0]
            needed = any(task.reasons for task in undecided)
            if needed_before and not needed and not second:
                click.echo(_NEEDED_DONE if kind is None else _NEEDED_OF_KIND_DONE.format(kind=kind))
            needed_before = needed
            _show(task, _ruling(task, store), _count(offered, second))
            if not loop:
                click.echo(f"hawk review accept {task.id}    or `edit`, or `reject`")
                return
            answer = _ask(task, store, reviewer)
            if answer == "quit":
                return
            if answer == "skip":
                skipped.add(task.id)
        click.echo("Nothing more waits for you." if not second else "There is nothing more to give a second opinion on.")


def _waiting(queue: Path, store: Path, reviewer: str, kind: str | None, second: bool) -> "list[ReviewTask]":
    from hawk_pipelines.curation.decisions import read
    from hawk_pipelines.curation.review import read_queue, waiting

    tasks = waiting(read_queue(queue), read(store), reviewer.strip(), second)
    return sorted((task for task in tasks if kind in (None, task.kind)), key=lambda task: not task.reasons)


def _count(offered: "Sequence[ReviewTask]", second: bool) -> str:
    """How many tasks there are, and how many of them the next run waits for."""
    needed = sum(bool(task.reasons) for task in offered)
    return f"{len(offered):,} waiting" if second else f"{needed:,} needed, {len(offered) - needed:,} more to look at"


def _ask(task: "ReviewTask", store: Path, reviewer: str) -> Literal["decided", "skip", "quit"]:
    """Ask until there is an answer; what is decided is recorded at once."""
    shown = time.monotonic()
    letters = click.Choice(["a", "e", "r", "s", "q"], case_sensitive=False)
    while True:
        try:
            letter = click.prompt("(a)ccept, (e)dit, (r)eject, (s)kip or (q)uit", type=letters, show_choices=False)
            edited = _new_text(task, store, reviewer) if letter == "e" else None
        except click.Abort:
            click.echo()
            return "quit"
        if letter in ("s", "q"):
            return "skip" if letter == "s" else "quit"
        if letter != "e":
            _decide([task], "accept" if letter == "a" else "reject", store, reviewer, seconds=time.monotonic() - shown)
            return "decided"
        if edited:
            _decide([task], "edit", store, reviewer, edited, seconds=time.monotonic() - shown)
            return "decided"
        click.echo("The text is empty or as it was: nothing was recorded.")


@review.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_deciding
def accept(
    ids: tuple[str, ...], queue: Path, drafts: Path, store: Path, reviewer: str, seconds: float | None, note: str | None
) -> None:
    """Let each ID be used as it is."""
    with one_sentence():
        _decide(_tasks(queue, drafts, ids), "accept", store, reviewer, seconds=seconds, note=note)


@review.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_deciding
def reject(
    ids: tuple[str, ...], queue: Path, drafts: Path, store: Path, reviewer: str, seconds: float | None, note: str | None
) -> None:
    """Let no ID be used: a description costs its item, an answer or question only itself."""
    with one_sentence():
        _decide(_tasks(queue, drafts, ids), "reject", store, reviewer, seconds=seconds, note=note)


@review.command()
@click.argument("id", metavar="ID")
@click.option("--text", metavar="TEXT", help="The new text; without it an editor opens, or the text is read from stdin.")
@_deciding
def edit(
    id: str,  # noqa: A002
    text: str | None,
    queue: Path,
    drafts: Path,
    store: Path,
    reviewer: str,
    seconds: float | None,
    note: str | None,
) -> None:
    """Let ID be used with other words."""
    with one_sentence():
        tasks = _tasks(queue, drafts, [id])
        if text is None:
            opened = time.monotonic()
            text = _new_text(tasks[0], store, reviewer) if sys.stdin.isatty() else _piped()
            if text is None:
                msg = "The text is as it was: nothing was recorded. `hawk review accept` accepts it so."
                raise HawkError(msg)
            if seconds is None and sys.stdin.isatty():
                seconds = time.monotonic() - opened
        _decide(tasks, "edit", store, reviewer, text, seconds, note)


def _piped() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = "The new text on stdin is not in UTF-8; nothing was recorded."
        raise HawkError(msg) from error


def _new_text(task: "ReviewTask", store: Path, reviewer: str) -> str | None:
    """The text as changed in the reviewer's editor, beginning with their own earlier edit; None where it was left as it is."""
    earlier = _ruling(task, store)
    own = earlier is not None and (earlier.outcome == "stale" or (earlier.outcome == "edit" and reviewer in earlier.reviewers))
    beginning = earlier.text if earlier and own else task.text
    if sys.stdin.isatty():
        text = click.edit(beginning)
        text = None if text is None else text.strip()
    else:
        text = str(click.prompt("New text")).strip()
    return None if text is None or text == task.text.strip() else text


def _tasks(queue: Path, drafts: Path, ids: Iterable[str]) -> "list[ReviewTask]":
    """Tasks of the queue or, where an id is none of these, of any text that was drafted."""
    from hawk_pipelines.curation.review import find, read_queue

    tasks, others = read_queue(queue), None
    found = []
    for one in ids:
        if not any(task.id.startswith(one.lower()) for task in tasks):
            others = _unqueued(drafts, tasks) if others is None else others
            tasks = [*tasks, *(task for task in others if one and task.id.startswith(one.lower()))]
        found.append(find(tasks, one))
    return found


def _unqueued(drafts: Path, queue: "Sequence[ReviewTask]") -> "list[ReviewTask]":
    """The texts of all drafts whose place is not in the queue, where edited ones are with their text before the edit."""
    from hawk_pipelines.curation.settling import tasks_of
    from hawk_pipelines.schema import JudgedDraft

    if not drafts.is_file():
        return []
    with drafts.open(encoding="utf-8") as lines:
        try:
            tasks = [task for line in lines if line.strip() for task in tasks_of(JudgedDraft.model_validate_json(line))]
        except ValueError as error:
            msg = f"{drafts} cannot be read as drafts; `kedro run --pipelines=validate` makes it anew."
            raise HawkError(msg) from error
    queued = {(task.kind, task.item_id, task.question) for task in queue}
    return [task for task in tasks if (task.kind, task.item_id, task.question) not in queued]


def _ruling(task: "ReviewTask", store: Path) -> "Ruling | None":
    from hawk_pipelines.curation.decisions import read
    from hawk_pipelines.curation.review import rule

    return rule(read(store), [task]).by_task.get(task.id)


def _decide(
    tasks: "Sequence[ReviewTask]",
    decision: Literal["accept", "edit", "reject"],
    store: Path,
    reviewer: str,
    edited: str | None = None,
    seconds: float | None = None,
    note: str | None = None,
) -> None:
    from hawk_pipelines.curation.decisions import record
    from hawk_pipelines.curation.review import decide

    if not reviewer.strip():
        msg = "Who decides? Give --reviewer NAME, or set HAWK_REVIEWER."
        raise HawkError(msg)
    record(store, [decide(task, decision, reviewer, edited, seconds, note) for task in tasks])
    done = {"accept": "accepted", "edit": "edited", "reject": "rejected"}[decision]
    for task in tasks:
        say(f"{task.id} {done} by {plain(reviewer)}: {_beginning(edited or task.text)}")


@review.command("list")
@_queue
@_store
@_kind
@click.option(
    "--state",
    type=click.Choice(["waiting", "accepted", "edited", "rejected", "disputed", "stale"]),
    help="Only these; stale is what was edited and has changed since.",
)
@click.option("--video", help="All texts of the videos whose name holds this, in the queue or not.")
@_drafts
def list_tasks(queue: Path, store: Path, kind: str | None, state: str | None, video: str | None, drafts: Path) -> None:
    """List the queue, or all texts of a video: each one's id, and how it stands."""
    from rich.table import Table
    from rich.text import Text

    from hawk_pipelines.terminal import Terminal

    with one_sentence():
        listed = _standing(queue, store)
        if video is not None:
            listed += [(task, "not queued") for task in _unqueued(drafts, [task for task, _ in listed])]
            listed = [(task, how) for task, how in listed if video in (task.video or "")]
        standing = [(task, how) for task, how in listed if kind in (None, task.kind) and state in (None, how)]
    table = Table(box=None, pad_edge=False)
    for title, width in (("id", 12), ("kind", 11), ("state", 10), ("video", None), ("text", None)):
        table.add_column(title, overflow="ellipsis", no_wrap=True, min_width=width, max_width=24 if title == "video" else width)
    for task, how in standing:
        table.add_row(task.id, task.kind, how, Text(plain(task.video or "")), Text(_beginning(task.text)))
    Terminal().print(table if standing else "There is none.")


def _standing(queue: Path, store: Path) -> "list[tuple[ReviewTask, str]]":
    """Each task of the queue and how it stands."""
    from hawk_pipelines.curation.decisions import read
    from hawk_pipelines.curation.review import read_queue, rule

    tasks = read_queue(queue)
    rulings = rule(read(store), tasks).by_task
    names = {"accept": "accepted", "edit": "edited", "reject": "rejected", "disputed": "disputed", "stale": "stale"}
    return [(task, names[rulings[task.id].outcome] if task.id in rulings else "waiting") for task in tasks]


@review.command()
@_queue
@_store
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def stats(queue: Path, store: Path, as_json: bool) -> None:
    """Say how far the review is, how long it takes, and how well reviewers agree."""
    from collections import Counter

    from hawk_pipelines.curation.decisions import read
    from hawk_pipelines.curation.review import summarise

    with one_sentence():
        standing = _standing(queue, store)
        decisions = read(store)
    ids = {task.id for task, _ in standing}
    figures = {
        "queue": {
            "tasks": len(standing),
            "drawn_at_random": sum(not task.reasons and task.kind != "question" for task, _ in standing),
            "states": dict(sorted(Counter(how for _, how in standing).items())),
        },
        "not_in_queue": sum(decision.task_id not in ids for decision in decisions),
        **summarise(decisions),
    }
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        _show_stats(figures)


def _show_stats(figures: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hawk_pipelines.terminal import Terminal

    console = Terminal()
    queue = figures["queue"]
    states = ", ".join(f"{count:,} {state}" for state, count in queue["states"].items()) or "empty"
    console.print(f"Queue: {queue['tasks']:,} tasks ({queue['drawn_at_random']:,} drawn at random): {states}.")
    elsewhere = f"; {figures['not_in_queue']:,} of them on nothing that is in the queue" if figures["not_in_queue"] else ""
    console.print(f"Store: {figures['decisions']:,} decisions on {figures['tasks']:,} tasks{elsewhere}.")
    if not figures["decisions"]:
        return
    kinds = Table("kind", box=None, pad_edge=False)
    for decision in ("accept", "edit", "reject"):
        kinds.add_column(decision, justify="right")
    for kind, counts in figures["by_kind"].items():
        kinds.add_row(kind, *(f"{count:,}" for count in counts.values()))
    console.print(kinds)
    reviewers = Table("reviewer", box=None, pad_edge=False)
    reviewers.add_column("tasks", justify="right")
    reviewers.add_column("median time", justify="right")
    for name, one in figures["by_reviewer"].items():
        median = one["median_seconds"]
        reviewers.add_row(Text(plain(name)), f"{one['tasks']:,}", "" if median is None else f"{median:.1f} s")
    console.print(reviewers)
    if figures["judged_by_several"]:
        alpha = figures["krippendorff_alpha"]
        chance = "" if alpha is None else f"; Krippendorff's alpha {alpha:.2f}"
        console.print(
            f"Agreement on {figures['judged_by_several']:,} tasks that several judged: {figures['agreement']:.0%}{chance}."
        )


@review.command("export")
@click.argument("file", type=_file)
@_queue
@_store
@click.option("--format", "form", type=click.Choice(["jsonl", "label-studio"]), default="jsonl", show_default=True)
@click.option(
    "--tasks", type=click.Choice(["waiting", "decided", "all"]), default="waiting", show_default=True,
    help="With `all`, JSON Lines also hold the decisions on what is no longer in the queue.",
)  # fmt: skip
@click.option("--videos-at", metavar="URL", help="Label Studio: the address below which the videos are served.")
def export_tasks(file: Path, queue: Path, store: Path, form: str, tasks: str, videos_at: str | None) -> None:
    """Write tasks and their decisions to FILE; `-` is the standard output.

    For Label Studio, the labelling interface is written beside it, as FILE with the ending .xml. A named pipe or a device is
    written to as it is, and a link stays a link.
    """
    from hawk_pipelines.curation.decisions import read
    from hawk_pipelines.curation.exchange import (
        STANDARD_OUTPUT,
        write_json_lines,
        write_label_studio,
        write_label_studio_interface,
    )

    with one_sentence():
        decisions = read(store)
        judged = {decision.task_id for decision in decisions}
        wanted = [task for task, _ in _standing(queue, store) if tasks == "all" or (task.id in judged) is (tasks == "decided")]
        if form == "jsonl":
            lines = write_json_lines(file, wanted, decisions, others=tasks == "all")
            say(f"{lines:,} lines written to {file}.", err=file == STANDARD_OUTPUT)
            return
        if file == STANDARD_OUTPUT:
            msg = "Label Studio's interface is written beside its tasks, so the tasks need the name of a file, and not `-`."
            raise HawkError(msg)
        interface = file.with_suffix(".xml")
        if interface == file:
            msg = (
                f"The labelling interface is written to {file}; give the tasks another name, such as {file.with_suffix('.json')}."
            )
            raise HawkError(msg)
        written = write_label_studio(file, wanted, videos_at)
        write_label_studio_interface(interface, with_video=videos_at is not None)
        say(f"{written:,} tasks written to {file}, and the labelling interface to {interface}.")


@review.command("import")
@click.argument("file", type=_file)
@_queue
@_store
@click.option("--reviewer", metavar="NAME", help="Whose decisions all of them are, whatever FILE says.")
def import_decisions(file: Path, queue: Path, store: Path, reviewer: str | None) -> None:
    """Add the decisions in FILE: JSON Lines, or Label Studio's JSON export.

    What is known already is passed over, so importing twice does no harm. What cannot be used is named, the rest is used, and the
    exit status is 1.
    """
    from hawk_pipelines.curation.decisions import record
    from hawk_pipelines.curation.exchange import read_decisions

    with one_sentence():
        read = read_decisions(file, reviewer)
        added = record(store, read.decisions) if read.decisions else 0
        known = len(read.decisions) - added
        say(f"{added:,} decisions added to {store}" + (f"; {known:,} were there already." if known else "."))
        if unmatched := _unmatched(read.decisions, queue):
            click.echo(
                f"{unmatched:,} of them match nothing in the queue: they are kept, and count once their texts are there again."
            )
    for finding in read.findings[:FINDINGS]:
        say(finding, err=True)
    if len(read.findings) > FINDINGS:
        click.echo(f"… and {len(read.findings) - FINDINGS:,} more.", err=True)
    sys.exit(1 if read.findings else 0)


def _unmatched(decisions: "Sequence[Decision]", queue: Path) -> int:
    from hawk_pipelines.curation.review import read_queue

    if not queue.exists():  # decisions may come before the first run
        return 0
    ids = {task.id for task in read_queue(queue)}
    return sum(decision.task_id not in ids for decision in decisions)


# --- showing -------------------------------------------------------------------------------------------------------------


def _beginning(text: str, length: int = 80) -> str:
    line = plain(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _show(task: "ReviewTask", ruling: "Ruling | None", count: str) -> None:
    from rich.text import Text

    from hawk_pipelines.terminal import Terminal

    console = Terminal()
    line: Callable[[str], None] = lambda text: console.print(Text(printable(text)))  # noqa: E731
    console.rule(Text(f"{task.kind} {task.id} ({count})"), align="left")
    for name, value in (("video", task.video), ("file", task.path), ("question", task.question)):
        if value is not None:
            line(f"{name}: {value}")
    rest = len(task.text) - LONGEST
    more = f" … and {rest:,} characters more" if rest > 0 else ""
    console.print(Text(printable(task.text[:LONGEST]) + more, style="bold"))
    pool = task.kind == "question"
    anyway = "Every question of the pool is looked at." if pool else "Drawn at random from what the checks let pass."
    for reason in task.reasons or [anyway]:
        line(f"why: {reason}")
    for source in task.sources:
        line(f"from: {source}")
    if ruling and ruling.outcome == "stale":  # what others say of this text is not shown: a second opinion is one's own
        line(f"before: {ruling.reason}")
        line(f"edit: {ruling.text}")

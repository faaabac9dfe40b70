"""Progress on a terminal, silence elsewhere."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hawk_pipelines import logs

T = TypeVar("T")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    _Rate(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


class Bar:
    """A progress bar that is moved by hand."""

    def __init__(self, title: str, total: int | None) -> None:
        console = Console(stderr=True)
        self._progress = Progress(*_COLUMNS, console=console, disable=logs.is_quiet() or not console.is_terminal, transient=True)
        self._task = self._progress.add_task(title, total=total)
        self._progress.start()

    def advance(self) -> None:
        """One more is done."""
        self._progress.advance(self._task)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def progress(items: Iterable[T], title: str, total: int | None = None) -> Iterator[T]:
    """Iterate, showing how far it is and how long it will take."""
    shown = Bar(title, len(items) if total is None and isinstance(items, Sized) else total)
    try:
        for item in items:
            yield item
            shown.advance()
    finally:
        shown.close()

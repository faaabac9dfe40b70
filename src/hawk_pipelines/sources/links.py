"""Links below a source's folders: those that lead out of them are followed only where a setting says so.

A folder may come from anywhere, and a link in it may name any file of this machine. While rules are in force (`link_rules`),
every way of looking in `tree.py` keeps to them and sets down what it left out. Where none are, as in a reader that is called by
itself, links are followed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from hawk_pipelines.schema import Rejection
from hawk_pipelines.sources.reading import note, some


@dataclass(frozen=True)
class LinkRules:
    """Which links are followed, and what was left out so far, each path with what it leads to or why."""

    roots: tuple[str, ...]
    """Real paths: links whose target lies below one of them are followed."""
    follow_links: bool
    """Whether all others are followed too."""
    leading_out: dict[str, str] = field(default_factory=dict)
    leading_out_names: dict[str, set[str]] = field(default_factory=dict)
    """The names of those links by their folder."""
    broken: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def notes(self) -> list[Rejection]:
        """One line for each kind of what was left out."""
        kinds = (
            (
                self.leading_out,
                "lead out of the source's folder and are not followed",
                "`ingest.follow_links: true` follows them",
            ),
            (self.broken, "lead to nothing", "mend or remove them"),
        )
        notes = []
        for paths, what, remedy in kinds:
            if paths:
                examples = some([f"{path} to {target}" for path, target in sorted(paths.items())])
                notes.append(note(min(paths), f"{len(paths):,} link(s) {what} ({examples}); {remedy}."))
        if self.unreadable:
            examples = some([f"{path}: {reason}" for path, reason in sorted(self.unreadable.items())])
            what = f"{len(self.unreadable):,} folder(s) cannot be read and are passed over ({examples})"
            notes.append(note(min(self.unreadable), f"{what}; check their permissions."))
        return notes


_rules: ContextVar[LinkRules | None] = ContextVar("link_rules", default=None)


@contextmanager
def link_rules(roots: Iterable[Path], *, follow_links: bool = False) -> Iterator[list[Rejection]]:
    """Put rules in force while the block runs. Where there are rules already, those stay; without roots there are none.

    Args:
        roots: the folders of the source. They may be links themselves.
        follow_links: whether links that lead out of the roots are followed.

    Yields:
        A list that has the notes about what was left out once the block ends.
    """
    notes: list[Rejection] = []
    real_roots = tuple(os.path.realpath(root) for root in roots)
    if _rules.get() is not None or not real_roots:
        yield notes
        return
    rules = LinkRules(real_roots, follow_links)
    token = _rules.set(rules)
    try:
        yield notes
    finally:
        _rules.reset(token)
        notes += rules.notes()


def folders_of_settings(settings: Iterable[object]) -> list[Path]:
    """The folders that the settings of a source name; of a file the folder that it lies in."""
    paths = [Path(value) for value in settings if isinstance(value, Path) or (isinstance(value, str) and os.path.isdir(value))]  # noqa: PTH112 - a Path's own raises where it may not look
    return [path.parent if path.is_file() else path for path in paths]


def is_followed(path: str | Path) -> bool:
    """Whether a path, which may be a link or lie behind one, is looked at. What is not is set down."""
    rules = _rules.get()
    if rules is None:
        return True
    real = os.path.realpath(path)
    if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114 - a Path's own raises where it may not look
        rules.broken[str(path)] = real
        return False
    if rules.follow_links or any(_is_below(real, root) for root in rules.roots):
        return True
    rules.leading_out[str(path)] = real
    folder, name = os.path.split(path)
    rules.leading_out_names.setdefault(folder, set()).add(name)
    return False


def set_down_unreadable(path: str, reason: str) -> bool:
    """Set down a folder that cannot be read; whether there are rules in force that do so."""
    rules = _rules.get()
    if rules is not None:
        rules.unreadable[path] = reason
    return rules is not None


def leading_out_of(folder: Path) -> set[str]:
    """The names in a folder that were left out so far, since they lead out of the source."""
    rules = _rules.get()
    return rules.leading_out_names.get(str(folder), set()) if rules else set()


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)

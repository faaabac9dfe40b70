"""Which video of a folder a written name means."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from hawk_pipelines.sources.text_files import unsafe
from hawk_pipelines.sources.tree import is_video_file


class VideoNames:
    """The names of a folder's videos, each found by other ways to write it."""

    def __init__(self, names: Iterable[str], root: Path) -> None:
        self.names = dict.fromkeys(names)
        self.roots = [path.as_posix().rstrip("/") + "/" for path in (root.absolute(), root.resolve())]
        self.composed: dict[str, list[str]] = defaultdict(list)
        self.folded: dict[str, list[str]] = defaultdict(list)
        self.stems: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            self.composed[unicodedata.normalize("NFC", name)].append(name)
            self.folded[_folded(name)].append(name)
            if is_video_file(PurePosixPath(name)):
                self.stems[_folded(str(PurePosixPath(name).with_suffix("")))].append(name)

    def find(self, written: str) -> list[str]:
        """The videos that a name may mean: one where it is certain, none where there is none.

        Exactly as written goes before another Unicode form, that before other capitals, and that before a name without ending.
        Backslashes, a leading `./` and the path of the folder itself do not matter. What climbs out of the folder is not found.
        """
        if written in self.names:
            return [written]
        path = self._below_root(written)
        if path in self.names:
            return [path]
        if unsafe(path):
            return []
        folded = _folded(path)
        return self.composed.get(unicodedata.normalize("NFC", path)) or self.folded.get(folded) or self.stems.get(folded) or []

    def _below_root(self, written: str) -> str:
        path = written.replace("\\", "/")
        if path in self.names:
            return path
        path = PurePosixPath(path).as_posix()
        for root in self.roots:
            if path.startswith(root):
                return path.removeprefix(root)
        return path


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())

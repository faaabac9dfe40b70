"""The question pool: reading it, and choosing what an item is asked.

Every question has a kind (5W2H) and an `asks`: what would answer it. Rules know by it which answer fits; `open` questions are for
people and language models.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hawk_pipelines.errors import HawkError

logger = logging.getLogger(__name__)

ASKS = {
    "what": ("event", "class", "whether", "open"),
    "who": ("actor", "open"),
    "where": ("place", "open"),
    "when": ("begin", "end", "span", "open"),
    "how": ("event", "motion", "open"),
    "how much": ("share", "duration", "count", "open"),
    "why": ("class", "open"),
}
"""The seven kinds, and what questions of each may ask for. `conf/questions.yml` says what each means."""

LONGEST = 200
"""Characters of a question."""
LARGEST = 1_000_000
"""Bytes of a pool."""
UNBALANCED = 2
"""Warned of when the largest kind has more than so many times the questions of the smallest."""


class PoolError(HawkError):
    """A question pool that cannot be used."""


class Question(NamedTuple):
    """A question of the pool."""

    text: str
    kind: str
    asks: str


class Pool(NamedTuple):
    """All questions, in the order of the file, and a hash of them that comments in the file do not change."""

    questions: tuple[Question, ...]
    sha256: str


def read_pool(path: Path) -> Pool:
    """Read a pool: kind, then what is asked for, then a list of questions.

    Args:
        path: a YAML file, at most `LARGEST` bytes.

    Raises:
        PoolError: it is missing or no such file, or a kind, an `asks` or a question in it is none.
    """
    questions = tuple(_checked(path, _entries(path, _load(path))))
    if not questions:
        msg = f"{path} holds no question; write some, or set `annotate.questions` to another file."
        raise PoolError(msg)
    sizes = dict.fromkeys(ASKS, 0) | Counter(question.kind for question in questions)
    if max(sizes.values()) > UNBALANCED * min(sizes.values()):
        told = ", ".join(f"{kind} {count}" for kind, count in sizes.items())
        logger.warning("The questions of %s are unbalanced (%s): some kinds will be asked in the same words again.", path, told)
    return pool_of(questions)


def pool_of(questions: Sequence[Question]) -> Pool:
    """A pool of questions, with their hash."""
    return Pool(tuple(questions), hashlib.sha256(json.dumps(questions).encode()).hexdigest())


def assign(pool: Pool, answerable: Collection[tuple[str, str]], item_id: str, seed: int, count: int) -> list[Question]:
    """Choose what an item is asked: one question of each kind in random order, then a second of each, until there are enough.

    The choice depends on the seed, the item and the questions that can be answered, and on no other item.

    Args:
        pool: to choose from.
        answerable: (kind, asks) of what can be answered.
        item_id: the item.
        seed: another seed chooses others.
        count: how many questions, or as many as can be answered.
    """

    def chance(words: str) -> bytes:
        return hashlib.sha256(f"{seed}/{item_id}/{words}".encode()).digest()

    drawn = sorted((one for one in pool.questions if (one.kind, one.asks) in answerable), key=lambda one: chance(one.text))
    kinds = sorted({one.kind for one in drawn}, key=chance)
    rounds = zip_longest(*(_by_turns([one for one in drawn if one.kind == kind]) for kind in kinds))
    return [one for turn in rounds for one in turn if one is not None][:count]


def _by_turns(questions: Sequence[Question]) -> list[Question]:
    """The questions of a kind so that no `asks` comes again before every other had its turn."""
    turns: Counter[str] = Counter()
    numbered = []
    for question in questions:
        numbered.append((turns[question.asks], question))
        turns[question.asks] += 1
    return [question for _, question in sorted(numbered, key=lambda one: one[0])]


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            msg = (
                f"{path} is larger than {LARGEST:,} bytes, which no question pool is; set `annotate.questions` to the right file."
            )
            raise PoolError(msg)
        text = path.read_text(encoding="utf-8-sig")
        _insist_once(path, yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except FileNotFoundError as error:
        msg = f"There is no question pool {path}; put it there or set `annotate.questions`."
        raise PoolError(msg) from error
    except (OSError, UnicodeDecodeError, ValueError, RecursionError, yaml.YAMLError) as error:
        msg = f"{path} cannot be read as YAML ({' '.join(str(error).split())}); a question with a colon or a hash needs quotes."
        raise PoolError(msg) from error


def _insist_once(path: Path, node: yaml.Node | None) -> None:
    """YAML takes the last of two sections with the same name and says nothing."""
    if not isinstance(node, yaml.MappingNode):
        return
    names = Counter(str(key.value) for key, _ in node.value)
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        msg = f"{path} has the section {doubled[0]!r} twice; put their questions under one."
        raise PoolError(msg)
    for _, below in node.value:
        _insist_once(path, below)


def _entries(path: Path, content: Any) -> Iterator[tuple[str, str, Any]]:
    """Kind, asks and text of every question."""
    if not isinstance(content, dict):
        msg = f"{path} is no mapping of kinds; its sections are {', '.join(ASKS)}."
        raise PoolError(msg)
    for kind, sections in content.items():
        if kind not in ASKS:
            msg = f"{path} has the kind {str(kind)[:40]!r}, which is none; kinds are {', '.join(ASKS)}."
            raise PoolError(msg)
        if not isinstance(sections, dict):
            msg = f"{kind!r} in {path} is no mapping; its sections are {', '.join(ASKS[kind])}, each with a list of questions."
            raise PoolError(msg)
        for asks, texts in sections.items():
            if asks not in ASKS[kind]:
                msg = f"{kind!r} in {path} has the section {str(asks)[:40]!r}, which is none; it has {', '.join(ASKS[kind])}."
                raise PoolError(msg)
            if not isinstance(texts, list):
                msg = f"{kind!r}, {asks!r} in {path} is no list; write one question a line, each after a dash."
                raise PoolError(msg)
            for text in texts:
                yield kind, asks, text


def _checked(path: Path, entries: Iterator[tuple[str, str, Any]]) -> Iterator[Question]:
    seen: dict[str, str] = {}
    for kind, asks, text in entries:
        place = f"Under {kind!r}, {asks!r} {path} has"
        if not isinstance(text, str):
            msg = f"{place} {str(text)[:40]!r}, which is no text; put quotes around it."
            raise PoolError(msg)
        text = " ".join(text.split())
        if not any(character.isalnum() for character in text):
            msg = f"{place} a question without words; write it or remove its line."
            raise PoolError(msg)
        if len(text) > LONGEST:
            msg = f"{place} a question of {len(text)} characters ({text[:40]!r}…); the longest has {LONGEST}."
            raise PoolError(msg)
        if not text.isprintable():
            msg = f"{place} {text[:40]!r}, which holds control characters; remove them."
            raise PoolError(msg)
        same = "".join(character for character in text.casefold() if character.isalnum())
        if same in seen:
            msg = f"{place} {text[:60]!r}, which stands there already (under {seen[same]}); remove one."
            raise PoolError(msg)
        seen[same] = f"{kind!r}, {asks!r}"
        yield Question(text, kind, asks)

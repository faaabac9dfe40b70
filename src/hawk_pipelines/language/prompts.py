"""Prompts: editable Markdown files, each with what the model is told to be and what it is asked.

A file has two headings, `# System` and `# User`. In both, `{{name}}` is where something is put in; each prompt has its own names
and needs all of them. Everything that comes from captions, labels or models goes in as quoted data (`quoted`).
"""

import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from hawk_pipelines.errors import HawkError

FOLDER = Path("conf/prompts")
LARGEST = 100_000
"""Bytes of a prompt file."""
_SLOT = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PARTS = re.compile(r"\A\s*# System\s*\n(?P<system>.*?)\n# User\s*\n(?P<user>.*)\Z", re.DOTALL)


class PromptError(HawkError):
    """A prompt file that cannot be used."""


class Prompt(NamedTuple):
    """A prompt, and a hash of it that stands in every draft that it helped to write."""

    name: str
    sha256: str
    system: str
    user: str


def read_prompt(folder: Path, name: str, slots: Collection[str]) -> Prompt:
    """Read `<folder>/<name>.md`.

    Args:
        folder: where prompts lie.
        name: of the file, without `.md`.
        slots: the names that it has to have, and no others.

    Raises:
        PromptError: it is not there, has not its two parts, or not its names.
    """
    path = folder / f"{name}.md"
    try:
        if path.stat().st_size > LARGEST:
            msg = f"{path} is larger than {LARGEST:,} bytes, which no prompt is; put the right file there."
            raise PromptError(msg)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The prompt {path} cannot be read ({error}); the project's own prompts are in {FOLDER}."
        raise PromptError(msg) from error
    parts = _PARTS.match(text)
    if parts is None:
        msg = f"{path} has no headings `# System` and `# User`, in that order; what the model is to be stands below the first."
        raise PromptError(msg)
    found = set(_SLOT.findall(text))
    if found != set(slots):
        unknown, missing = sorted(found - set(slots)), sorted(set(slots) - found)
        what = [f"has {{{{{name}}}}}, which nothing fills" for name in unknown] + [f"lacks {{{{{name}}}}}" for name in missing]
        msg = f"{path} {' and '.join(what)}; it needs {', '.join(f'{{{{{slot}}}}}' for slot in sorted(slots))}."
        raise PromptError(msg)
    return Prompt(name, hashlib.sha256(text.encode()).hexdigest(), parts["system"].strip(), parts["user"].strip())


def messages(prompt: Prompt, **values: object) -> list[dict[str, Any]]:
    """The prompt as chat messages, with its names filled in."""

    def filled(text: str) -> str:
        return _SLOT.sub(lambda slot: str(values[slot[1]]), text)

    return [{"role": "system", "content": filled(prompt.system)}, {"role": "user", "content": filled(prompt.user)}]


def quoted(data: object) -> str:
    """Data as JSON, in which nothing ends the quotation: no markup and no code fence can be closed from inside."""
    text = json.dumps(data, ensure_ascii=False, indent=1)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("`", "\\u0060")

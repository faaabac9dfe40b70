"""The tool's side of the protocol (docs/captioners.md). Nothing but the standard library: it runs in the tool's environment."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 (environments of research tools may be old)

PROTOCOL = 1


def settings() -> dict[str, Any]:
    """What the script was started with: one argument, JSON."""
    return json.loads(sys.argv[1])


def serve(tool: str, version: str, load: Callable[[], Callable[[dict[str, Any]], list[dict[str, Any]]]]) -> None:
    """Say what this is, load it, and answer every line until the input ends.

    Args:
        tool: its name.
        version: of the tool and its weights.
        load: gives the function from a request to its captions; what that raises is told as the clip's error.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the tool prints shall not be taken for an answer

    def say(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    say({"protocol": PROTOCOL, "tool": tool, "version": version})
    describe = load()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            say({"id": request["id"], "captions": describe(request)})
        except Exception as error:
            traceback.print_exc()
            say({"id": request["id"], "error": f"{type(error).__name__}: {error}"})


def each_frame(request: dict[str, Any], describe: Callable[[str], list[tuple[str, float]]]) -> list[dict[str, Any]]:
    """Captions of the frames of a clip, each until the next frame; a caption that stays goes on.

    Args:
        request: one clip.
        describe: texts and scores of one picture, by its path.
    """
    starts = [request["start_s"], *request["times_s"][1:]]
    ends = [*request["times_s"][1:], request["end_s"]]
    captions: list[dict[str, Any]] = []
    going_on: dict[str, dict[str, Any]] = {}
    for picture, start_s, end_s in zip(request["pictures"], starts, ends):  # noqa: B905 (not in old Pythons)
        seen = {}
        for text, score in describe(picture):
            caption = going_on.get(text) or {"start_s": start_s, "end_s": end_s, "text": text, "score": score}
            if text not in going_on and text not in seen:
                captions.append(caption)
            caption["end_s"], caption["score"] = end_s, max(score, caption["score"])
            seen[text] = caption
        going_on = seen
    return captions


def digest(path: str) -> str:
    """Twelve hexadecimal digits that tell a checkpoint from others: of a file's bytes, or of all in a folder but hidden ones."""
    root = Path(path)
    files = [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file() and file.name[0] != ".")
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()[:12]

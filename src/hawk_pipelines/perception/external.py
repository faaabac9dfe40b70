"""A captioner in a process of its own, in its own environment: one JSON line per clip there, one back.

The process is started with an argument list (no shell) and little of our environment. It may crash, hang or talk nonsense: then
that clip is refused with the reason, and the process is ended and started anew. After several such clips in a row it is given
up. docs/captioners.md describes the protocol; `runners/` holds the other side.
"""

import json
import logging
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hawk_pipelines.perception.captioner import Captioner, CaptionError, Said, Seen
from hawk_pipelines.perception.checking import plain, shortened
from hawk_pipelines.perception.frames import read_frames

logger = logging.getLogger(__name__)

PROTOCOL = 1
RUNNERS = Path(__file__).parent / "runners"
LONGEST_LINE = 1_000_000
"""Bytes of an answer. What is longer is no caption."""
MOST_CAPTIONS = 100
"""Of one clip."""
LAST_WORDS = 2000
"""Bytes of what the process wrote to its error output that are kept."""
PATIENCE_S = 2.0
"""A process whose input is closed may take so long to end by itself."""
PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
    "HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "TORCH_HOME", "XDG_CACHE_HOME",
)  # fmt: skip
"""What the process sees of our environment. Keys and tokens are not among it."""


class ToolParameters(BaseModel):
    """What all research tools have in common."""

    model_config = ConfigDict(extra="forbid")

    python: Path | None = Field(default=None, exclude=True)
    """The Python of the tool's own environment."""
    folder: Path | None = Field(default=None, exclude=True)
    """The tool's checkout, in which it is started; None starts it where its checkpoint lies."""
    checkpoint: Path | None = Field(default=None, exclude=True)
    """Its weights. They are part of the version of every caption."""
    device: str = Field(default="cuda", exclude=True)
    frames: int = Field(default=4, ge=1, le=128)
    """Of a clip, spread evenly."""
    longest: int = Field(default=640, ge=32, le=2048)
    """Pixels of the longer side of the frames."""
    start_timeout_s: float = Field(default=600, gt=0, exclude=True)
    """From its start until it has said what it is, and for loading its weights on top of the first clip's time."""
    clip_timeout_s: float = Field(default=120, gt=0, exclude=True)
    failures: int = Field(default=3, ge=1, exclude=True)
    """Clips in a row at which it crashes, hangs or talks nonsense before it is given up."""


class Hello(BaseModel):
    """The first line of a process."""

    model_config = ConfigDict(extra="forbid", strict=True)

    protocol: int
    tool: str = Field(min_length=1, max_length=100)
    version: str = Field(min_length=1, max_length=200)


class Sentence(BaseModel):
    """A caption, as a process gives it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start_s: float
    end_s: float
    text: str
    score: float = 1.0


class Answer(BaseModel):
    """What a process says of one clip: its captions, or why it has none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    captions: list[Sentence] | None = Field(default=None, max_length=MOST_CAPTIONS)
    error: str | None = None


class ToolFailure(CaptionError):
    """A process that crashed, hung, or did not keep to the protocol."""


@contextmanager
def open_runner(tool: str, runner: str, parameters: ToolParameters, settings: dict[str, Any]) -> Iterator[Captioner]:
    """A research tool behind one of our runners.

    Args:
        tool: its name.
        runner: the script in `runners/`.
        parameters: where it is.
        settings: what the runner is told, as JSON.

    Raises:
        CaptionError: a setting is missing, or it cannot be started.
    """
    for name in ("python", "checkpoint"):
        if getattr(parameters, name) is None:
            msg = f"Set `caption.{tool}.{name}`; docs/captioners.md says how {tool} is set up."
            raise CaptionError(msg)
    place = {"checkpoint": str(_absolute(parameters.checkpoint)), "device": parameters.device}
    # Not resolved: the interpreter of a virtual environment is a link, and finds its packages by its own place.
    command = [str(_absolute(parameters.python)), str(RUNNERS / runner), json.dumps(place | settings)]
    folder = _absolute(parameters.folder) if parameters.folder else Path(place["checkpoint"]).parent
    with open_tool(tool, command, folder, parameters) as captioner:
        yield captioner


@contextmanager
def open_tool(tool: str, command: list[str], folder: Path, parameters: ToolParameters) -> Iterator[Captioner]:
    """A captioner behind the protocol.

    Args:
        tool: what it must call itself.
        command: program and arguments.
        folder: where it runs.
        parameters: what it is shown, how long it may take, and how often it may fail.

    Raises:
        CaptionError: it cannot be started, or is another tool.
    """
    with tempfile.TemporaryDirectory(prefix="hawk-") as pictures:
        talk = _Talk(tool, command, folder, parameters, Path(pictures))
        try:
            talk.begin()
            yield Captioner(talk.version, talk.describe, insist=talk.insist)
        finally:
            talk.end(PATIENCE_S)


class _Talk:
    """One process after the other, and how often they failed in a row."""

    def __init__(self, tool: str, command: list[str], folder: Path, parameters: ToolParameters, pictures: Path) -> None:
        self.tool, self.command, self.folder, self.parameters, self.pictures = tool, command, folder, parameters, pictures
        self.version = ""
        self.failures = 0
        self.last_failure = ""
        self.process: _Process | None = None
        self.fresh = True

    def begin(self) -> None:
        """Start the process and hear what it is."""
        self.process = _Process(self.command, self.folder)
        self.fresh = True
        try:
            hello = Hello.model_validate_json(self.process.line(self.parameters.start_timeout_s))
            if (hello.protocol, hello.tool) != (PROTOCOL, self.tool):
                msg = f"it is {hello.tool} with protocol {hello.protocol}, instead of {self.tool} with {PROTOCOL}"
                raise ToolFailure(msg)
            version = plain(hello.version)
            if self.version and version != self.version:
                msg = f"it was version {self.version} and is {version} after a new start"
                raise ToolFailure(msg)
            self.version = version
        except (ToolFailure, ValidationError) as error:
            why = _told(error)
            last_words = self.end()
            msg = f"{self.tool} could not be started with {self._command()}: {why}.{last_words}"
            raise CaptionError(msg) from error

    def describe(self, seen: Seen) -> list[Said]:
        """Ask about one clip.

        Raises:
            CaptionError: it has no captions, and why.
        """
        request = self._request(seen)
        try:
            if self.process is not None and self.process.has_spoken():
                logger.warning(
                    "%s ended or wrote more than one line after a clip, so it is started anew.%s", self.tool, self.end()
                )
            if self.process is None:
                self.begin()
            answer = self._ask(request)
        except (CaptionError, ValidationError) as error:
            self.failures += 1
            self.last_failure = f"{self.tool} failed: {_told(error)}.{self.end()}"
            logger.warning("%s", self.last_failure)
            raise CaptionError(self.last_failure) from error
        self.failures, self.fresh = 0, False
        if answer.captions is None:
            msg = f"{self.tool} says: {shortened(plain(answer.error or 'nothing'), 500)}"
            raise CaptionError(msg)
        return [Said(**sentence.model_dump()) for sentence in answer.captions]

    def insist(self) -> None:
        """Give up after too many failures in a row.

        Raises:
            CaptionError: it failed too often.
        """
        if self.failures >= self.parameters.failures:
            msg = (
                f"{self.tool} failed at {self.failures} clips in a row, so it is given up: {self._command()}. The last time: "
                f"{self.last_failure} What is finished is kept: mend the tool and run again; `engine.retry_failed` tries the "
                "clips that it failed at."
            )
            raise CaptionError(msg)

    def end(self, patience_s: float = 0.0) -> str:
        """End the process; its last words, to be added to a sentence."""
        process, self.process = self.process, None
        return process.end(patience_s) if process else ""

    def _request(self, seen: Seen) -> dict[str, Any]:
        """What is asked: the frames are decoded here, so that every tool sees the same, and opens no video."""
        frames = read_frames(seen, self.parameters.frames, self.parameters.longest)
        paths = [self.pictures / f"{number}.png" for number in range(len(frames.pictures))]
        for path, picture in zip(paths, frames.pictures, strict=True):
            cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return {
            "id": seen.clip.id,
            "video": str(Path(seen.video.path).absolute()),
            "start_s": seen.clip.start_s,
            "end_s": seen.clip.end_s,
            "times_s": frames.times_s,
            "pictures": [str(path) for path in paths],
        }

    def _ask(self, request: dict[str, Any]) -> Answer:
        process = self.process
        assert process is not None  # noqa: S101 (begun just before)
        process.say(json.dumps(request))
        loading_s = self.parameters.start_timeout_s if self.fresh else 0.0
        answer = Answer.model_validate_json(process.line(self.parameters.clip_timeout_s + loading_s))
        if answer.id != request["id"]:
            msg = f"it spoke of {shortened(plain(answer.id))!r} when it was asked about {request['id']!r}"
            raise ToolFailure(msg)
        return answer

    def _command(self) -> str:
        return f"`{' '.join(self.command)}` in {self.folder}"


class _Process:
    """A child in a process group of its own, spoken to in lines."""

    def __init__(self, command: list[str], folder: Path) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1"}
        pipe = subprocess.PIPE
        try:
            self._child = subprocess.Popen(  # noqa: S603 (an argument list from the settings)
                command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment, start_new_session=True, bufsize=0
            )
        except (OSError, ValueError) as error:
            msg = f"`{' '.join(command)}` cannot be started in {folder} ({error}); check the settings."
            raise CaptionError(msg) from error
        self._heard = b""
        self._last_words = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def say(self, line: str) -> None:
        """Write one line.

        Raises:
            ToolFailure: it has ended.
        """
        try:
            self._child.stdin.write(f"{line}\n".encode())  # type: ignore[union-attr]
        except OSError as error:
            raise ToolFailure(self._how_it_ended()) from error

    def line(self, timeout_s: float) -> bytes:
        """Read one line, at most `LONGEST_LINE` bytes.

        Raises:
            ToolFailure: it ended, said nothing in time, or too much.
        """
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._heard:
            if len(self._heard) > LONGEST_LINE:
                msg = f"it wrote a line of more than {LONGEST_LINE:,} bytes"
                raise ToolFailure(msg)
            if not self._readable(max(0.0, deadline - time.monotonic())):
                msg = f"it said nothing for {timeout_s:g} s"
                raise ToolFailure(msg)
            read = os.read(self._child.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
            if not read:
                raise ToolFailure(self._how_it_ended())
            self._heard += read
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def has_spoken(self) -> bool:
        """Whether it ended, or wrote something that nobody asked for."""
        return bool(self._heard) or self._readable(0.0)

    def end(self, patience_s: float) -> str:
        """Close its input, then end it and all that it started; its last words, to be added to a sentence."""
        with suppress(OSError):
            self._child.stdin.close()  # type: ignore[union-attr]
        self._wait(patience_s)
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)  # not reaped yet, so that the number is still its own
        self._child.wait()
        self._listener.join(PATIENCE_S)
        self._child.stdout.close()  # type: ignore[union-attr]
        said = plain(self._last_words.decode("utf-8", errors="replace"))
        return f" Its last words: {said.rstrip('.')}." if said else ""

    def _readable(self, seconds: float) -> bool:
        """Whether within that time there is something to read, or the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
            return bool(selector.select(seconds))

    def _wait(self, seconds: float) -> None:
        """Until it has ended, without reaping it."""
        deadline = time.monotonic() + seconds
        while os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.01)

    def _how_it_ended(self) -> str:
        self._wait(PATIENCE_S)
        ended = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return "it closed its output"
        if ended.si_code == os.CLD_EXITED:
            return f"it ended with exit status {ended.si_status}"
        return f"it crashed ({signal.Signals(ended.si_status).name})"

    def _listen(self) -> None:
        """Keep the end of what it writes to its error output."""
        stream = self._child.stderr
        while read := stream.read(1 << 16):  # type: ignore[union-attr]
            self._last_words = (self._last_words + read)[-LAST_WORDS:]
        stream.close()  # type: ignore[union-attr]


def _absolute(path: Path | None) -> Path:
    return Path(str(path)).expanduser().absolute()


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(place) for place in fault["loc"]) or "its line"
        return f"it does not keep to the protocol ({where}: {fault['msg']}): {shortened(plain(str(fault['input'])))!r}"
    return str(error).rstrip(".")

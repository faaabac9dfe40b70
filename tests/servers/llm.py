"""A real HTTP server that speaks OpenAI's chat, model, file and batch API, and fails as real ones do.

What becomes of a request is drawn from a seed, the request's marker and how often it came, so that it is the same in any order of
arrival. As a process of its own: `python -m tests.servers.llm --latency 0.2` prints its address and serves until it is ended.
"""

import argparse
import email.parser
import email.policy
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

MODEL = "test-model"
MARKER = re.compile(r"item-\d+")
INPUT, OUTPUT = 100, 50
"""Tokens that every reply takes."""


class Faults(NamedTuple):
    """How often requests fail, as shares of all."""

    rate_limited: float = 0
    failing: float = 0
    dropped: float = 0
    broken_body: float = 0
    """What comes back is no JSON."""
    no_json: float = 0
    """What the model says is no JSON."""
    refused: float = 0


NONE = Faults()
ALL = Faults(rate_limited=0.20, failing=0.10, dropped=0.05, broken_body=0.025, no_json=0.025, refused=0.05)


class Asked(NamedTuple):
    """A chat request."""

    body: dict[str, Any]
    marker: str
    """The first of its kind in the messages, or the hash of them."""
    purpose: str
    """The name of its schema."""
    nth: int
    """How often the server was asked this, from 1."""
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What is sent back."""

    outcome: str
    """A word for it."""
    body: bytes = b""
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    how: str = "whole"
    """`whole`; `drop`, `cut` (in the middle), `never`, `trickle` (a byte now and then), `endless`."""


class Logged(NamedTuple):
    """A request that came."""

    path: str
    marker: str
    purpose: str
    outcome: str
    begun: float
    """By the server's clock."""
    sha256: str


class LlmServer:
    """The server, in threads of this process."""

    def __init__(
        self,
        *,
        faults: Faults = NONE,
        seed: int = 0,
        latency_s: float = 0,
        models: Sequence[str] = (MODEL,),
        key: str | None = None,
        echo: bool = False,
        retry_after: str = "0",
        answer: Callable[[Asked], Answer | None] | None = None,
        batch_polls: int = 1,
        port: int = 0,
    ) -> None:
        """Start to serve.

        Args:
            faults: how often requests fail.
            seed: of which ones.
            latency_s: before each chat reply.
            models: that it has.
            key: that it wants; None: any or none.
            echo: send the key back wherever there is room.
            retry_after: what a request that came too soon is told.
            answer: decides on a request before the faults do; None leaves it to them.
            batch_polls: how often a batch is asked for until it is done.
            port: 0 takes a free one.
        """
        self.faults, self.seed, self.latency_s, self.models = faults, seed, latency_s, list(models)
        self.key, self.echo, self.retry_after, self.answer, self.batch_polls = key, echo, retry_after, answer, batch_polls
        self.log: list[Logged] = []
        self.bodies: list[dict[str, Any]] = []
        self.paths: dict[str, Callable[[], Answer]] = {}
        """Answers to other paths, such as `GET /v1/models`, in the place of the usual ones."""
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.at_once = self.most_at_once = 0
        self.closing = threading.Event()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", port), _handler(self))
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        """Stop serving."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def chats(self) -> list[Logged]:
        """The chat requests that came."""
        return [one for one in self.log if one.path.endswith("/chat/completions")]

    def outcomes(self) -> Counter[str]:
        """How often what became of a chat request."""
        return Counter(one.outcome for one in self.chats)

    # --- chat ------------------------------------------------------------------------------------------------------------

    def chat(self, body: dict[str, Any], headers: Mapping[str, str]) -> Answer:
        """Answer a chat request, and write down that it came."""
        begun = time.monotonic()
        asked = self._asked(body, headers)
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        answer = self.answer(asked) if self.answer else None
        if answer is None:
            answer = self._drawn(asked)
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self._lock:
            self.log.append(Logged("/v1/chat/completions", asked.marker, asked.purpose, answer.outcome, begun, digest))
            self.bodies.append(body)
        if self.latency_s:
            self.closing.wait(self.latency_s)
        with self._lock:
            self.at_once -= 1
        return answer

    def _asked(self, body: dict[str, Any], headers: Mapping[str, str]) -> Asked:
        text = json.dumps(body["messages"], ensure_ascii=False)
        found = MARKER.search(text)
        marker = found[0] if found else hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
        purpose = body.get("response_format", {}).get("json_schema", {}).get("name", "")
        with self._lock:
            self._seen[marker, purpose] += 1
            return Asked(body, marker, purpose, self._seen[marker, purpose], headers)

    def _drawn(self, asked: Asked) -> Answer:
        drawn = random.Random(f"{self.seed}/{asked.marker}/{asked.purpose}/{asked.nth}")
        sound = 1 - sum(self.faults)
        outcome = drawn.choices(["answered", *Faults._fields], [sound, *self.faults])[0]
        if outcome == "answered":
            return self.answered(asked)
        if outcome == "rate_limited":
            return error(429, "Too many requests.", "rate_limit_exceeded", [("Retry-After", self.retry_after)])
        if outcome == "failing":
            return error(500, "The server had an error.", "server_error")
        if outcome == "dropped":
            return Answer("dropped", how="drop")
        if outcome == "broken_body":
            return Answer("broken_body", completion("{}").body[:-7])
        if outcome == "no_json":
            return completion(f"Of course! About {asked.marker}: it is a busy street.", outcome="no_json")
        return completion("", refusal=f"I'm sorry, but I can't help with {asked.marker}.", outcome="refused")

    def answered(self, asked: Asked) -> Answer:
        """An object of the schema, with the marker in every text."""
        return completion(json.dumps(filled(schema_of(asked.body), asked.marker)))

    # --- batches ---------------------------------------------------------------------------------------------------------

    def begin(self, file: str) -> dict[str, Any]:
        """Begin a batch."""
        number = len(self.batches) + 1
        lines = self.files[file].splitlines()
        state = {
            "id": f"batch_{number}", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": file,
            "completion_window": "24h", "status": "validating", "created_at": int(time.time()), "polls": 0,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }  # fmt: skip
        self.batches[state["id"]] = state
        return state

    def polled(self, batch: str) -> dict[str, Any] | None:
        """How a batch is; it gets on with every question."""
        state = self.batches.get(batch)
        if state is not None and state["status"] in ("validating", "in_progress"):
            state["polls"] += 1
            state["status"] = "in_progress"
            if state["polls"] > self.batch_polls:
                self.complete(state)
        return state

    def complete(self, state: dict[str, Any]) -> None:
        """Work on a batch: as with chat requests, but what fails goes into a file of its own."""
        good, bad = [], []
        for line in self.files[state["input_file_id"]].decode().split("\n")[:-1]:
            request = json.loads(line)
            answer = self.answer(asked := self._asked(request["body"], {})) if self.answer else None
            answer = answer or self._drawn(asked if self.answer else self._asked(request["body"], {}))
            self.log.append(Logged("batch", MARKER.search(line)[0], "", answer.outcome, time.monotonic(), request["custom_id"]))
            done = {"id": f"r{len(self.log)}", "custom_id": request["custom_id"], "error": None}
            if answer.status == 200 and answer.outcome not in ("dropped", "broken_body"):
                done["response"] = {"status_code": 200, "request_id": "q", "body": json.loads(answer.body)}
                good.append(done)
            else:
                done["response"] = {"status_code": 500, "request_id": "q", "body": {"error": {"message": "It failed."}}}
                bad.append(done)
        for name, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                file = f"file-{name}-{state['id']}"
                self.files[file] = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
                state[name] = file
        state["status"] = "completed"
        state["request_counts"] = {"total": len(good) + len(bad), "completed": len(good), "failed": len(bad)}


def completion(text: Any, *, outcome: str = "answered", finish: str = "stop", refusal: Any = None, **more: Any) -> Answer:
    """A chat completion that says a text."""
    said = {
        "id": "c1", "object": "chat.completion", "created": 1, "model": f"{MODEL}-2026",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, "refusal": refusal}}
        ],
        "usage": {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT},
        **more,
    }  # fmt: skip
    return Answer(outcome, json.dumps(said).encode())


def error(status: int, message: str, code: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """An error as OpenAI sends it."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return Answer(str(status), json.dumps(body).encode(), status, headers)


def schema_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that was asked for; without one, that of a description."""
    wanted = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return wanted or {"type": "object", "properties": {"description": {"type": "string"}}}


def filled(schema: Mapping[str, Any], marker: str) -> Any:
    """A value of a schema, with a marker in every text."""

    def value(part: Mapping[str, Any], name: str) -> Any:
        if "$ref" in part:
            return value(schema["$defs"][part["$ref"].rsplit("/", 1)[1]], name)
        if "anyOf" in part:
            return value(part["anyOf"][0], name)
        if "enum" in part or "const" in part:
            return part["enum"][0] if "enum" in part else part["const"]
        kind = part.get("type")
        if kind == "object":
            return {inner: value(kinds, inner) for inner, kinds in part.get("properties", {}).items()}
        if kind == "array":
            return [value(part["items"], f"{name} {number}") for number in range(part.get("minItems", 2))]
        if kind in ("number", "integer"):
            return part.get("minimum", 1)
        return True if kind == "boolean" else f"The {name.replace('_', ' ')} of {marker}: a man falls in the street."

    return value(schema, "text")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is none of our business."""


def _handler(server: LlmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def _serve(self, method: str) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.split("?")[0]
            given = self.headers.get("api-key") or self.headers.get("Authorization", "").removeprefix("Bearer ")
            if not path.endswith("/chat/completions"):
                server.log.append(Logged(f"{method} {path}", "", "", "", time.monotonic(), ""))
            if server.key is not None and given != server.key:
                told = f" {given}" if server.echo else ""
                answer = error(401, f"Incorrect API key provided{told}.", "invalid_api_key")
            elif f"{method} {path}" in server.paths:
                answer = server.paths[f"{method} {path}"]()
            else:
                answer = self._answer(method, path, content)
            self._send(_echoing(answer, given) if server.echo and given else answer)

        def _answer(self, method: str, path: str, content: bytes) -> Answer:
            if method == "POST" and path == "/v1/chat/completions":
                body = json.loads(content)
                if body["model"] not in server.models:
                    return error(404, f"The model `{body['model']}` does not exist.", "model_not_found")
                return server.chat(body, self.headers)
            if path == "/v1/models":
                return _json({"object": "list", "data": [{"id": name, "object": "model"} for name in server.models]})
            if method == "POST" and path == "/v1/files":
                name = f"file-{len(server.files) + 1}"
                server.files[name] = _uploaded(self.headers["Content-Type"], content)
                return _json({"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "f", "purpose": "batch"})
            if method == "POST" and path == "/v1/batches":
                return _json(server.begin(json.loads(content)["input_file_id"]))
            if path == "/v1/batches":
                return _json({"object": "list", "data": list(server.batches.values()), "has_more": False})
            if path.startswith("/v1/batches/") and (state := server.polled(path.rsplit("/", 1)[1])):
                return _json(state)
            if path.startswith("/v1/files/") and (file := server.files.get(path.split("/")[3])) is not None:
                return Answer("file", file, headers=[("Content-Type", "application/octet-stream")])
            return error(404, f"There is no {path}.")

        def _send(self, answer: Answer) -> None:
            if answer.how == "drop":
                self.close_connection = True
                return
            if answer.how == "never":
                server.closing.wait(60)
                self.close_connection = True
                return
            self.send_response(answer.status)
            if not any(name == "Content-Type" for name, _ in answer.headers):
                self.send_header("Content-Type", "application/json")
            for name, value in answer.headers:
                self.send_header(name, value)
            slow = answer.how in ("trickle", "endless")
            self.send_header("Content-Length", str(10**12 if slow else len(answer.body)))
            self.end_headers()
            if answer.how == "cut":
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.close_connection = True
                return
            self.wfile.write(answer.body)
            while slow and not server.closing.is_set():
                self.wfile.write(b" " * (1 if answer.how == "trickle" else 65536))
                if answer.how == "trickle":
                    server.closing.wait(0.05)
            self.close_connection |= slow

    return Handler


def _echoing(answer: Answer, key: str) -> Answer:
    """The same, with the key wherever there is room: also with JSON's escapes in it, once and twice, and without its ends."""
    middle = len(key) // 2
    forms = [key, key[1:], key[:-1]]
    for place in (0, middle):
        forms.append(f"{key[:place]}\\u{ord(key[place]):04x}{key[place + 1 :]}")
        forms.append(forms[-1].replace("\\", "\\\\"))
    text = answer.body.decode(errors="replace")
    for words in ("a man falls", "Too many requests", "had an error", "can't help", "it is a busy", f"{MODEL}-2026", "It failed"):
        text = text.replace(words, f"{words} {' '.join(forms)}")
    headers = [*answer.headers, ("X-Request-Id", key), ("X-Key", f"Bearer {key}"), ("Set-Cookie", f"key={key}")]
    return answer._replace(body=text.encode(), headers=headers)


def _json(value: object) -> Answer:
    return Answer("", json.dumps(value).encode())


def _uploaded(content_type: str, content: bytes) -> bytes:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + content)
    return next(part.get_payload(decode=True) for part in form.iter_parts() if part.get_filename())


def kill_after(server: LlmServer, requests: int, module: str, *arguments: str) -> None:
    """Run a module of the tests that asks a server, and kill it when so many requests have come."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=Path(__file__).parents[2])
    try:
        while len(server.chats) < requests:
            assert process.poll() is None
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faulty", action="store_true")
    given = parser.parse_args()
    server = LlmServer(latency_s=given.latency, port=given.port, faults=ALL if given.faulty else NONE)
    print(server.url, flush=True)  # noqa: T201 - whoever started it reads it
    threading.Event().wait()


if __name__ == "__main__":
    main()

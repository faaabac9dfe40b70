import socket

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (extra `local-llm`)")


def _hawk(*arguments):
    """The command with faults that end it: a server that starts is tried by test_language_model_engine.py."""
    done = CliRunner().invoke(main, ["local-llm", *arguments], catch_exceptions=False)
    assert done.exit_code == 1
    return done.output


def test_what_is_no_model(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"no model at all")
    assert "is no GGUF file" in _hawk("--model", str(tmp_path / "model.gguf"))
    assert "is not installed" in _hawk("--model", "package:no_such_package/model.gguf")


def test_a_damaged_model(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    assert "did not start" in _hawk("--model", str(tmp_path / "model.gguf"))


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "did not start" in _hawk("--port", str(taken.getsockname()[1]))

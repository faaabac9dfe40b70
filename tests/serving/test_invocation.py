"""What a registered model answers and refuses through MLflow: as an object, and as the application that MLflow serves."""

import json
import math
import os

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

import hawk_pipelines
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.serving.invocation import SIGNATURE, InvocationError, InvocationParameters, invocation_parameters
from hawk_pipelines.serving.pyfunc import HawkPyfunc
from hawk_pipelines.serving.registry import fetch

QUESTION = "Who is involved?"
NO_FILE = "no.mp4 does not exist; check the path."


@pytest.fixture(scope="module")
def model(small_run):
    """The registered model of the small run."""
    return mlflow.pyfunc.load_model(fetch("models:/hawk@production", f"sqlite:///{small_run.folder}/mlflow.db"))


@pytest.fixture(scope="module")
def hawk(small_run):
    return hawk_pipelines.load(small_run.folder / "data/06_models/finetuned_model")


@pytest.fixture(scope="module")
def video(small_run):
    return str(small_run.folder / small_run.records("02_intermediate/videos.parquet", "Video")[0].path)


@pytest.fixture
def invoke(model):
    """Status and reply of MLflow's server to a body."""
    from fastapi.testclient import TestClient

    client = TestClient(scoring_server.init(model))

    def post(body, content_type="application/json"):
        text = body if isinstance(body, str) else json.dumps(body)
        reply = client.post("/invocations", content=text, headers={"Content-Type": content_type})
        return reply.status_code, reply.json()

    return post


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_new_tokens": 3},
        {"beams": 2},
        {"span": [0.0, 1.0]},
        {"span": np.array([0, 1]), "max_new_tokens": np.int64(5)},
        {"temperature": 3, "seed": 1, "top_p": 0.9},
        {"span": None, "beams": None},
    ],
)
def test_parameters_do_what_they_do_in_hawk_ask(model, hawk, video, parameters):
    given = {name: value for name, value in parameters.items() if value is not None}
    span = given.pop("span", None)
    expected = hawk.ask(video, QUESTION, None if span is None else tuple(span), GenerationSettings(**given))
    answers = model.predict(pd.DataFrame({"video": [video], "question": [QUESTION]}), parameters)
    assert answers.to_dict("records") == [{"answer": expected, "error": None}]


def test_the_signature_has_the_defaults_of_the_settings():
    assert {spec.name: spec.default for spec in SIGNATURE.params.params} == {"span": []} | GenerationSettings().model_dump()
    assert set(InvocationParameters.model_fields) == {spec.name for spec in SIGNATURE.params.params}


def test_a_bad_row_costs_that_row(model, hawk, video, caplog):
    long = "why " * 2000
    rows = [
        (video, QUESTION),
        ("no.mp4", QUESTION),
        (None, QUESTION),
        (video, None),
        (3, QUESTION),
        (video, long),
        (video, ["Who?"]),
        ("no\x1b[31m.mp4", ""),
        (video, "  "),
    ]
    table = pd.DataFrame(rows, columns=["video", "question"], index=range(10, 19))
    answers = model.predict(table)
    assert list(answers.index) == list(table.index)
    described = hawk.describe(video)
    assert list(answers["answer"]) == [hawk.ask(video, QUESTION), None, None, described, None, None, None, None, described]
    errors = list(answers["error"])
    assert [error is None for error in errors] == [answer is not None for answer in answers["answer"]]
    assert errors[1] == NO_FILE
    assert errors[2] == "The row has no `video`; give the path of a file or of a folder of numbered pictures."
    assert errors[4] == "`video` is 3, which is no text; give a path."
    assert "ask a shorter one" in errors[5]
    assert errors[6] == "`question` is ['Who?'], which is no text; give a question."
    assert "\x1b" not in errors[7]
    assert f"6 of 9 rows could not be answered, for example: {NO_FILE}" in caplog.text


ODD_ROWS = {
    "a long name": ("x" * 5000, QUESTION, "cannot be a file's name: with 5,000 characters it is too long; check the path."),
    "half a character": ("a\ud800", QUESTION, "a\\ud800 cannot be a file's name: it holds half a character (a lone surrogate);"),
    "a null character": ("a\0b", QUESTION, "cannot be a file's name: it holds a null character; check the path."),
    "a question": (None, "\ud800", "The question holds half a character (a lone surrogate), or bytes that are no text in UTF-8;"),
    "an address": ("http://x/y.mp4", QUESTION, "http://x/y.mp4 does not exist, and addresses are not opened; give the path"),
}


@pytest.mark.parametrize("name", ODD_ROWS)
def test_a_row_of_odd_text_costs_that_row_of_a_request(invoke, model, video, name):
    path, question, sentence = ODD_ROWS[name]
    rows = [{"video": path or video, "question": question}, {"video": video, "question": QUESTION}]
    status, reply = invoke({"inputs": rows, "params": {"max_new_tokens": 2}})
    assert status == 200, reply
    bad, good = reply["predictions"]
    assert bad["answer"] is None
    assert sentence in bad["error"]
    assert (good["error"], isinstance(good["answer"], str)) == (None, True)
    table = pd.DataFrame(rows, dtype=object)
    assert model.predict(table, {"max_new_tokens": 2}).to_dict("records") == [bad, good]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_folder_that_may_not_be_entered_costs_its_row(hawk, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    closed.chmod(0o700)
    served = HawkPyfunc()
    served.hawk = hawk
    os.seteuid(65534)
    try:
        answers = served.predict(None, pd.DataFrame({"video": [str(closed / "a.mp4"), "no.mp4"]}))
    finally:
        os.seteuid(0)
    assert answers["error"][0].startswith(f"{closed}/a.mp4 could not be reached: this user lacks the permission.")
    assert answers["error"][1] == NO_FILE


def test_rows_that_are_all_bad_are_a_table_too(model):
    """How rows are put into batches is not always the client's to say."""
    answers = model.predict(pd.DataFrame({"video": ["no.mp4", math.nan]}))
    assert list(answers["answer"]) == [None, None]
    assert answers["error"][0] == NO_FILE
    numbers = model.predict(pd.DataFrame({"video": [1, 2]}))
    assert numbers["error"][1] == "`video` is 2, which is no text; give a path."
    assert model.predict(pd.DataFrame({"video": [], "question": []})).to_dict("records") == []


@pytest.mark.parametrize(
    ("body", "predictions"),
    [
        ({"dataframe_split": {"columns": ["video"], "data": [["no.mp4"], [None]]}}, [NO_FILE, "The row has no `video`"]),
        ({"dataframe_records": [{"video": "no.mp4", "question": "Who?"}]}, [NO_FILE]),
        ({"inputs": [{"video": "no.mp4"}], "params": {"beams": 2}}, [NO_FILE]),
        ({"inputs": {"video": ["no.mp4", "no.mp4"]}}, [NO_FILE, NO_FILE]),
        ({"instances": [{"video": "no.mp4", "question": "Who?"}]}, [NO_FILE]),
    ],
)
def test_every_form_of_request_gets_a_row_for_a_row(invoke, body, predictions):
    status, reply = invoke(body)
    assert status == 200, reply
    assert [row["answer"] for row in reply["predictions"]] == [None] * len(predictions)
    for row, error in zip(reply["predictions"], predictions, strict=True):
        assert row["error"].startswith(error)


ROW = {"dataframe_records": [{"video": "no.mp4"}]}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (ROW | {"params": {"beam": 2}}, "There is no parameter `beam`; there are `max_new_tokens`, `beams`, `temperature`,"),
        (ROW | {"params": {"beams": 0}}, "The parameter `beams` cannot be 0: Input should be greater than or equal to 1."),
        (
            ROW | {"params": {"beams": 100_000}},
            "The parameter `beams` cannot be 100000: Input should be less than or equal to 32.",
        ),
        (ROW | {"params": {"temperature": 1e-40}}, "cannot be 1e-40: it is 0, which is greedy, or from 0.01 to 100."),
        (ROW | {"params": {"temperature": 1e300}}, "The parameter `temperature` cannot be 1e+300: Input should be less than or"),
        (ROW | {"params": {"seed": -1}}, "The parameter `seed` cannot be -1: Input should be greater than or equal to 0."),
        (
            ROW | {"params": {"seed": 99999999999999999999}},
            "The parameter `seed` cannot be 99999999999999999999: Input should be",
        ),
        (ROW | {"params": {"beams": "2"}}, "The parameter `beams` cannot be '2': Input should be a valid integer."),
        (ROW | {"params": {"max_new_tokens": 1e9}}, "The parameter `max_new_tokens` cannot be 1000000000.0:"),
        (ROW | {"params": {"span": [4, 2]}}, "The parameter `span` cannot be [4, 2]: span is [start, end) in seconds"),
        (ROW | {"params": {"span": [4]}}, "The parameter `span` cannot be [4]:"),
        (ROW | {"params": {"span": 4}}, "The parameters {'span': 4} cannot be read; give numbers, and `span` as [start, end]."),
        (ROW | {"params": [2]}, "`params` is a list; give an object with any of `max_new_tokens`,"),
        ({"dataframe_records": [{"video": "no.mp4", "questions": "Who?"}]}, "There is no column `questions`; there are `video`,"),
        ({"dataframe_records": [{"question": "Who?"}]}, "The input has no column `video` (a path), but only `question`; give"),
        ({"dataframe_split": {"columns": ["path"], "data": [["no.mp4"]]}}, "There is no column `path`; there are `video`,"),
        ({"dataframe_records": []}, "The input has no column `video` (a path), but nothing; give `video`, `question`."),
    ],
)
def test_what_mlflow_would_drop_and_what_cannot_be_is_refused_in_a_sentence(invoke, body, sentence):
    status, reply = invoke(body)
    assert (status, reply["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert sentence in reply["message"]
    assert "Traceback" not in json.dumps(reply)


def test_a_table_of_text(invoke):
    assert invoke("video,question\nno.mp4,Who?\n", "text/csv")[1]["predictions"] == [{"answer": None, "error": NO_FILE}]
    status, reply = invoke("film\nno.mp4\n", "text/csv")
    assert status == 400
    assert "There is no column `film`" in reply["message"]


def test_models_of_others_are_left_alone(model, tmp_path):
    """The check stands before MLflow's own, in every process that has loaded one of ours."""
    mlflow.pyfunc.save_model(tmp_path / "other", python_model=_Other(), pip_requirements=["mlflow"])
    other = mlflow.pyfunc.load_model(str(tmp_path / "other"))
    assert other.predict(pd.DataFrame({"film": [1]}), {"anything": 1}) == [1]


class _Other(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [len(model_input)]


def test_in_python_it_is_an_exception_of_mlflow(model):
    with pytest.raises(MlflowException, match=r"^There is no parameter `beam`; there are "):
        model.predict(pd.DataFrame({"video": ["no.mp4"]}), {"beam": 1})
    with pytest.raises(MlflowException, match=r"^There is no column `vido`; there are `video`, `question`\.$"):
        model.predict({"vido": "no.mp4"})
    assert model.predict({"video": "no.mp4"})["error"][0] == NO_FILE


def test_numbers_that_are_none():
    with pytest.raises(InvocationError, match="The parameter `span` cannot be"):
        invocation_parameters({"span": [0, math.nan]})
    with pytest.raises(InvocationError, match="The parameter `temperature` cannot be inf"):
        invocation_parameters({"temperature": math.inf})
    with pytest.raises(InvocationError, match="The parameter `beams` cannot be True"):
        invocation_parameters({"beams": True})

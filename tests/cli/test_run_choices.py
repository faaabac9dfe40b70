"""Names that `kedro run` is given and that are not there: one sentence each, before anything starts."""

import click
import pytest

from hawk_pipelines.cli.run_choices import check_choices
from hawk_pipelines.pipeline_registry import register_pipelines


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pipelines": ["finetun"]}, "There is no pipeline `finetun`; did you mean `finetune`?"),
        ({"pipeline": "zzz"}, "There is no pipeline `zzz`; there are ablate, annotate, caption"),
        ({"node_names": ["encode_frame"]}, "There is no node `encode_frame`; did you mean `encode_frames`?"),
        ({"to_nodes": ["zzz"]}, "There is no node `zzz`; there are "),
        ({"from_nodes": ["encode_frames"], "pipelines": ["motion"]}, "There is no node `encode_frames` in `motion`; "),
        ({"to_outputs": ["annotation"]}, "There is no data set `annotation`; did you mean `annotations`?"),
        ({"from_inputs": ["params:seeds"]}, "There is no data set `params:seeds`; did you mean `params:seed`?"),
        ({"tags": ["nightly"]}, "There is no tag `nightly`; no tag has a name here. Leave the option out."),
        ({"namespaces": ["x"]}, "There is no namespace `x`; no namespace has a name here."),
        ({"runner": "ParalelRunner"}, "There is no runner `ParalelRunner`; there are SequentialRunner and ThreadRunner."),
        ({"runner": "ParallelRunner"}, "ParallelRunner cannot run these pipelines"),
    ],
)
def test_a_name_that_is_not_there(pipelines, options, sentence):
    with pytest.raises(click.UsageError) as refusal:
        check_choices(options, pipelines)
    assert refusal.value.message.startswith(sentence)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pipelines": ["motion", "encode"], "node_names": ["encode_frames"], "to_outputs": ["features"]},
        {"from_inputs": ["params:seed"], "runner": "ThreadRunner", "tags": [], "namespaces": None},
        {"runner": "hawk_pipelines.pipelines.runner.ReusingRunner"},
    ],
)
def test_names_that_are_there_pass(pipelines, options):
    check_choices(options, pipelines)

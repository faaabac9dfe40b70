import subprocess
import sys

import pytest

HEAVY = ("torch", "mlflow", "spacy", "transformers", "sklearn", "pandas", "sacrebleu")


@pytest.mark.parametrize(
    "module", ["hawk_pipelines", "hawk_pipelines.video", "hawk_pipelines.cli.ask", "hawk_pipelines.pipeline_registry"]
)
def test_importing_is_light(module):
    """Neither torch nor MLflow nor spaCy nor what scores answers is imported before something needs it."""
    code = f"import sys, {module}; sys.exit(', '.join(m for m in {HEAVY} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert done.returncode == 0


def test_every_pipeline_runs_alone_and_together():
    from hawk_pipelines.pipeline_registry import register_pipelines

    pipelines = register_pipelines()
    order = ["ingest", "split", "caption", "annotate", "validate", "motion", "encode", "finetune", "evaluate", "register"]
    assert list(pipelines) == [*order, "questions", "pretrain", "ablate", "__default__"]
    alone = [node.name for name in order for node in pipelines[name].nodes]
    assert sorted(node.name for node in pipelines["__default__"].nodes) == sorted(alone)
    assert len(set(alone)) == len(alone) >= len(order)


def test_load_says_where_it_looked(tmp_path, monkeypatch):
    import hawk_pipelines
    from hawk_pipelines.errors import HawkError

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(HawkError, match="not inside a HAWK project"):
        hawk_pipelines.load()

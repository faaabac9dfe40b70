import subprocess
import sys

import pytest

HEAVY = ("torch", "mlflow", "spacy", "transformers", "sklearn", "pandas", "sacrebleu")


LIGHT = ("hawk_pipelines", "hawk_pipelines.video", "hawk_pipelines.cli.ask", "hawk_pipelines.pipeline_registry")


def test_importing_is_light():
    """Neither torch nor MLflow nor spaCy nor what scores answers is imported before something needs it."""
    code = f"import sys, {', '.join(LIGHT)}; sys.exit(', '.join(m for m in {HEAVY} if m in sys.modules) or 0)"
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


def test_a_saved_model_answers_without_a_registry_and_without_adapters(small_run):
    """MLflow takes a second to import and peft two: where neither is needed, a question waits for neither."""
    code = (
        "import sys, hawk_pipelines; from pathlib import Path;"
        "video = next(Path('data/01_raw/synthetic').rglob('*.mp4'));"
        "print('ANSWER', hawk_pipelines.load('data/06_models/finetuned_model').ask(video, 'Who is involved?'));"
        "print('IMPORTED', sorted({'mlflow', 'peft', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=small_run.folder, capture_output=True, text=True, check=True)
    assert "ANSWER" in done.stdout
    assert done.stdout.splitlines()[-1] == "IMPORTED []"

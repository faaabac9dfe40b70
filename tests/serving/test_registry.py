"""Versions in a real registry: their files, and what is beside them."""

from pathlib import Path

import mlflow
import pytest

import hawk_pipelines
from hawk_pipelines.serving.registry import ModelNotFound, add_version, describe, fetch, load, weights_in


def test_a_version_is_its_files_and_what_is_written_beside_them(registry, a_run, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with a_run() as run:
        added = add_version(folder, "hawk-smol", ["mlflow"], {"gate": "passed"})
        describe(added, {"README.md": "# A card", "gate.json": "{}"}, "# A card\n" + "long " * 2000)
    assert added[:2] == ("hawk-smol", "1")
    files = fetch("models:/hawk-smol/1", mlflow.get_tracking_uri())
    assert (files / "README.md").read_text() == "# A card"
    assert (weights_in(files) / "config.json").read_text() == "{}"
    source = Path(hawk_pipelines.__file__).parent
    carried = {path.relative_to(files / "code") for path in (files / "code").rglob("*") if path.is_file()}
    assert carried == {path.relative_to(source.parent) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    known = registry.get_model_version("hawk-smol", "1")
    assert (known.tags, known.aliases, known.run_id) == ({"gate": "passed"}, [], run.info.run_id)
    assert known.description.startswith("# A card\nlong long")
    assert known.description.endswith(" …")
    assert len(known.description) == 5000
    assert {one.path for one in registry.list_artifacts(run.info.run_id, "registered_model")} == {
        "registered_model/README.md",
        "registered_model/gate.json",
    }


def test_what_is_not_there_is_said(registry, new_version):
    with pytest.raises(ModelNotFound, match=r"models:/hawk@production is not in the registry \(.*\); that is the one at sqlite:"):
        load("models:/hawk@production")
    new_version()
    with pytest.raises(ModelNotFound, match=r"models:/hawk@production is not in the registry \(.*alias production not found"):
        load("models:/hawk@production")

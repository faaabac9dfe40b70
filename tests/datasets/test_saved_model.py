import pytest
from kedro.io import DatasetError

from hawk_pipelines.datasets.saved_model import SavedModelDataset


def _folder(path, content):
    path.mkdir()
    (path / "config.json").write_text(content)
    return path


def test_a_folder_is_moved_into_the_place_of_the_old_one(tmp_path):
    dataset = SavedModelDataset(filepath=str(tmp_path / "models" / "model"))
    for content in ("first", "second"):
        written = _folder(tmp_path / "written", content)
        dataset.save(written)
        assert not written.exists()
        assert (dataset.load() / "config.json").read_text() == content
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["model"]


def test_what_is_not_there_is_an_error_or_none(tmp_path):
    with pytest.raises(DatasetError, match="holds no saved model"):
        SavedModelDataset(filepath=str(tmp_path / "model")).load()
    assert SavedModelDataset(filepath=str(tmp_path / "model"), needed=False).load() is None


@pytest.mark.parametrize("step", ["copytree", "replace 1", "replace 2", "replace 3", "rmtree"])
def test_a_model_whose_handing_over_was_stopped_is_handed_over_once_more(tmp_path, monkeypatch, step):
    """As after a kill at each place: whole, and where it was trained, until it is in its place."""
    import os
    import shutil

    dataset = SavedModelDataset(filepath=str(tmp_path / "models" / "model"))
    dataset.save(_folder(tmp_path / "written", "old"))
    written = _folder(tmp_path / "written", "new")
    counts = {"replace": 0}

    def stopped(function, name):
        def call(*told, **more):
            counts[name] = counts.get(name, 0) + 1
            wanted, _, which = step.partition(" ")
            there = tmp_path / "models" / "model" / "config.json"
            begun = name != "rmtree" or (there.is_file() and there.read_text() == "new")
            if name == wanted and begun and counts[name] >= int(which or 1):
                raise KeyboardInterrupt
            return function(*told, **more)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", stopped(shutil.copytree, "copytree"))
        patched.setattr(os, "replace", stopped(os.replace, "replace"))
        patched.setattr(shutil, "rmtree", stopped(shutil.rmtree, "rmtree"))
        with pytest.raises(KeyboardInterrupt):
            dataset.save(written)
    if written.exists():
        assert (written / "config.json").read_text() == "new"  # the next run finds it there, whole
        dataset.save(written)
    assert (dataset.load() / "config.json").read_text() == "new"
    assert not written.exists()


def test_a_folder_that_is_there_already_may_be_handed_back(tmp_path):
    dataset = SavedModelDataset(filepath=str(_folder(tmp_path / "model", "there")))
    dataset.save(dataset.load())
    assert (dataset.load() / "config.json").read_text() == "there"

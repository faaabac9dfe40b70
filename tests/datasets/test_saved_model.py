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

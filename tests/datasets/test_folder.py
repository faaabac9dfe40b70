import pytest
from kedro.io import DatasetError

from hawk_pipelines.datasets.folder import FolderDataset


def test_it_is_the_path_whether_or_not_it_is_there(tmp_path):
    dataset = FolderDataset(filepath=str(tmp_path / "trainings"))
    assert dataset.load() == tmp_path / "trainings"
    assert not dataset.exists()
    (tmp_path / "trainings").mkdir()
    assert dataset.exists()


def test_nothing_is_saved_to_it(tmp_path):
    with pytest.raises(DatasetError, match="no node's output"):
        FolderDataset(filepath=str(tmp_path)).save("anything")

import pytest
from kedro.io import DatasetError

from hawk_pipelines.datasets.records import RecordsDataset
from hawk_pipelines.datasets.saved_model import SavedModelDataset
from hawk_pipelines.schema import QA, Draft, Rejection


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_records_come_back_as_they_were(tmp_path, suffix):
    drafts = [
        Draft(
            item_id="1",
            video_id="1",
            description="Line\nbreak, \u201cquotes\u201d, \x00 and 😀",
            QA=[],
            provider="rules",
            sources=[],
        ),
        Draft(item_id="2", video_id="2", description="", QA=[QA(q="a", a="b")], provider="rules", sources=["x"]),
    ]
    dataset = RecordsDataset(filepath=str(tmp_path / f"deep/drafts.{suffix}"), record="Draft")
    dataset.save(drafts)
    assert dataset.load() == drafts
    assert dataset.count() == 2
    dataset.save([])
    assert dataset.load() == []
    assert dataset.count() == 0


def test_an_empty_table_still_has_its_columns(tmp_path):
    import pandas as pd

    dataset = RecordsDataset(filepath=str(tmp_path / "r.parquet"), record="Rejection")
    dataset.save([])
    assert list(pd.read_parquet(tmp_path / "r.parquet").columns) == ["step", "item", "reason"]


def test_a_table_of_something_else_is_refused(tmp_path):
    path = str(tmp_path / "r.jsonl")
    RecordsDataset(filepath=path, record="Rejection").save([Rejection(step="a", item="b", reason="c")])
    with pytest.raises(DatasetError, match="is no table of Draft"):
        RecordsDataset(filepath=path, record="Draft").load()
    with pytest.raises(DatasetError, match="is not there yet"):
        RecordsDataset(filepath=str(tmp_path / "no.jsonl"), record="Draft").load()


def test_a_saved_model_takes_the_place_of_the_old_one(tmp_path):
    dataset = SavedModelDataset(filepath=str(tmp_path / "models/m"))
    for content in ("old", "new"):
        made = tmp_path / content
        made.mkdir()
        (made / "config.json").write_text(content)
        (made / f"only_{content}").write_text("")
        dataset.save(made)
    assert sorted(path.name for path in dataset.load().iterdir()) == ["config.json", "only_new"]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["m"]

import shutil

import pytest

from hawk_pipelines.engine.finished import (
    FinishedStep,
    path_sha256,
    read_finished,
    rows_sha256,
    step_key,
    write_finished,
)
from hawk_pipelines.schema import StoredItem


def _rows(*keys):
    return [StoredItem(item_id=f"v{number}", key=key) for number, key in enumerate(keys)]


@pytest.mark.parametrize(
    "changed",
    [
        {"step": "other"},
        {"version": 2},
        {"settings": {"b": [1], "a": 2}},
        {"inputs": {"rows": "y"}},
        {"inputs": {"lines": "x"}},
    ],
)
def test_a_key_is_of_the_step_its_version_its_settings_and_its_inputs(changed):
    known = {"step": "step", "version": 1, "settings": {"a": 1, "b": [1]}, "inputs": {"rows": "x"}}
    assert step_key(**known) == step_key(**known | {"settings": {"b": [1], "a": 1}})
    assert step_key(**known) != step_key(**known | changed)


def test_a_table_is_its_rows_in_their_order():
    assert rows_sha256(_rows("a", "b")) == rows_sha256(iter(_rows("a", "b")))
    assert len({rows_sha256(rows) for rows in (_rows("a", "b"), _rows("b", "a"), _rows("a"), [])}) == 4


def test_a_folder_is_the_content_and_the_names_of_its_files_wherever_it_is(tmp_path):
    one = tmp_path / "one"
    (one / "below").mkdir(parents=True)
    (one / "a.txt").write_text("a")
    (one / "below" / "b.txt").write_text("b")
    first = path_sha256(one)
    assert path_sha256(shutil.copytree(one, tmp_path / "two")) == first
    (one / "record.json").write_text("{}")
    assert path_sha256(one, {"record.json"}) == first != path_sha256(one)
    (one / "record.json").unlink()
    (one / "below" / "b.txt").write_text("c")
    assert path_sha256(one) != first
    (one / "below" / "b.txt").rename(one / "b.txt")
    assert path_sha256(tmp_path / "nowhere") is None
    assert path_sha256(one / "a.txt") == path_sha256(tmp_path / "two" / "a.txt")


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_none(tmp_path):
    record = FinishedStep(step="score", key="k", outputs={"scores": "x"}, run_id="r")
    write_finished(tmp_path / "records", record)
    assert read_finished(tmp_path / "records", "score") == record
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["score.json"]
    assert read_finished(tmp_path / "records", "other") is None
    (tmp_path / "records" / "score.json").write_text('{"step": "sco')
    assert read_finished(tmp_path / "records", "score") is None

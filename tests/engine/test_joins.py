import pytest

from hawk_pipelines.engine.joins import MADE_BY, STEPS, TablesApart, check_joined


@pytest.mark.parametrize(
    ("table", "other", "steps"),
    [
        ("annotations", "videos", "split,caption,annotate,validate"),
        ("clips", "videos", "split"),
        ("clip_captions", "videos", "split,caption"),
        ("drafts", "videos", "split,caption,annotate"),
        ("source_captions", "videos", "ingest"),
        ("test_samples", "annotations", "validate"),
        ("asked", "annotations", "motion,encode,finetune,evaluate"),
        ("asked", "test_samples", "motion,encode,finetune,evaluate"),
        ("predictions", "asked", "evaluate"),
        ("window_parts", "videos", "split,caption,annotate,validate,motion,encode,finetune,evaluate"),
    ],
)
def test_the_sentence_names_both_tables_and_the_steps_that_make_them_belong_together(table, other, steps):
    with pytest.raises(TablesApart) as told:
        check_joined(table, ["b", "a", "c", "a"], other, {"c"}, "item")
    sentence = str(told.value)
    assert sentence.startswith(f"`{table}` is about 2 item(s) that `{other}` does not have, for example a")
    assert f"`kedro run --pipelines={steps}`" in sentence


def test_tables_that_belong_together_pass():
    check_joined("annotations", iter(["a", "a"]), "videos", {"a": 1, "b": 2})
    check_joined("annotations", [], "videos", [])


def test_every_table_is_made_by_a_step():
    assert set(MADE_BY.values()) <= set(STEPS)

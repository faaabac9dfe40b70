import pytest

from hawk_pipelines.engine.joins import MADE_BY, STEPS, TablesApart, check_annotated, check_joined
from hawk_pipelines.schema import Annotation, Video


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


def _annotation(video_id, split):
    return Annotation.model_construct(video_id=video_id, split=split)


def test_annotations_of_videos_that_are_on_another_side_by_now_are_refused():
    videos = [Video.model_construct(id=name, split=split) for name, split in (("a", "train"), ("b", "test"), ("c", "test"))]
    check_annotated([_annotation("a", "train"), _annotation("b", "test")], videos)
    with pytest.raises(TablesApart, match=r"put 2 video\(s\) on different sides .* for example b \(`train` and `test`\)") as told:
        check_annotated([_annotation(name, "train") for name in "acb"], videos)
    assert "`kedro run --pipelines=split,caption,annotate,validate`" in str(told.value)

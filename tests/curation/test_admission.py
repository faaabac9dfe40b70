import pytest

from hawk_pipelines.curation.admission import NothingLeft, annotations_of, check_subsets
from hawk_pipelines.curation.judging import judge


def test_annotations_have_only_the_answers_that_nothing_stands_against(draft, videos, captions):
    drafts = [draft(0, qa=[("Who falls?", "A dog."), ("What happens?", "A fall.")]), draft(1, ""), draft(2)]
    annotations = annotations_of(judge(drafts, videos, captions))
    assert [annotation.item_id for annotation in annotations] == ["v0", "v2"]
    assert [pair.q for pair in annotations[0].QA] == ["What happens?"]


def test_a_split_that_is_left_empty_stops_the_run_and_names_the_review(draft, videos, captions):
    judged = judge([draft(0), draft(1), draft(2, "A dog barks.")], videos, captions)
    with pytest.raises(NothingLeft, match=r"test split is left: of 1 draft\(s\) 1 need review and 0 .* `hawk review next`"):
        check_subsets(judged, videos)


def test_what_needs_review_is_no_annotation(draft, videos, captions):
    judged = judge([draft(0), draft(1, "A dog barks."), draft(2)], videos, captions)
    assert judged[1].verdict == "needs_review"
    assert [annotation.item_id for annotation in annotations_of(judged)] == ["v0", "v2"]


def test_a_split_with_videos_of_which_nothing_is_known_stops_the_run(draft, videos, captions):
    with pytest.raises(NothingLeft, match=r"test split is left: of its 1 video\(s\) nothing is known"):
        check_subsets(judge([draft(0)], videos, captions), videos)


def test_tables_are_named_without_a_folder_since_the_folder_of_data_is_a_setting(draft, videos, captions):
    with pytest.raises(NothingLeft, match=r"stand in `rejected_drafts` \(rejected_drafts\.parquet\)"):
        check_subsets(judge([draft(0)], videos, captions), videos)
    with pytest.raises(NothingLeft, match=r"stand in `judged_drafts` \(judged_drafts\.jsonl\)"):
        check_subsets(judge([draft(0), draft(1), draft(2, "A dog barks.")], videos, captions), videos)


def test_a_split_without_videos_does_not_stop(draft, videos, captions):
    judged = judge([draft(0)], videos, captions)
    check_subsets(judged, videos[:2])
    assert len(annotations_of(judged)) == 1


def test_nothing_at_all_stops_the_run():
    assert annotations_of([]) == []
    with pytest.raises(NothingLeft, match="No annotation is left: there is no draft"):
        check_subsets([], [])

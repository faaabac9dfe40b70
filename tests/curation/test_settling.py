import pytest

from hawk_pipelines.curation.admission import annotations_of
from hawk_pipelines.curation.decisions import ReviewError
from hawk_pipelines.curation.judging import judge
from hawk_pipelines.curation.review import decide
from hawk_pipelines.curation.settling import settle
from hawk_pipelines.curation.summary import flat_summary, summary
from hawk_pipelines.schema import Decision, LlmCall, Written

POOL = ["Who is involved?", "What happens?"]


def _decide(task, decision, edited=None, reviewer="ana", time="2026-05-01T10:00:00+00:00"):
    return Decision(
        task_id=task.id, kind=task.kind, item_id=task.item_id, question=task.question, text=task.text, decision=decision,
        edited=edited, reviewer=reviewer, time=time, seconds=12.0,
    )  # fmt: skip


def _settle(judged, videos, decisions=(), share=0.0, seed=0):
    return settle(judged, list(decisions), POOL, videos, share, seed)


def test_what_needs_review_is_queued_first_then_the_pool(draft, videos, captions):
    judged = judge([draft(0, "A dog barks."), draft(1), draft(9)], videos, captions)
    queue = _settle(judged, videos).queue
    assert [(task.kind, task.item_id, bool(task.reasons)) for task in queue] == [
        ("description", "v0", True),
        ("question", None, False),
        ("question", None, False),
    ]
    assert queue[0].path == videos[0].path


def test_a_share_of_the_rest_is_drawn_by_itself_whatever_else_there_is(draft, videos, captions):
    drafts = [draft(number, qa=[(f"Who falls, {k}?", "A man.") for k in range(40)]) for number in range(3)]
    judged = judge(drafts, videos, captions)
    drawn = {task.id for task in _settle(judged, videos, share=0.3).queue if task.kind != "question"}
    assert 15 < len(drawn) < 60
    again = {task.id for task in _settle(judged[1:], videos, share=0.3).queue if task.kind != "question"}
    assert again == {task.id for task in _settle(judged, videos, share=0.3).queue if task.item_id in ("v1", "v2")}
    assert drawn != {task.id for task in _settle(judged, videos, share=0.3, seed=1).queue if task.kind != "question"}


def test_an_accepted_text_loses_its_findings_and_an_edit_takes_its_place(draft, videos, captions):
    judged = judge([draft(0, "A dog barks."), draft(2, "I cannot describe the video.")], videos, captions)
    first, second = [task for task in _settle(judged, videos).queue if task.kind == "description"]
    settled = _settle(judged, videos, [_decide(first, "accept"), _decide(second, "edit", "A man falls over a dog.")])
    assert [one.verdict for one in settled.drafts] == ["accepted", "accepted"]
    annotations = annotations_of(settled.drafts)
    assert [one.description for one in annotations] == ["A dog barks.", "A man falls over a dog."]
    assert [one.reviewers for one in annotations] == [["ana"], ["ana"]]
    assert {task.id for task in settled.queue} >= {first.id, second.id}


def test_a_refusal_can_be_edited_and_not_accepted(draft, videos, captions):
    judged = judge([draft(0, "I am sorry, I cannot describe this video.")], videos, captions)
    task = _settle(judged, videos).queue[0]
    accepted = _settle(judged, videos, [_decide(task, "accept")]).drafts[0]
    assert accepted.verdict == "rejected"
    edited = _settle(judged, videos, [_decide(task, "edit", "A man falls.")]).drafts[0]
    assert (edited.verdict, edited.description) == ("accepted", "A man falls.")
    with pytest.raises(ReviewError, match="refusal is never trained on"):
        decide(task, "accept", "ana")


def test_an_edited_question_has_to_fit_its_answer(draft, videos, captions):
    judged = judge([draft(0)], videos, captions)
    question = next(task for task in _settle(judged, videos).queue if task.text == "Who is involved?")
    (settled,) = _settle(judged, videos, [_decide(question, "edit", "When does he fall?")]).drafts
    assert [(one.check, one.place) for one in settled.findings] == [("question", "QA[0]")]


def test_a_rejected_text_is_rejected_whatever_the_checks_say(draft, videos, captions):
    judged = judge([draft(0), draft(2)], videos, captions)
    description, answer = _settle(judged, videos, share=1.0).queue[:2]
    settled = _settle(judged, videos, [_decide(description, "reject")])
    assert [one.verdict for one in settled.drafts] == ["rejected", "accepted"]
    settled = _settle(judged, videos, [_decide(answer, "reject")])
    assert [len(one.QA) for one in annotations_of(settled.drafts)] == [0, 1]


def test_a_decision_about_a_question_of_the_pool_holds_for_every_item_that_asks_it(draft, videos, captions):
    judged = judge([draft(0), draft(2)], videos, captions)
    asked = next(task for task in _settle(judged, videos).queue if task.kind == "question")
    settled = _settle(judged, videos, [_decide(asked, "edit", "Who falls?")])
    assert [one.QA[0].q for one in annotations_of(settled.drafts)] == ["Who falls?", "Who falls?"]
    settled = _settle(judged, videos, [_decide(asked, "reject")])
    assert [one.QA for one in annotations_of(settled.drafts)] == [[], []]


def test_where_reviewers_differ_the_item_waits(draft, videos, captions):
    judged = judge([draft(0), draft(2)], videos, captions)
    task = _settle(judged, videos, share=1.0).queue[0]
    settled = _settle(judged, videos, [_decide(task, "accept"), _decide(task, "reject", reviewer="ben")])
    assert settled.drafts[0].verdict == "needs_review"
    assert settled.drafts[0].findings[0].check == "review"


def test_an_edit_of_a_text_that_has_changed_since_is_not_used_and_the_item_waits(draft, videos, captions):
    before = judge([draft(0), draft(2)], videos, captions)
    edit = _decide(_settle(before, videos, share=1.0).queue[0], "edit", "A man falls badly.")
    after = judge([draft(0, "A man in red falls on the road."), draft(2)], videos, captions)
    settled = _settle(after, videos, [edit])
    assert settled.drafts[0].description == "A man in red falls on the road."
    assert settled.drafts[0].verdict == "needs_review"
    assert settled.queue[0].reasons


def test_a_decision_about_a_video_that_left_the_data_is_counted_and_does_nothing(draft, videos, captions):
    judged = judge([draft(0), draft(1), draft(2)], videos, captions)
    reject = _decide(_settle(judged, videos, share=1.0).queue[0], "reject")
    left = judge([draft(1), draft(2)], videos[1:], captions)
    settled = _settle(left, videos[1:], [reject])
    assert [one.verdict for one in settled.drafts] == ["accepted", "accepted"]
    told = summary(settled, [reject])
    assert (told["review"]["gone"], told["review"]["stale"]) == (1, 0)


def test_the_summary_counts_items_answers_and_what_was_found(draft, videos, captions):
    drafts = [draft(0, "A dog barks."), draft(1, qa=[("When does he fall?", "A man."), ("Who falls?", "A man.")]), draft(2, "")]
    settled = _settle(judge(drafts, videos, captions), videos)
    told = summary(settled, [])
    assert [told["items"][name] for name in ("count", "accepted", "needs_review", "rejected")] == [3, 1, 1, 1]
    assert [told["answers"][name] for name in ("count", "accepted", "needs_review", "rejected")] == [4, 1, 2, 1]
    assert told["findings"] == {"claims": 1, "empty": 1, "question": 1}
    assert told["question_kinds"]["who"] == 3
    assert told["by_split"]["test"] == {"accepted": 0, "needs_review": 0, "rejected": 1}
    flat = flat_summary(told)
    assert flat["validate.items.accepted_share"] == 0.3333
    assert flat["validate.review.waiting"] == 3


def test_the_summary_says_what_labels_of_a_language_model_cost(draft, videos, captions):
    took = {"input_tokens": 100, "output_tokens": 50, "latency_s": 1.0, "key": "a", "attempts": 1, "model": "m"}
    calls = [
        LlmCall(item_id="v0", purpose="description", outcome="answered", cost_usd=0.02, **took),
        LlmCall(item_id="v1", purpose="description", outcome="answered", cost_usd=0.02, **took),  # the same reply
        LlmCall(item_id="v2", purpose="description", outcome="failed", cost_usd=0.04, **(took | {"key": "b"})),
    ]
    written = Written(
        model="m", prompts={}, requests=["a"], input_tokens=100, output_tokens=50, cost_usd=0.02, latency_s=1.0, refusals=1
    )
    drafts = [draft(0).model_copy(update={"written": written}), draft(1, "A dog barks.").model_copy(update={"written": written})]
    told = summary(_settle(judge([*drafts, draft(2)], videos, captions), videos), [], calls)
    assert told["language_model"] == {
        "labels": 4, "accepted": 2, "accepted_share": 0.5, "refusals": 2, "failed": 1, "cost_usd": 0.06,
        "cost_usd_per_accepted": 0.03,
    }  # fmt: skip
    assert flat_summary(told)["validate.language_model.cost_usd_per_accepted"] == 0.03


def test_a_text_that_took_the_place_of_a_rejected_one_waits(draft, videos, captions):
    before = judge([draft(0), draft(2)], videos, captions)
    reject = _decide(_settle(before, videos, share=1.0).queue[0], "reject")
    after = judge([draft(0, "A man in red falls on the road."), draft(2)], videos, captions)
    settled = _settle(after, videos, [reject])
    assert settled.drafts[0].verdict == "needs_review"
    assert "rejected an earlier text" in settled.queue[0].reasons[0]


def test_a_question_that_was_edited_into_another_is_not_asked_twice(draft, videos, captions):
    judged = judge([draft(0, qa=[("Who falls?", "A man."), ("Who is involved?", "A man.")]), draft(2)], videos, captions)
    asked = next(task for task in _settle(judged, videos).queue if task.text == "Who is involved?")
    settled = _settle(judged, videos, [_decide(asked, "edit", "who falls?")])
    assert [pair.q for pair in annotations_of(settled.drafts)[0].QA] == ["Who falls?"]


def test_where_reviewers_differ_about_a_question_its_answers_wait_and_those_who_changed_it_are_named(draft, videos, captions):
    judged = judge([draft(0), draft(2)], videos, captions)
    asked = next(task for task in _settle(judged, videos).queue if task.text == "Who is involved?")
    disputed = [_decide(asked, "accept"), _decide(asked, "reject", reviewer="ben")]
    assert [one.QA for one in annotations_of(_settle(judged, videos, disputed).drafts)] == [[], []]
    assert annotations_of(_settle(judged, videos, [_decide(asked, "accept")]).drafts)[0].reviewers == ["ana"]

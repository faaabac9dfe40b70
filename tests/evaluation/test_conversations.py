"""Whether a conversation holds: what is asked in it, that its history is in the prompt, and its figures."""

import pytest

from hawk_pipelines.curation.follow_ups import CHECKS, checked_answer, short_forms
from hawk_pipelines.evaluation.conversations import (
    PlannedTurn,
    conversation_metrics,
    conversation_scores,
    hold_conversations,
    plan_conversations,
    select_items,
)
from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import ConversationTurn, Prediction, Truth
from tests.evaluation.made import asked
from tests.evaluation.test_answers import ITEMS, parts, seen  # noqa: F401 (fixtures)

EIGHT = GenerationSettings(max_new_tokens=8)
QUESTIONS = {
    "Who is involved in the unusual event?": "A man in red.",
    "Where does the unusual event happen?": "In the middle of the street.",
    "What unusual event happens in the video?": "A man in red is running in the middle of the street.",
    "When does the unusual event begin?": "At the very beginning of the video.",
    "What about this video, is anything unusual in it?": "Yes, a man in red is running.",
}


def _asked(items=ITEMS):
    return [asked(item, question, reference) for item in items for question, reference in QUESTIONS.items()] + [
        asked(item) for item in items
    ]


def _forms(conversation):
    return [turn.form for turn in conversation]


def test_every_question_comes_at_every_turn_and_the_order_is_drawn_for_each_item():
    items = [f"v{number}" for number in range(60)]
    full = [talk for talk in plan_conversations(_asked(items), 5, seed=0) if set(_forms(talk)) == {"full"}]
    assert len(full) == 60
    for turn in range(5):
        assert {talk[turn].asked.question for talk in full} == {*QUESTIONS, asked("v0").question}
    assert len({tuple(turn.asked.question for turn in talk) for talk in full}) > 50
    assert all(len({turn.asked.key for turn in talk}) == 5 for talk in full)  # nothing is asked twice


def test_the_plan_of_an_item_does_not_depend_on_others():
    alone = plan_conversations(_asked(["v3"]), 5, seed=0)
    among = [talk for talk in plan_conversations(_asked()[::-1], 5, seed=0) if talk[0].asked.item_id == "v3"]
    assert alone == among
    assert alone != plan_conversations(_asked(["v3"]), 5, seed=1)


def test_short_conversations_need_an_earlier_turn_and_end_with_a_check():
    items = [f"v{number}" for number in range(40)]
    talks = [talk for talk in plan_conversations(_asked(items), 5, seed=0) if set(_forms(talk)) != {"full"}]
    assert len(talks) == 40
    for talk in talks:
        assert talk[0].form == "full"
        assert len(talk) <= 5
        for turn in talk[1:]:
            assert turn.form in ("short", "check")
            assert turn.wording != turn.asked.question
            if turn.form == "check":
                assert turn is talk[-1]
                assert turn.wording in CHECKS
                assert turn.asked == talk[-2].asked
    assert {turn.wording for talk in talks for turn in talk} >= {"And where?", "What does that person do?"}


def test_nobody_talks_about_a_single_question():
    assert plan_conversations([asked("v0", "Does it rain?", "Yes, it does.")], 5, seed=0) == []
    assert plan_conversations([], 5, seed=0) == []


def test_of_many_items_some_are_drawn():
    few = select_items(_asked(), 2, seed=0)
    assert len({question.item_id for question in few}) == 2
    assert len(few) == 2 * len(QUESTIONS) + 2
    assert select_items(_asked()[::-1], 2, seed=0) == few[::-1]
    assert len({tuple({q.item_id for q in select_items(_asked(), 1, seed)}) for seed in range(9)}) > 1
    assert select_items(_asked(), 99, seed=0) == _asked()


def test_the_models_own_answers_are_in_the_prompt(parts, seen):  # noqa: F811
    """Turn by turn the same as by hand with that history, in batches of whatever size; without it something else is said."""
    talks = plan_conversations(_asked(), 5, seed=0)
    held = hold_conversations(parts, talks, seen.__getitem__, 3, EIGHT, "hawk")
    assert held == hold_conversations(parts, talks, seen.__getitem__, 64, EIGHT, "hawk")
    by_hand, afresh = [], []
    for talk in talks:
        video, history = seen[talk[0].asked.item_id], []
        watched = watch(parts.model, [video])
        for turn in talk:
            text = answer(parts, watched, [Query(turn.wording, tuple(history))], [video.times_s], EIGHT)[0]
            afresh += answer(parts, watched, [Query(turn.wording)], [video.times_s], EIGHT)
            history.append(Turn(turn.wording, text))
            by_hand.append((talk[0].asked.item_id, turn.wording, text))
    assert sorted((turn.item_id, turn.wording, turn.answer) for turn in held) == sorted(by_hand)
    assert [text for *_, text in by_hand] != afresh


def test_a_conversation_that_outgrows_the_context_ends_there(parts, seen, caplog):  # noqa: F811
    context = parts.model.language_model.config.max_position_embeddings
    endless = asked("v0", f"What of {'it ' * context}?", "Nothing.")
    talk = [PlannedTurn(_asked()[0], "full", "Who?"), PlannedTurn(endless, "full", endless.question)]
    other = plan_conversations(_asked(["v1"]), 5, seed=0)[0]
    held = hold_conversations(parts, [talk, other], seen.__getitem__, 2, EIGHT, "hawk")
    assert [(turn.item_id, turn.turn) for turn in held] == [("v0", 1), *(("v1", turn) for turn in range(1, 6))]
    assert "hawk: 1 conversation(s) end early, about v0. The model has room for" in caplog.text


# --- figures -----------------------------------------------------------------------------------------------------------

TRUTHS = [
    Truth(video_id="a", slots={"normal": "unusual", "actor": "man in red", "action": "is running", "place": "in the middle"}),
    Truth(video_id="b", slots={"normal": "unusual", "actor": "man in blue", "action": "is falling", "place": "at the edge"}),
    Truth(video_id="c", slots={"normal": "nothing unusual"}),
]
WHO, WHERE, WHAT, WHEN, WHETHER = QUESTIONS


def _turn(item, question, text, turn, form="full", wording=None):
    what = asked(item, question, QUESTIONS[question])
    return ConversationTurn(**what.model_dump(), model="hawk", answer=text, turn=turn, form=form, wording=wording or question)


def _alone(item, question, text):
    return Prediction(**asked(item, question, QUESTIONS[question]).model_dump(), model="hawk", answer=text)


def _accuracies(turns, alone):
    scores = conversation_scores(turns, alone, TRUTHS)
    return {(score.form, score.turn): (score.value, score.alone, score.items) for score in scores if score.metric == "accuracy"}


@pytest.mark.parametrize(
    ("item", "question", "text", "right"),
    [
        ("a", WHO, "A man in red.", True),
        ("a", WHO, "A man in blue.", False),
        ("a", WHO, "A man in red or a man in blue.", False),
        ("a", WHERE, "In the middle of the street.", True),
        ("a", WHERE, "A man in red.", False),
        ("a", WHAT, "Somebody is running.", True),
        ("a", WHAT, "Nothing unusual happens.", False),
        ("a", WHEN, "At the very beginning of the video", True),
        ("a", WHEN, "At the end of the video.", False),
        ("a", WHETHER, "Yes, a man in red is running.", True),
        ("a", WHETHER, "No, nothing unusual happens.", False),
        ("c", WHO, "Nobody: nothing unusual happens.", True),
        ("c", WHO, "A man in red.", False),
        ("c", WHEN, "There is no such time: nothing unusual happens.", True),
    ],
)
def test_an_answer_is_scored_by_what_its_question_asks_for(item, question, text, right):
    found = _accuracies([_turn(item, question, text, 2)], [_alone(item, question, text)])
    assert found["full", 2] == (float(right), float(right), 1)


def test_a_check_is_scored_by_what_is_said_again():
    reply = checked_answer("A man in red.", is_right=True)
    found = _accuracies([_turn("a", WHO, reply, 5, "check", CHECKS[0])], [_alone("a", WHO, "A man in blue.")])
    assert found["check", 5] == (1, 0, 1)


def test_figures_stand_by_turn_beside_the_same_questions_alone():
    wordings = short_forms(*(_sample(question) for question in (WHERE, WHO)))
    turns = [
        _turn("a", WHO, "A man in red.", 1),
        _turn("b", WHO, "A man in red.", 2),
        _turn("a", WHERE, "In the middle.", 2),
        _turn("b", WHERE, "In the middle.", 3, "short", wordings[0]),
    ]
    alone = [
        _alone("a", WHO, "A man in red."),
        _alone("b", WHO, "A man in blue."),
        _alone("a", WHERE, "In the middle."),
        _alone("b", WHERE, "At the edge."),
    ]
    assert _accuracies(turns, alone) == {
        ("full", 1): (1, 1, 1),
        ("full", 2): (0.5, 1, 2),
        ("full", None): (0.5, 1, 2),
        ("short", 3): (0, 1, 1),
        ("short", None): (0, 1, 1),
    }
    assert _accuracies(turns, alone[1:])["full", 2] == (0.5, 1, 2)  # what was not asked alone has nothing to stand beside
    told = conversation_metrics(conversation_scores(turns, alone, TRUTHS))
    assert list(told) == ["full_turn_1", "full_turn_2", "full_later", "short_turn_3", "short_later"]
    assert told["full_turn_2"]["accuracy"] == 0.5
    assert told["full_turn_2"]["accuracy_alone"] == 1
    assert told["full_turn_2"]["accuracy_count"] == 2
    assert told["full_turn_2"]["accuracy_low"] is not None
    assert told["full_turn_1"]["accuracy_low"] is None  # of one video
    assert {"bleu_4", "bleu_4_alone"} <= set(told["full_turn_1"])


def _sample(question):
    from hawk_pipelines.schema import Sample

    return Sample(item_id="a", task="question", question=question, answer=QUESTIONS[question], motion_text="")


def test_without_truths_there_is_bleu_alone():
    scores = conversation_scores([_turn("a", WHO, "A man in red.", 1)], [_alone("a", WHO, "A man in red.")], [])
    assert {score.metric for score in scores} == {"bleu_4"}
    assert conversation_scores([], [], TRUTHS) == []

"""What is drawn where a share of the steps are conversations."""

import pickle
from itertools import groupby

import numpy as np
import pytest

from hawk_pipelines.curation.follow_ups import CHECKS, CONFIRMATION, CORRECTION
from hawk_pipelines.language.requests import DESCRIPTION_REQUESTS
from hawk_pipelines.model.losses import IGNORED
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.model.settings import TinyDecoderSettings
from hawk_pipelines.schema import DESCRIBE, Sample
from hawk_pipelines.training.conversations import draw_turn_counts, draw_turns
from hawk_pipelines.training.data import Learned
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.parameters import ConversationParameters
from tests.training.made import MODEL, draws_of, layout_of, small_parts, stored

ITEMS = [f"v{number}" for number in range(6)]
QUESTIONS = {
    "Who is involved in the unusual event?": "A man in {}.",
    "Where does the unusual event happen?": "Near the {} gate.",
    "What unusual event happens in the video?": "A man in {} falls.",
    "When does the unusual event begin?": "After {} seconds.",
}
COLORS = ("red", "blue", "black", "green", "white", "yellow")


def _samples(items=ITEMS, questions=QUESTIONS):
    samples = []
    for item, color in zip(items, COLORS, strict=False):
        samples.append(Sample(item_id=item, task="description", question=DESCRIBE, answer=f"{color} falls.", motion_text="falls"))
        for question, answer in questions.items():
            text = answer.format(color)
            samples.append(Sample(item_id=item, task="question", question=question, answer=text, motion_text=""))
    return samples


@pytest.fixture
def features(tmp_path):
    store, items = stored(tmp_path / "store", ITEMS)
    return Features(items, store)


@pytest.fixture(scope="module")
def parts():
    return small_parts(_samples())


def _talk(**changes):
    return ConversationParameters(**{"share": 1.0, "start": 0.0} | changes)


def _text(parts, draw):
    return parts.tokenizer.decode(draw.example.input_ids)


def _answers(parts, draw):
    """The answers of a conversation that have labels."""
    runs = [list(run) for learned, run in groupby(draw.example.labels, lambda label: label != IGNORED) if learned]
    return [parts.tokenizer.decode(run) for run in runs]


def test_without_conversations_the_same_is_drawn_as_ever(tmp_path, features, parts):
    """Their draws have generators of their own."""
    none, off, some = (
        draws_of(tmp_path, _samples(), features, layout_of(parts), 12, 4, conversations=talk)
        for talk in (None, _talk(share=0), _talk(share=0.5))
    )
    single = [number for number in range(48) if some._turn_counts[number // 4] == 1]
    assert 0 < len(single) < 48
    for number in range(48):
        assert none[number].example == off[number].example
    for number in single:
        assert none[number].example == some[number].example
    for number in range(48):
        assert none[number].item_id == some[number].item_id


def test_as_many_steps_as_are_asked_for_are_conversations_of_two_to_so_many_turns():
    counts = draw_turn_counts(_talk(share=0.3, max_turns=4), 10_000, seed=3)
    assert set(counts) == {1, 2, 3, 4}
    assert abs((counts > 1).mean() - 0.3) < 0.02
    assert all(abs((counts == n).mean() - 0.1) < 0.02 for n in (2, 3, 4))
    assert (counts == draw_turn_counts(_talk(share=0.3, max_turns=4), 10_000, seed=3)).all()
    assert (counts != draw_turn_counts(_talk(share=0.3, max_turns=4), 10_000, seed=4)).any()
    later = draw_turn_counts(_talk(share=0.3, max_turns=4, start=0.6), 10_000, seed=3)
    assert (later[:6000] == 1).all()
    assert (later[6000:] == counts[6000:]).all()


def test_every_answer_has_labels_and_is_the_items_own(tmp_path, features, parts):
    draws = draws_of(tmp_path, _samples(), features, layout_of(parts), 12, 4, conversations=_talk(check_share=0))
    known = {item: {f"{sample.answer}<eos>" for sample in _samples() if sample.item_id == item} for item in ITEMS}
    for number in range(48):
        answers = _answers(parts, draws[number])
        assert len(answers) == draws._turn_counts[number // 4]
        assert set(answers) <= known[draws[number].item_id]
        assert _text(parts, draws[number]).count("<|user|>") == len(answers)


def test_later_questions_are_short_as_often_as_is_told_in_any_order(tmp_path, features, parts):
    def later(share):
        draws = draws_of(
            tmp_path, _samples(), features, layout_of(parts), 60, 4, conversations=_talk(check_share=0, follow_up_share=share)
        )
        texts = [_text(parts, draws[number]) for number in range(240)]
        return [turn.partition("<|assistant|>")[0] for text in texts for turn in text.split("<|user|>")[2:]]

    full = {*QUESTIONS, *DESCRIPTION_REQUESTS}
    assert set(later(0)) <= full
    assert set(QUESTIONS) <= set(later(0))
    assert not set(later(1)) & set(QUESTIONS)
    assert {"And where?", "What does that person do?", "When does it begin?"} <= set(later(1))
    mixed = later(0.5)
    assert 0.4 < np.mean([question in full for question in mixed]) < 0.6


@pytest.mark.parametrize(("correction_share", "reply"), [(0.0, CONFIRMATION), (1.0, CORRECTION)])
def test_a_check_is_answered_by_what_is_true(tmp_path, features, parts, correction_share, reply):
    talk = _talk(max_turns=2, check_share=1, correction_share=correction_share)
    draws = draws_of(tmp_path, _samples(), features, layout_of(parts), 40, 4, conversations=talk)
    true = {(sample.item_id, sample.answer) for sample in _samples()}
    checked = 0
    for number in range(160):
        text, answers = _text(parts, draws[number]), _answers(parts, draws[number])
        assert any(text.partition(f"<|user|>{check}<|assistant|>")[1] for check in CHECKS)
        first = text.partition("<|assistant|>")[2].partition("<eos>")[0]
        last = answers[-1].removesuffix("<eos>")
        if not last.startswith(reply):  # no wrong answer was found: then it is confirmed
            assert last.startswith(CONFIRMATION)
            continue
        checked += 1
        assert (draws[number].item_id, last.removeprefix(reply).strip()) in true
        if reply == CORRECTION:
            assert len(answers) == 1  # the wrong answer is not learned
            assert (draws[number].item_id, first) not in true
        else:
            assert len(answers) == 2
            assert last == f"{CONFIRMATION} {first}"
    assert checked > 100


def test_the_same_seed_and_a_copy_for_another_process_draw_the_same(tmp_path, features, parts):
    one, two, other = (
        draws_of(tmp_path, _samples(), features, layout_of(parts), 8, 4, seed=seed, conversations=_talk()) for seed in (1, 1, 2)
    )
    one[0]
    copy = pickle.loads(pickle.dumps(one))  # noqa: S301
    for number in reversed(range(32)):
        assert one[number].example == two[number].example == copy[number].example
        assert one[number].whole == two[number].whole
    assert [one[number].example for number in range(32)] != [other[number].example for number in range(32)]


def test_what_a_batch_has_to_learn_is_that_of_all_its_turns(tmp_path, features, parts):
    draws = draws_of(tmp_path, _samples(), features, layout_of(parts), 6, 4, conversations=_talk(share=0.5))
    for step in range(6):
        batch = [draws[4 * step + place] for place in range(4)]
        learned = [Learned.of(draw.example) for draw in batch]
        assert [draw.learned for draw in batch] == learned
        assert {draw.whole for draw in batch} == {Learned(*map(sum, zip(*learned, strict=True)))}


def test_a_conversation_has_as_many_turns_as_the_context_holds(tmp_path, features):
    tiny = TinyDecoderSettings(width=32, heads=2, vocabulary=400, context=90)
    speaks = MODEL.language_model.model_copy(update={"tiny": tiny})
    short = small_parts(_samples(), MODEL.model_copy(update={"language_model": speaks}))
    draws = draws_of(tmp_path, _samples(), features, layout_of(short), 20, 4, conversations=_talk(max_turns=5))
    lengths = [len(draws[number].example.input_ids) for number in range(80)]
    turns = [_text(short, draws[number]).count("<|user|>") for number in range(80)]
    assert max(lengths) <= 90
    assert min(turns) < max(turns) < 5
    assert draws.longest_conversation(20) == max(turns)
    for number in range(80):  # no answer is left without its correction, and none without labels
        assert len(_answers(short, draws[number])) >= turns[number] - 1


def test_an_item_of_which_little_is_known_has_short_conversations():
    """Nothing is asked twice in a row, and a check is not checked."""
    (only,) = _samples(ITEMS[:1], {})
    first = Turn("Describe it.", only.answer)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        turns = draw_turns(first, only, [only], DESCRIPTION_REQUESTS, 5, _talk(), lambda *_: None, rng)
        assert [turn.question in CHECKS for turn in turns] == [False, True]
    yes = only.model_copy(update={"answer": "Yes, a man falls."})
    rng = np.random.default_rng(0)
    assert draw_turns(first, yes, [yes], DESCRIPTION_REQUESTS, 5, _talk(), lambda *_: None, rng) == [first]


@pytest.mark.parametrize(
    ("changes", "steps", "longest"),
    [({}, 8, 5), ({"max_turns": 3}, 8, 3), ({"start": 0.5}, 4, 1), ({"start": 0.5}, 8, 5), ({"share": 0.0}, 8, 1)],
)
def test_the_longest_conversation_is_that_of_the_steps_that_were_taken(tmp_path, features, parts, changes, steps, longest):
    draws = draws_of(tmp_path, _samples(), features, layout_of(parts), 8, 4, conversations=_talk(**changes))
    assert draws.longest_conversation(steps) == longest

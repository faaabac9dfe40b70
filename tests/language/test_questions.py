import logging
from collections import Counter
from pathlib import Path

import pytest

from hawk_pipelines.language.questions import ASKS, LONGEST, Pool, PoolError, Question, assign, read_pool

CONF = Path(__file__).parents[2] / "conf/questions.yml"
EVERYTHING = {(kind, asks) for kind, sections in ASKS.items() for asks in sections if asks != "open"}
SMALL = """
what: {event: ['What happens?'], open: ['What follows?']}
who: {actor: ['Who is it?', 'Who does it?']}
where: {place: ['Where is it?']}
when: {begin: ['When does it begin?']}
how: {event: ['How does it happen?']}
how much: {share: ['How much of it?']}
why: {class: ['Why is it unusual?']}
"""


@pytest.fixture(scope="module")
def pool():
    return read_pool(CONF)


def _read(folder, text):
    path = folder / "questions.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_pool(path)


def test_the_pool_has_a_hundred_questions_of_seven_kinds_in_balance(pool, caplog):
    kinds = Counter(question.kind for question in pool.questions)
    assert len(pool.questions) == 100
    assert set(kinds) == set(ASKS)
    assert set(kinds.values()) <= {14, 15}
    assert {(question.kind, question.asks) for question in pool.questions} >= EVERYTHING
    assert not caplog.records


def test_the_questions_of_the_pool_are_no_two_alike(pool):
    words = [frozenset(question.text.lower().rstrip("?").split()) for question in pool.questions]
    alike = [(a, b) for number, a in enumerate(words) for b in words[:number] if len(a & b) / len(a | b) > 0.75]
    assert alike == []
    assert all(question.text.endswith("?") and question.text[0].isupper() for question in pool.questions)


def test_a_pool_of_ones_own_of_another_size(tmp_path, caplog):
    small = _read(tmp_path, SMALL)
    assert len(small.questions) == 9
    assert small.questions[0] == Question("What happens?", "what", "event")
    assert not caplog.records


def test_a_byte_order_mark_and_many_spaces_change_nothing(tmp_path):
    assert _read(tmp_path, b"\xef\xbb\xbf" + SMALL.encode()) == _read(tmp_path, SMALL.replace("Who is it?", "Who   is\n   it?"))


def test_a_comment_changes_nothing_and_a_word_does(tmp_path):
    before = _read(tmp_path, SMALL)
    assert _read(tmp_path, f"# ours\n{SMALL}") == before
    assert _read(tmp_path, SMALL.replace("Where is it?", "Where is she?")).sha256 != before.sha256


def test_an_unbalanced_pool_is_warned_of(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _read(tmp_path, SMALL.replace("Why is it unusual?'", "Why is it so?', 'Why at all?', 'Why here?'"))
    assert "unbalanced" in caplog.text
    assert "why 3" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no mapping"),
        ("[]", "is no mapping"),
        ("{}", "holds no question"),
        ("what: {event: []}", "holds no question"),
        ("whence: {place: ['From where?']}", "the kind 'whence'"),
        ("3: {place: ['From where?']}", "the kind '3'"),
        ("what: ['What happens?']", "'what' in"),
        ("what: {place: ['What happens?']}", "the section 'place'"),
        ("what: {event: 'What happens?'}", "is no list"),
        ("what: {event: {a: b}}", "is no list"),
        ("what: {event: [12]}", "'12', which is no text"),
        ("what: {event: [~]}", "'None', which is no text"),
        ("what: {event: [['What happens?']]}", "which is no text"),
        ("what:\n  event:\n    - What: happens?", "is no text"),
        ("what: {event: ['  ']}", "without words"),
        ("what: {event: ['?']}", "without words"),
        (f"what: {{event: [{'What ' * LONGEST}]}}", "the longest has 200"),
        ("what: {event: ['What happens?', what happens]}", "stands there already"),
        ("what: {event: ['What happens?'], open: ['What happens ?']}", "stands there already (under 'what', 'event')"),
        ('what: {event: ["What\\u0000 happens?"]}', "control characters"),
        ('what: {event: ["What\\u001b[31m happens?"]}', "control characters"),
        ("what: {event: ['A?']}\nwhat: {event: ['B?']}", "the section 'what' twice"),
        ("what: {event: ['A?'], event: ['B?']}", "the section 'event' twice"),
        ("what: {event: [A?", "cannot be read as YAML"),
        ("what: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
        (b"what: {event: [\xff\xfe]}", "cannot be read as YAML"),
        ("[" * 3000, "cannot be read as YAML"),
        ("# " + "x" * 1_000_001, "larger than"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_its_fault(tmp_path, text, says):
    with pytest.raises(PoolError) as caught:
        _read(tmp_path, text)
    assert says in str(caught.value)
    assert "questions.yml" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(PoolError, match="There is no question pool"):
        read_pool(tmp_path / "none.yml")
    with pytest.raises(PoolError, match="cannot be read"):
        read_pool(tmp_path)


def test_an_item_is_asked_one_of_each_kind_and_then_more(pool):
    asked = assign(pool, EVERYTHING, "item", 42, 16)
    assert len({one.kind for one in asked[:7]}) == len({one.kind for one in asked[7:14]}) == 7
    assert len(set(asked)) == 16
    assert all(one.asks != "open" for one in asked)


def test_the_choice_depends_on_seed_and_item_alone(pool):
    first = assign(pool, EVERYTHING, "item", 42, 7)
    assert assign(pool, sorted(EVERYTHING), "item", 42, 7) == first
    assert assign(pool, EVERYTHING, "item", 42, 9)[:7] == first
    assert assign(pool, EVERYTHING, "item", 43, 7) != first
    assert assign(pool, EVERYTHING, "other", 42, 7) != first
    assert assign(Pool(pool.questions[::-1], ""), EVERYTHING, "item", 42, 7) == first


def test_only_what_can_be_answered_is_asked(pool):
    asked = assign(pool, {("why", "class"), ("what", "class")}, "item", 42, 100)
    assert {(one.kind, one.asks) for one in asked} == {("why", "class"), ("what", "class")}
    assert len(asked) == sum((one.kind, one.asks) in {("why", "class"), ("what", "class")} for one in pool.questions)
    assert [one.kind for one in asked[:6]] in (["why", "what"] * 3, ["what", "why"] * 3)
    assert assign(pool, set(), "item", 42, 7) == []
    assert assign(pool, EVERYTHING, "item", 42, 0) == []


def test_over_many_items_kinds_are_balanced_and_every_question_has_its_turn(pool):
    few = Counter(one.kind for item in range(700) for one in assign(pool, EVERYTHING, f"{item}", 42, 3))
    assert max(few.values()) < 1.3 * min(few.values())
    asked = {one for item in range(700) for one in assign(pool, EVERYTHING, f"{item}", 42, 7)}
    assert asked == {one for one in pool.questions if (one.kind, one.asks) in EVERYTHING}


def test_within_a_kind_everything_is_asked_for_before_anything_again(pool):
    asked = [one.asks for one in assign(pool, {pair for pair in EVERYTHING if pair[0] == "when"}, "item", 42, 6)]
    assert set(asked[:3]) == set(asked[3:]) == {"begin", "end", "span"}

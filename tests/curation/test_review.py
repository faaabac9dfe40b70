import itertools

import pytest

from hawk_pipelines.curation.decisions import ReviewError
from hawk_pipelines.curation.review import Text, decide, find, krippendorff_alpha, read_queue, rule, summarise, waiting
from tests.curation.reviews import NASTY, decision, task, write_queue

FALL = task("A man falls.")
WHO = task("A man.", kind="answer", question="Who falls?")
POOL = task("Who falls?", kind="question")


def _outcome(*given, texts=(FALL,)):
    ruling = rule(given, texts).by_task.get(FALL.id)
    return ruling and (ruling.outcome, ruling.text)


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ([], None),
        ([("accept", "Ann")], ("accept", "A man falls.")),
        ([("reject", "Ann")], ("reject", "A man falls.")),
        ([("edit", "Ann", "A man trips.")], ("edit", "A man trips.")),
        ([("accept", "Ann"), ("reject", "Ann")], ("reject", "A man falls.")),
        ([("reject", "Ann"), ("edit", "Ann", "He falls."), ("accept", "Ann")], ("accept", "A man falls.")),
        ([("accept", "Ann"), ("accept", "Bob")], ("accept", "A man falls.")),
        ([("accept", "Ann"), ("reject", "Bob")], ("disputed", "A man falls.")),
        ([("edit", "Ann", "He falls."), ("reject", "Bob")], ("disputed", "A man falls.")),
        ([("accept", "Ann"), ("reject", "Bob"), ("accept", "Bob")], ("accept", "A man falls.")),
        ([("edit", "Ann", "He falls."), ("accept", "Bob")], ("edit", "He falls.")),
        ([("edit", "Ann", "He falls."), ("edit", "Bob", "He trips.")], ("edit", "He trips.")),
        ([("edit", "Bob", "He trips."), ("edit", "Ann", "He falls."), ("accept", "Bob")], ("edit", "He falls.")),
    ],
)
def test_what_the_decisions_on_a_text_come_to(given, outcome):
    made = [decision(FALL, what, reviewer, at, *edited) for at, (what, reviewer, *edited) in enumerate(given)]
    for order in itertools.permutations(made):  # an import may bring earlier decisions later
        assert _outcome(*order) == outcome


def test_of_equal_times_the_one_recorded_later_counts():
    assert _outcome(decision(FALL, "accept"), decision(FALL, "reject")) == ("reject", "A man falls.")


def test_a_dispute_names_both_sides_and_notes_are_told():
    given = [decision(FALL, "accept", "Ann"), decision(FALL, "reject", "Bob", note="He kneels.")]
    ruling = rule(given, [FALL]).by_task[FALL.id]
    assert ruling.reason == (
        "Reviewers differ: Ann would use it, Bob would not. One of them must decide again. Bob notes: He kneels."
    )
    assert ruling.reviewers == ["Ann", "Bob"]


def test_what_took_the_place_of_an_accepted_text_is_judged_anew():
    one = decision(task("A dog runs."), "accept")
    assert rule([one], [FALL, WHO]) == ({}, [one], [])


def test_what_took_the_place_of_a_rejected_text_asks_for_a_person():
    one = decision(task("A dog runs."), "reject")
    rulings = rule([one], [FALL, WHO])
    assert (set(rulings.by_task), rulings.stale) == ({FALL.id}, [one])
    assert rulings.by_task[FALL.id].outcome == "stale"
    assert "rejected an earlier text" in rulings.by_task[FALL.id].reason


def test_an_edit_of_a_text_that_has_changed_since_asks_for_a_person():
    edits = [decision(task("A dog runs."), "edit", edited=text, at=at) for at, text in enumerate(["A dog!", "A cat runs."])]
    rulings = rule(edits, [FALL, WHO])
    assert (rulings.by_task[FALL.id].outcome, rulings.by_task[FALL.id].text) == ("stale", "A cat runs.")
    assert "has changed since" in rulings.by_task[FALL.id].reason
    assert set(rulings.by_task) == {FALL.id}
    one, two = task("A dog runs."), task("A dog ran.")
    first, second, third = (decision(of, "edit", edited=f"{at}", at=at) for at, of in enumerate([one, two, one]))
    assert _outcome(first, second) == ("stale", "1")
    assert _outcome(first, second, third) == ("stale", "2")
    assert _outcome(*edits, decision(FALL, "accept", "Bob")) == ("accept", "A man falls.")


def test_an_edit_that_the_source_has_followed_is_an_acceptance():
    assert _outcome(decision(task("A dog runs."), "edit", edited="A man falls.")) == ("accept", "A man falls.")


def test_an_edit_that_was_taken_back_does_not_outlive_its_text():
    old = task("A dog runs.")
    assert _outcome(decision(old, "edit", edited="A cat."), decision(old, "reject", at=1)) == ("stale", "A man falls.")
    assert _outcome(decision(old, "edit", edited="A cat."), decision(old, "accept", at=1)) is None
    assert _outcome(decision(old, "edit", edited="A cat."), decision(old, "reject", "Bob")) is None


def test_decisions_on_what_left_the_data_are_told_and_without_effect():
    given = [
        decision(task(item="v9"), "edit", edited="He falls."),
        decision(task("A man.", kind="answer", question="Who ran?"), "reject"),
        decision(task("Where?", kind="question"), "reject"),
    ]
    rulings = rule(given, [FALL, WHO, POOL])
    assert rulings.by_task == {}
    assert rulings.stale == []
    assert sorted(rulings.gone, key=lambda one: one.kind) == sorted(given, key=lambda one: one.kind)


def test_rulings_are_found_by_the_text_of_the_draft():
    texts = [Text("answer", "v1", "Who falls?", "A man."), Text("question", None, None, "Who falls?")]
    rulings = rule([decision(WHO, "reject"), decision(POOL, "edit", edited="Who is falling?")], texts)
    assert rulings.of("answer", "v1", "Who falls?", "A man.").outcome == "reject"
    assert rulings.of("question", None, None, "Who falls?").text == "Who is falling?"
    assert rulings.of("answer", "v2", "Who falls?", "A man.") is None


def test_two_answers_to_one_question_are_judged_apart():
    other = task("A woman.", kind="answer", question="Who falls?")
    rulings = rule([decision(WHO, "reject")], [WHO, other])
    assert {identity: ruling.outcome for identity, ruling in rulings.by_task.items()} == {WHO.id: "reject"}


def test_nobody_is_offered_what_they_have_decided():
    tasks = [FALL, WHO, POOL]
    given = [decision(FALL, reviewer="Ann"), decision(WHO, reviewer="Bob"), decision(WHO, reviewer="Ann")]
    assert waiting(tasks, given, "Ann") == waiting(tasks, given, "Bob") == [POOL]
    assert waiting(tasks, given, "Ann", second=True) == []
    assert waiting(tasks, given, "Bob", second=True) == [FALL]
    assert waiting(tasks, given, "Cay", second=True) == [FALL, WHO]


def test_a_task_is_found_by_the_beginning_of_its_id():
    tasks = [FALL.model_copy(update={"id": identity}) for identity in ("abc1", "abc2", "b000")]
    assert find(tasks, "ABC1").id == "abc1"
    assert find(tasks, "b").id == "b000"
    with pytest.raises(ReviewError, match=r"2 tasks .* 'abc' \(such as abc1, abc2\)"):
        find(tasks, "abc")
    for unknown in ("c", "", "abc11", "../", "%"):
        with pytest.raises(ReviewError, match="No task"):
            find(tasks, unknown)


def test_a_decision_is_checked_when_it_is_made():
    made = decide(FALL, "edit", " Ann ", " He falls. \n", seconds=1.234)
    assert (made.edited, made.reviewer, made.seconds) == ("He falls.", "Ann", 1.23)
    for arguments in (("edit", "Ann"), ("edit", "Ann", " \t"), ("accept", " "), ("accept", "Ann", "Other.")):
        with pytest.raises(ReviewError, match="was not recorded"):
            decide(FALL, *arguments)
    for seconds in (float("nan"), float("inf"), -1):
        with pytest.raises(ReviewError, match="are no duration"):
            decide(FALL, "accept", "Ann", seconds=seconds)


def test_the_queue_is_read_in_order_and_faults_are_said(tmp_path):
    path = tmp_path / "queue.jsonl"
    with pytest.raises(ReviewError, match="There is no review queue"):
        read_queue(path)
    write_queue(path, [POOL, task(NASTY), FALL, POOL])
    assert read_queue(path) == [POOL, task(NASTY), FALL]
    for content in (b"\xff\x00", b"[]", b'{"id": "1"}', b"null", b"{" * 9999):
        path.write_bytes(content)
        with pytest.raises(ReviewError, match="is no review queue"):
            read_queue(path)
    with pytest.raises(ReviewError, match="cannot be read"):
        read_queue(tmp_path)


def test_the_summary_counts_last_decisions():
    given = [
        decision(FALL, "reject", "Ann", 0, seconds=99),
        decision(FALL, "accept", "Ann", 1, seconds=10),
        decision(WHO, "edit", "Ann", 2, "She.", seconds=20),
        decision(POOL, "reject", "Ann", 3, seconds=60),
        decision(FALL, "edit", "Bob", 4, "He falls."),
        decision(WHO, "reject", "Bob", 5),
    ]
    assert summarise(given) == {
        "decisions": 6,
        "tasks": 3,
        "by_kind": {
            "description": {"accept": 1, "edit": 1, "reject": 0},
            "answer": {"accept": 0, "edit": 1, "reject": 1},
            "question": {"accept": 0, "edit": 0, "reject": 1},
        },
        "by_reviewer": {"Ann": {"tasks": 3, "median_seconds": 20}, "Bob": {"tasks": 2, "median_seconds": None}},
        "judged_by_several": 2,
        "agreement": 0.5,
        "krippendorff_alpha": pytest.approx(0.0),
    }
    nothing = summarise([])
    assert (nothing["agreement"], nothing["krippendorff_alpha"], nothing["judged_by_several"]) == (None, None, 0)


def test_alpha_is_krippendorffs():
    # The examples B (two judges, two values) and C (four judges, five values, some missing) of Krippendorff, "Computing
    # Krippendorff's alpha-reliability" (2011).
    two = zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True)
    assert krippendorff_alpha([list(pair) for pair in two]) == pytest.approx(0.095, abs=5e-4)
    four = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = [[value for value in column if value is not None] for column in zip(*four, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_not_defined_where_nothing_differs():
    assert krippendorff_alpha([[True, True], [True, True, True]]) is None
    assert krippendorff_alpha([[True], [False]]) is None
    assert krippendorff_alpha([[True, True], [False, False]]) == 1

"""Decisions from answers that are made by hand."""

import math

import numpy as np
import pytest

from hawk_pipelines.evaluation.bleu import bleu
from hawk_pipelines.schema import DESCRIBE, Prediction, Sample
from hawk_pipelines.serving.gate import GateError, best_constant_answers, decide, obstacles_to, remarks_on, tags
from hawk_pipelines.serving.parameters import GateParameters
from hawk_pipelines.serving.provenance import TrainedOn

COLOURS = ("red", "green", "blue", "black", "white", "grey", "brown", "yellow")
ACTIONS = ("running away", "falling down", "climbing over", "dancing alone", "fighting hard", "lying still")
TEN = GateParameters(min_videos=10)


def _answers(right=1.0, seed=0, videos=120, model="hawk", tasks=("description", "question")):
    """Of each video a description and an answer; so many of them say what the reference says, in these tasks."""
    rng, made = np.random.default_rng(seed), []
    for number in range(videos):
        colour, action = COLOURS[number % 8], ACTIONS[number % 6]
        told = {
            "description": (DESCRIBE, "In the yard a person in {} is {} near the gate."),
            "question": ("Who does what?", "It is a person in {} who is {}."),
        }
        for task, (question, sentence) in told.items():
            reference = sentence.format(colour, action)
            wrong = sentence.format(COLOURS[(number + 3) % 8], ACTIONS[(number + 2) % 6])
            said = reference if task not in tasks or rng.random() < right else wrong
            facts = {"kind": "who", "source": "s", "video": f"v{number:03d}", "normal": False, "reference": reference}
            made.append(Prediction(item_id=f"i{number:03d}", task=task, question=question, model=model, answer=said, **facts))
    return made


def _training():
    """What the same sentences would be in training."""
    return [Sample(item_id="t", task=one.task, question="?", answer=one.reference, motion_text="") for one in _answers()]


def _decide(candidate, incumbent=None, parameters=TEN, **others):
    constant = best_constant_answers(candidate, _training())
    version = others.pop("version", None if incumbent is None else "3")
    return decide(candidate, incumbent, constant, "production", parameters, version, **others)


def _bleu_4(answers):
    """The mean of both tasks, from the corpus scores."""
    scores = []
    for task in ("description", "question"):
        of_task = [one for one in answers if one.task == task]
        scores.append(bleu([one.answer for one in of_task], [one.reference for one in of_task])["bleu_4"])
    return sum(scores) / 2


def test_the_first_model_has_to_beat_the_best_constant_answer():
    candidate = _answers(0.8)
    decision = _decide(candidate)
    constant = best_constant_answers(candidate, _training())
    assert len({(one.task, one.answer) for one in constant}) == 2
    assert (decision.promoted, decision.alias, decision.against) == (True, "production", "the best constant answer")
    assert decision.score == pytest.approx(_bleu_4(candidate))
    assert decision.score_against == pytest.approx(_bleu_4(constant))
    assert f"a difference of {decision.score - decision.score_against:+.4f} (95 % interval {decision.low:+.4f}" in decision.reason
    assert 0 < decision.low < decision.difference < decision.high
    assert "on 240 answers about 120 source video(s)" in decision.reason
    assert "The candidate is `production` now." in decision.reason


def test_a_constant_answer_is_no_model():
    """Not even the best one, and whatever the number of videos that are asked for."""
    decision = _decide(best_constant_answers(_answers(), _training()), parameters=GateParameters())
    assert (decision.promoted, decision.alias, decision.difference) == (False, "challenger", 0.0)
    assert "does not beat a model that sees nothing" in decision.reason
    assert decision.reason.endswith("It is `challenger`.")


def test_what_is_beaten_by_nothing_that_can_be_told_is_not_beaten():
    """Where no answer has anything in common with its reference, BLEU is a small constant, which depends on lengths."""
    strange = [one.model_copy(update={"answer": " ".join(["la"] * 11)}) for one in _answers()]
    training = [Sample(item_id="t", task=one.task, question="?", answer=" ".join(["lo"] * 22), motion_text="") for one in strange]
    constant = best_constant_answers(strange, training)
    decision = decide(strange, None, constant, "production", TEN)
    assert not decision.promoted
    assert 0 < decision.difference < 1e-4


def test_a_better_model_takes_the_alias_and_a_worse_one_does_not():
    better, worse = _answers(0.8, seed=1), _answers(0.6, seed=2)
    won, lost = _decide(better, worse, GateParameters()), _decide(worse, better, GateParameters())
    assert (won.promoted, won.alias, won.against) == (True, "production", "version 3")
    assert won.difference == pytest.approx(_bleu_4(better) - _bleu_4(worse))
    assert "The lower bound is above −0.01 (`register.margin`). The candidate is `production` now." in won.reason
    assert (lost.promoted, lost.alias) == (False, "challenger")
    assert lost.low == pytest.approx(-won.high)
    assert lost.detectable == pytest.approx((lost.high - lost.low) / 2)
    assert "The lower bound is not above −0.01" in lost.reason
    assert f"So many videos could have shown a difference of {lost.detectable:.4f}." in lost.reason
    assert "Version 3 stays `production`; the candidate is `challenger`." in lost.reason


def test_the_margin_is_held_against_the_lower_bound_and_not_against_the_difference():
    candidate, incumbent = _answers(0.70, seed=1), _answers(0.70, seed=2)
    found = _decide(candidate, incumbent)
    assert found.low < -0.02 < found.difference
    assert not found.promoted
    assert not _decide(candidate, incumbent, GateParameters(margin=-found.low - 1e-6)).promoted
    assert _decide(candidate, incumbent, GateParameters(margin=-found.low + 1e-6)).promoted
    assert _decide(candidate, candidate).promoted  # it is not worse than itself


def test_parts_of_one_video_are_not_counted_as_many_videos():
    """Ten parts of each video, in all of which a model is equally right, tell as much as one."""

    def parts(answers, source):
        many = [(one, f"{one.item_id}.{part}") for one in answers for part in range(10)]
        return [one.model_copy(update={"item_id": name, "video": source(one, name)}) for one, name in many]

    pairs = _answers(0.75, seed=1, videos=12), _answers(0.65, seed=2, videos=12)
    apart = _decide(*(parts(answers, lambda one, name: name) for answers in pairs))
    together = _decide(*(parts(answers, lambda one, name: one.video) for answers in pairs))
    assert (apart.videos, together.videos, together.items) == (120, 12, 240)
    assert together.difference == pytest.approx(apart.difference)
    assert together.detectable == pytest.approx(apart.detectable * math.sqrt(10), rel=0.2)


def test_too_few_videos_decide_nothing():
    better, worse = _answers(0.9, videos=12), _answers(0.2, videos=12)
    assert _decide(better, worse, GateParameters(min_videos=12)).promoted
    refused = _decide(better, worse, GateParameters(min_videos=13))
    assert not refused.promoted
    assert refused.low > 0
    assert "too few source videos to decide: `register.min_videos` is 13" in refused.reason
    assert f"could have shown a difference of {refused.detectable:.4f}" in refused.reason


def test_one_source_video_gives_no_interval():
    alone = [one.model_copy(update={"video": "s"}) for one in _answers(videos=20)]
    worse = [one.model_copy(update={"video": "s"}) for one in _answers(0.1, videos=20)]
    decision = _decide(alone, worse, GateParameters(min_videos=2))
    assert (decision.promoted, decision.low, decision.detectable) == (False, None, None)
    assert "one source video gives no interval" in decision.reason
    assert _decide(alone).promoted  # it beats the constant answer all the same


@pytest.mark.parametrize(("metric", "promoted"), [("bleu_4", False), ("description.bleu_4", True), ("question.bleu_4", False)])
def test_a_model_that_got_worse_at_questions_only(metric, promoted):
    decision = _decide(_answers(0.5, tasks=["question"]), _answers(), GateParameters(metric=metric))
    assert decision.promoted == promoted
    assert decision.items == (240 if metric == "bleu_4" else 120)


def test_a_task_that_nothing_was_asked_of_does_not_count():
    described = [[one for one in answers if one.task == "description"] for answers in (_answers(0.9), _answers(0.5))]
    decision = _decide(*described)
    only = _decide(*described, GateParameters(metric="description.bleu_4"))
    assert decision.difference == pytest.approx(only.difference)
    none = _decide(*described, GateParameters(metric="question.bleu_4"))
    assert not none.promoted
    assert "Nothing was asked of which BLEU-4 of the answers to questions could be told" in none.reason


def test_empty_answers_count_as_wrong_ones():
    silent = [one.model_copy(update={"answer": ""}) if number % 2 else one for number, one in enumerate(_answers())]
    decision = _decide(silent, _answers())
    assert (decision.promoted, decision.items) == (False, 240)
    assert decision.score < 0.7


def test_a_reference_that_is_a_refusal_decides_nothing():
    """Whoever repeats a refusal has described nothing."""
    refusal = {"reference": "I'm sorry, but I cannot watch videos.", "answer": "I'm sorry, but I cannot watch videos."}
    refused = [one.model_copy(update=refusal) if number < 20 else one for number, one in enumerate(_answers(0.7))]
    right = _answers(0.7)
    decision, without = _decide(refused, right), _decide(right[20:], right)
    assert (decision.items, decision.no_reference, decision.videos) == (220, 20, 110)
    assert decision.score == pytest.approx(without.score)
    assert "on 220 answers about 110 source video(s), without 20 whose reference is a refusal or empty," in decision.reason


def test_forcing_is_recorded_beside_what_was_found():
    forced = GateParameters(force="A demonstration.")
    decision = _decide(_answers(0.2), _answers(), forced)
    assert (decision.promoted, decision.alias, decision.forced) == (True, "production", "A demonstration.")
    assert decision.reason.startswith("Forced, because: A demonstration. (Without that: BLEU-4")
    assert "not above −0.01" in decision.reason
    assert tags(decision)["gate"] == "forced"
    assert _decide(_answers(), _answers(0.2), forced).forced is None  # it passed
    with pytest.raises(ValueError, match="forcing needs a reason"):
        GateParameters(force=" ")


def test_an_obstacle_is_a_reason_and_nothing_is_compared():
    decision = _decide(_answers(), None, version="3", obstacles=["Version 3 cannot be asked any more: gone."])
    assert (decision.promoted, decision.alias, decision.difference, decision.against) == (False, "challenger", None, None)
    assert decision.reason.startswith("Version 3 cannot be asked any more: gone. Version 3 stays `production`")
    assert "`register.force`" in decision.reason
    assert "`hawk rollback`" in decision.reason
    assert _decide(_answers(), None, GateParameters(force="It is gone."), version="3", obstacles=["Gone."]).promoted
    assert not _decide(_answers(), None, version="3").promoted  # never without its answers
    assert not _decide([]).promoted


def test_answers_to_other_questions_are_not_compared():
    with pytest.raises(GateError, match="1 of 240 questions have one answer instead of two, for example about i000"):
        _decide(_answers(), _answers()[1:])


def test_what_a_decision_leaves_is_readable():
    decision = _decide(_answers(0.6), _answers(0.8))
    assert type(decision).model_validate_json(decision.model_dump_json()) == decision
    told = tags(decision)
    assert (told["gate"], told["gate.metric"], told["gate.against"]) == ("refused", "bleu_4", "version 3")
    assert math.isclose(float(told["gate.difference"]), decision.difference, abs_tol=1e-4)


TESTED = {"a1": "a", "a2": "a", "b": None}


def _seen(videos=(), groups=(), unknown=None):
    return TrainedOn(videos=list(videos), groups=list(groups), unknown=unknown)


def test_a_test_video_that_the_incumbent_was_trained_on_refuses_the_comparison():
    assert obstacles_to(TESTED, _seen(["c"]), _seen(["d"], ["e"]), "3") == []
    (by_content,) = obstacles_to(TESTED, _seen(["c"]), _seen(["b", "d"]), "3")
    assert "Version 3 was trained on 1 of the 3 videos that are tested on (for example b)" in by_content
    assert "a comparison is refused" in by_content
    (by_source,) = obstacles_to(TESTED, _seen(["c"]), _seen(["d"], ["a"]), "3")
    assert "2 of the 3 videos that are tested on (for example a1), or on parts of them" in by_source


def test_what_the_incumbent_was_trained_on_has_to_be_known():
    (unknown,) = obstacles_to(TESTED, _seen(), None, "3")
    assert "not recorded what version 3 was trained on" in unknown
    assert obstacles_to(TESTED, _seen(), None, None) == []


def test_a_model_that_was_trained_on_its_test_videos_is_not_believed():
    (own,) = obstacles_to(TESTED, _seen(["b"]))
    assert "The candidate was trained on 1 of the 3 videos" in own
    assert obstacles_to(TESTED, _seen(["a3"], ["a"])) == []  # `ingest.leakage` has decided that
    assert len(obstacles_to(TESTED, _seen(["b"]), _seen(["b"]), "3")) == 2


def test_silence_does_not_replace_a_bad_model():
    """The margin is wider than the incumbent's whole score; but a better one, however bad, gets through."""
    poor = [one if number % 3 == 0 else one.model_copy(update={"answer": ""}) for number, one in enumerate(_answers())]
    silent = [one.model_copy(update={"answer": ""}) for one in poor]
    wide = GateParameters(min_videos=10, margin=0.5)
    decision = _decide(silent, poor, wide)
    assert -0.5 < decision.low < decision.high < 0
    assert not decision.promoted
    assert "but the candidate is worse, and no better than a model that sees nothing" in decision.reason
    assert _decide(poor, silent, wide).promoted


def test_of_two_tasks_the_one_with_fewer_videos_decides_how_many_there_are():
    """Two videos with questions would decide half of the figure."""
    both = [one for one in _answers() if one.task == "description" or one.video in ("v000", "v001")]
    decision = _decide(both, both, GateParameters(min_videos=3))
    assert decision.videos == 2
    assert not decision.promoted
    assert "about 2 source video(s)" in decision.reason


def test_a_task_that_draws_lack_makes_no_jump_in_the_interval():
    """Draws without the two videos that have questions count for nothing, instead of being of descriptions alone."""
    both = [one for one in _answers(0.9) if one.task == "description" or one.video in ("v000", "v001")]
    worse = [one.model_copy(update={"answer": ""}) if one.task == "question" else one for one in both]
    decision = _decide(worse, both)
    assert decision.high < 0


def test_what_was_not_answered_is_said():
    decision = _decide(_answers(), unanswered=7)
    assert decision.unanswered == 7
    assert "on 240 answers about 120 source video(s), without 7 that have no answer, is" in decision.reason


def test_a_question_with_two_answers_is_refused():
    with pytest.raises(GateError, match="240 questions have more than one answer of the candidate, for example about i000"):
        _decide(_answers() + _answers(0.5))


def test_source_videos_that_both_saw_a_part_of_are_no_obstacle():
    """With `ingest.leakage: allow` both were trained on other parts of what is tested on: that helps neither of them."""
    tested = {"a": "street", "b": None}
    assert obstacles_to(tested, _seen(["c"], ["street"]), _seen(["d"], ["street"]), "2") == []
    assert "Version 2 was trained on 1 of the 2 videos" in obstacles_to(tested, _seen(["c"]), _seen(["d"], ["street"]), "2")[0]


def test_what_is_not_known_of_a_training_is_said():
    assert remarks_on(_seen(["a"]), _seen(["b"]), "2") == []
    unsure, none = remarks_on(_seen(unknown="It started from x."), _seen(["b"]), "2"), remarks_on(None, None, None)
    assert unsure == ["Not all that the candidate saw is known, and the test videos may be among it: It started from x."]
    assert none[0].startswith("What the candidate was trained on is not recorded in its folder")


@pytest.mark.parametrize("force", [" ", ".", "12", "x" * 1001])
def test_a_forced_move_needs_a_reason_in_words(force):
    with pytest.raises(ValueError, match="force"):
        GateParameters(force=force)

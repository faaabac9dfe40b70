import json
import math

import numpy as np
import pytest

from hawk_pipelines.evaluation.bleu import bleu
from hawk_pipelines.evaluation.rouge import rouge_l
from hawk_pipelines.evaluation.scores import compare, compare_repeated, flat_scores, metrics, notes, score
from hawk_pipelines.evaluation.similarity import TfidfCosine
from hawk_pipelines.schema import DESCRIBE, Sample, Truth
from tests.evaluation.made import asked, said

TRAINING = [
    Sample(item_id="t", task=task, question="", answer=answer, motion_text="")
    for task, answer in (
        ("description", "a man runs on the street"),
        ("description", "a car stops at the light"),
        ("question", "on the left of the street"),
    )
]
WORDS = ["a", "man", "car", "runs", "stops", "on", "at", "the", "street", "light", "left"]


def _made(videos=12, seed=0, model="hawk", wrong=0.4):
    """Of each video two items, each described and asked two things; a share of words is wrong."""
    rng = np.random.default_rng(seed)
    of_words = np.random.default_rng(99)
    predictions = []
    for number in range(2 * videos):
        facts = {"video": f"v{number // 2}", "normal": number % 4 == 0, "source": "ucf" if number % 3 else "dota"}
        for question, kind in ((DESCRIBE, ""), ("Who?", "who"), ("Where?", "where")):
            wanted = of_words.choice(WORDS, size=8).tolist()
            answer = [rng.choice(WORDS) if rng.random() < wrong else word for word in wanted]
            told = facts | ({"kind": kind} if kind else {})
            predictions.append(said(f"i{number}", " ".join(answer), question, " ".join(wanted), model, **told))
    return predictions


@pytest.fixture(scope="module")
def predictions():
    return _made()


@pytest.fixture(scope="module")
def scored(predictions):
    return score(predictions, TRAINING)


def _figures(scores):
    return {(one.task, one.part, one.metric): one for one in scores.scores}


def test_every_part_is_scored_by_itself(predictions, scored):
    figures = _figures(scored)
    chosen = {
        "all": lambda one: True,
        "normal": lambda one: one.normal,
        "anomalous": lambda one: not one.normal,
        "kind:who": lambda one: one.kind == "who",
        "source:dota": lambda one: one.source == "dota",
    }
    for task in ("description", "question"):
        for part, belongs in chosen.items():
            mine = [one for one in predictions if one.task == task and belongs(one)]
            if not mine:
                assert not any(key[:2] == (task, part) for key in figures)
                continue
            pairs = [one.answer for one in mine], [one.reference for one in mine]
            found = figures[task, part, "bleu_4"]
            assert found.value == pytest.approx(bleu(*pairs)["bleu_4"])
            assert (found.items, found.videos) == (len(mine), len({one.video for one in mine}))
            assert found.low < found.value < found.high
            assert figures[task, part, "rouge_l"].value == pytest.approx(np.mean(rouge_l(*pairs)))
            alike = TfidfCosine([sample.answer for sample in TRAINING]).of(*pairs)
            assert figures[task, part, "tfidf_cosine"].value == pytest.approx(np.mean(alike))
    kinds = {part for task, part, _ in figures if part.startswith("kind:")}
    assert kinds == {"kind:who", "kind:where"}


def test_intervals_are_resampled_by_source_video(predictions, scored):
    """The two items of a video are told to be of two: the interval gets another width."""
    apart = score([one.model_copy(update={"video": one.item_id}) for one in predictions], TRAINING)
    one, other = (_figures(scores)["description", "all", "rouge_l"] for scores in (scored, apart))
    assert (one.videos, other.videos) == (12, 24)
    assert one.value == other.value
    assert one.high - one.low != pytest.approx(other.high - other.low, rel=1e-3)


def test_whether_it_says_that_nothing_is_unusual_needs_no_slots():
    answers = [
        said("a", "Nothing unusual happens.", normal=True),
        said("b", "There is no anomaly.", normal=True),
        said("c", "A man runs.", normal=True),
        said("d", "Something unusual: a man falls."),
        said("e", "Nothing unusual happens."),
        said("e", "Nothing unusual happens.", "What?"),  # only descriptions are asked that
    ]
    found = score(answers, TRAINING)
    shares = {key[1:]: one for key, one in _figures(found).items() if key[2].startswith("says_")}
    assert {key: (one.value, one.items) for key, one in shares.items()} == {
        ("normal", "says_normal"): (pytest.approx(2 / 3), 3),
        ("normal", "says_anomalous"): (0, 3),
        ("anomalous", "says_normal"): (0.5, 2),
        ("anomalous", "says_anomalous"): (0.5, 2),
    }
    flat = flat_scores(found)
    assert (flat["description.says_normal"], flat["description.says_normal_count"]) == (pytest.approx(2 / 3), 3)
    assert (flat["description.says_anomalous"], flat["description.says_anomalous_count"]) == (0.5, 2)


def test_slots_have_intervals_and_chance():
    colours = ["red", "blue", "red", "red"]
    truths = [Truth(video_id=f"i{n}", slots={"actor": f"person in {colour}"}) for n, colour in enumerate(colours)]
    found = score([said(f"i{n}", "A person in red runs.") for n in range(4)], TRAINING, truths)
    one = _figures(found)["description", "all", "slot_actor"]
    assert (one.value, one.items, one.videos) == (0.75, 4, 4)
    told = metrics(found)["slots"]["actor"]
    assert told == {"accuracy": 0.75, "chance": 0.75, "count": 4, "accuracy_low": one.low, "accuracy_high": one.high}
    assert flat_scores(found)["slots.actor.accuracy_low"] == one.low < 0.75


def test_a_judges_scores_are_averaged_over_those_that_have_one():
    answers = [said(name, "A man.") for name in "abcd"]
    judged = {
        ("a", "description", DESCRIBE): {"detail": 0.5, "reasonability": None},
        ("b", "description", DESCRIBE): {"detail": 0.0, "reasonability": None},
        ("c", "description", DESCRIBE): {"detail": None, "reasonability": None},
    }
    found = score(answers, TRAINING, judged=judged)
    figures = _figures(found)
    detail, nothing = (figures["description", "all", f"judge_{name}"] for name in ("detail", "reasonability"))
    assert (detail.value, detail.items) == (0.25, 2)
    assert math.isnan(nothing.value)
    assert nothing.items == 0
    task = metrics(found)["tasks"]["description"]
    assert (task["judge_detail"], task["judge_detail_count"], task["count"]) == (0.25, 2, 4)
    assert (task["judge_reasonability"], task["judge_reasonability_count"]) == (None, 0)
    flat = flat_scores(found)
    assert flat["description.judge_reasonability_count"] == 0
    assert "description.judge_reasonability" not in flat
    assert not any("judge" in name for name in flat_scores(score(answers, TRAINING)))


def test_empty_answers_missing_ones_and_refused_references_are_counted_and_named():
    refusal = "As an AI language model, I cannot watch the video."
    wanted = [asked(f"i{n}", reference=refusal if n in (1, 2) else "" if n == 3 else "A man runs.") for n in range(12)]
    wanted.append(asked("q", "Who?"))
    answers = [
        said(one.item_id, "" if n in (0, 1) else "A man runs.", reference=one.reference) for n, one in enumerate(wanted[:5])
    ]
    found = score(answers, TRAINING, asked=wanted)
    description, question = found.counts
    assert (description.asked, description.answers, question.asked, question.answers) == (12, 5, 1, 0)
    assert description.missing == [f"i{n}" for n in range(5, 12)]
    assert description.empty == ["i0", "i1"]
    assert description.no_reference == ["i1", "i2", "i3"]
    assert question.missing == ["q (Who?)"]
    figures = _figures(found)
    rouge = figures["description", "all", "rouge_l"]
    assert (rouge.value, rouge.items) == (0.5, 2)  # an empty answer is worth 0; what has no reference does not count
    assert figures["description", "anomalous", "says_normal"].items == 5
    task = metrics(found)["tasks"]["description"]
    apart = {name: task[name] for name in ("count", "asked", "missing", "empty", "no_reference")}
    assert apart == {"count": 2, "asked": 12, "missing": 7, "empty": 2, "no_reference": 3}
    missing, empty, refused, unanswered, narrow = notes(found)
    assert narrow.startswith("Of fewer than 10 source videos, so that their intervals are too narrow: description, all")
    assert missing == (
        "7 of 12 of the task `description` have no answer, and figures are of the others: i5, i6, i7, i8, i9 and 2 more."
    )
    assert empty.startswith("2 of 12 of the task `description` have an empty answer, which is worth 0: i0, i1.")
    assert refused.startswith("3 of 12 of the task `description` have a reference that is a refusal or empty")
    assert unanswered.startswith("1 of 1 of the task `question` have no answer")


def test_an_empty_answer_is_worth_nothing_in_every_metric_that_compares():
    found = score([said("a", ""), said("b", "")], TRAINING)
    assert [one.value for one in found.scores if one.part == "all"] == pytest.approx([0] * 6, abs=1e-9)


def test_of_one_video_there_is_no_interval_and_that_is_said():
    found = score([said("a", "A man runs."), said("b", "A man.", video="a")], TRAINING)
    assert metrics(found)["tasks"]["description"]["bleu_1_low"] is None
    assert "description.bleu_1_low" not in flat_scores(found)
    assert notes(found)[-1].startswith("There is no interval where all answers are about one video: bleu_1 (description, all), ")


def test_without_training_answers_there_is_no_similarity_and_that_is_said():
    found = score([said("a", "A man runs."), said("b", "A man.")], [])
    assert not any(one.metric == "tfidf_cosine" for one in found.scores)
    assert any("There is no `tfidf_cosine`" in sentence for sentence in notes(found))


def test_the_figures_are_json_and_keep_their_names(scored):
    told = json.loads(json.dumps(metrics(scored), allow_nan=False))
    assert set(told) == {"model", "tasks", "parts", "notes"}
    assert set(told["tasks"]) == {"description", "question"}
    best = told["tasks"]["description"]["best_constant"]
    assert best["answer"] in [sample.answer for sample in TRAINING]
    assert len(told["parts"]) == len(scored.scores)
    flat = flat_scores(told)
    assert flat == flat_scores(scored)
    for name in (
        "bleu_1",
        "bleu_4",
        "bleu_4_low",
        "bleu_4_high",
        "rouge_l",
        "tfidf_cosine",
        "constant_bleu_4",
        "count",
        "videos",
    ):
        assert f"description.{name}" in flat
        assert f"question.{name}" in flat
    assert all(isinstance(value, float) and math.isfinite(value) for value in flat.values())


def test_nothing_is_scored_of_nothing():
    found = score([], TRAINING)
    assert found.scores == found.counts == []
    assert flat_scores(found) == {}
    assert metrics(found)["tasks"] == {}
    assert compare(found, found) == []


def test_two_models_or_two_answers_to_one_question_are_not_mixed():
    with pytest.raises(ValueError, match="one model"):
        score([said("a", "A man."), said("b", "A man.", model="other")], TRAINING)
    with pytest.raises(ValueError, match="two to one"):
        score([said("a", "A man."), said("a", "A car.")], TRAINING)


def test_a_better_model_is_better_on_what_both_answered(scored):
    better = score(_made(seed=1, model="better", wrong=0.1)[::-1], TRAINING)
    found = {(one.task, one.metric): one for one in compare(scored, better)}
    one = found["description", "rouge_l"]
    assert (one.first, one.second, one.items, one.videos, one.only_first, one.only_second) == ("hawk", "better", 24, 12, 0, 0)
    figures, others = _figures(scored), _figures(better)
    key = "description", "all", "rouge_l"
    assert one.value == pytest.approx(others[key].value - figures[key].value)
    assert 0 < one.low < one.value < one.high
    assert one.p < 0.01
    assert (found["description", "says_normal"].part, found["description", "says_normal"].items) == ("normal", 6)
    assert ("question", "says_normal") not in found
    same = compare(scored, scored)
    assert {(one.value, one.low, one.high, one.p) for one in same} == {(0, 0, 0, 1)}


def test_what_only_one_of_them_answered_is_counted_and_not_compared(predictions):
    first = score(predictions[:60], TRAINING)
    second = score([one.model_copy(update={"model": "other"}) for one in predictions[6:]], TRAINING)
    found = {(one.task, one.metric): one for one in compare(first, second)}
    one = found["question", "bleu_4"]
    assert (one.items, one.only_first, one.only_second) == (36, 4, 8)
    assert (one.value, one.low, one.high) == (0, 0, 0)  # on what both answered they are the same
    apart = compare(score(predictions[:3], TRAINING), score(predictions[3:6], TRAINING))
    assert {(one.items, one.only_first, one.only_second) for one in apart if one.task == "question"} == {(0, 2, 2)}
    assert all(math.isnan(one.value) for one in apart)


def test_a_metric_that_one_of_them_lacks_is_told_of(predictions):
    judged = {(one.item_id, one.task, one.question): {"detail": 0.5} for one in predictions}
    found = compare(score(predictions, TRAINING), score(predictions, TRAINING, judged=judged))
    (one,) = [one for one in found if one.metric == "judge_detail" and one.task == "description"]
    assert (one.items, one.only_first, one.only_second) == (0, 0, 24)


def test_repeated_runs_are_compared_within_their_seeds():
    """Over two seeds there are twice the items, and the difference is the mean of both: that of the figures that are shown."""
    pairs = [(score(_made(seed=n), TRAINING), score(_made(seed=n + 10, model="better", wrong=0.2), TRAINING)) for n in (1, 2)]
    (both,) = [one for one in compare_repeated(pairs) if (one.task, one.metric) == ("question", "bleu_2")]
    assert (both.items, both.videos) == (96, 24)
    shown = [
        next(one.value for one in run.scores if (one.task, one.metric, one.part) == ("question", "bleu_2", "all"))
        for pair in pairs
        for run in pair
    ]
    assert both.value == pytest.approx((shown[1] - shown[0] + shown[3] - shown[2]) / 2)


def test_answers_too_short_in_one_seed_and_too_long_in_another_do_not_make_up_for_each_other():
    """As one corpus their lengths would fit the references, and a variant that is worse in each seed would be better."""

    def answered(model, make):
        made = _made(seed=1)
        return score([one.model_copy(update={"model": model, "answer": make(one.reference)}) for one in made], TRAINING)

    full = answered("full", lambda reference: reference)
    short = answered("other", lambda reference: " ".join(reference.split()[:-2]))
    long = answered("other", lambda reference: f"{reference} and {reference}")
    (found,) = [
        one for one in compare_repeated([(full, short), (full, long)]) if (one.task, one.metric) == ("description", "bleu_1")
    ]
    alone = [
        next(one for one in compare(full, other) if (one.task, one.metric) == ("description", "bleu_1"))
        for other in (short, long)
    ]
    assert found.value == pytest.approx(np.mean([one.value for one in alone]))
    assert found.high < 0

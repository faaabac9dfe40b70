import json
import math
import re
from itertools import combinations

import pytest

from hawk_pipelines.evaluation.judge import notes, questions, summary
from hawk_pipelines.evaluation.judge_calibration import STYLES, CalibrationParameters, restyle
from tests.evaluation.judging import judged_by, parameters, prediction, saying
from tests.servers.llm import LlmServer


@pytest.fixture
def serve():
    """Start scripted judges that are stopped after the test."""
    servers = []

    def start(score_of):
        servers.append(LlmServer(answer=saying(score_of)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _calibrated(server, folder, predictions, **calibration):
    settings = parameters(folder, server.url, dimensions=["detail"], calibration=CalibrationParameters(**calibration))
    return judged_by(settings, predictions)[0]


def test_a_judge_that_prefers_long_answers_is_found_out(serve, tmp_path):
    server = serve(lambda _, data, __: min(1, len(data["answer"]) / 200))
    predictions = [prediction(number) for number in range(12)]
    judged = _calibrated(server, tmp_path, predictions, items=10, repeats=3)
    calibration = judged.calibration
    assert (calibration.answers, calibration.repeats) == (10, 3)

    (agreement,) = calibration.agreement  # it always says the same
    assert (agreement.difference.value, agreement.near, agreement.pairs, agreement.missing) == (0, 1, 30, 0)
    assert agreement.difference.items == 10

    change = {one.style: one for one in calibration.styles}
    assert set(change) == set(STYLES)
    longer = len(restyle(predictions[0].answer, "wordy")) - len(predictions[0].answer)
    assert change["wordy"].change.value == pytest.approx(longer / 200)
    assert change["wordy"].change.low > 0.1
    assert change["wordy"].size == change["wordy"].change
    assert change["lead_in"].change.value == pytest.approx(len("In the video, ") / 200)
    assert change["lower_case"].change.value == 0
    assert change["contractions"].unchanged == 10
    assert change["contractions"].change.items == 0
    assert math.isnan(change["contractions"].change.value)
    minded = [note for note in notes(judged) if "minds the style" in note]
    assert ["lead_in" in minded[0], "wordy" in minded[1], "bullets" in minded[2]] == [True] * 3 == [True] * len(minded)
    assert f"`wordy`, which keeps every fact, changes detail by {longer / 200:+.3f}" in minded[1]
    told = json.loads(json.dumps(summary(judged), allow_nan=False))["calibration"]
    assert told["styles"][1]["change"]["value"] == change["wordy"].change.value


def test_a_judge_that_likes_and_dislikes_a_style_by_turns_is_told_by_the_size(serve, tmp_path):
    def score_of(_, data, __):
        number = int(re.search(r"\d+", data["answer"])[0])
        return 0.5 + (0.2 if number % 2 else -0.2) * data["answer"].startswith("In the video")

    judged = _calibrated(serve(score_of), tmp_path, [prediction(number) for number in range(8)], styles=["lead_in"], repeats=1)
    (style,) = judged.calibration.styles
    assert style.change.value == pytest.approx(0)
    assert style.size.value == pytest.approx(0.2)
    assert judged.calibration.agreement == []


def test_a_judge_that_does_not_agree_with_itself_is_found_out(serve, tmp_path):
    """The same words are sent again, and answered anew; each difference is known."""
    said = [[0.1, 0.15, 0.3], [0.5, 0.5, 0.5], [0.8, 0.9, 0.6], [0.0, 0.1, 0.2]]

    def score_of(_, data, nth):
        return said[int(re.search(r"\d+", data["answer"])[0])][nth - 1]

    server = serve(score_of)
    judged = _calibrated(server, tmp_path, [prediction(number) for number in range(4)], items=4, repeats=3, styles=[])
    assert len(server.chats) == 12
    words = {json.dumps([body["messages"], body.get("temperature")]) for body in server.bodies}
    assert len(words) == 4
    differences = [abs(one - other) for row in said for one, other in combinations(row, 2)]
    (agreement,) = judged.calibration.agreement
    assert agreement.pairs == 12
    assert agreement.difference.value == pytest.approx(sum(differences) / 12)
    assert agreement.difference.items == 4
    assert agreement.near == pytest.approx(sum(one < 0.1001 for one in differences) / 12)
    assert 0.7 < agreement.correlation < 0.95
    again = _calibrated(server, tmp_path, [prediction(number) for number in range(4)], items=4, repeats=3, styles=[])
    assert len(server.chats) == 12
    assert again.calibration.agreement == judged.calibration.agreement


def test_pairs_of_which_one_has_no_score_are_left_out_and_counted(serve, tmp_path):
    def score_of(_, data, nth):
        if "scene 0" in data["reference"] and nth == 2:
            return 7
        return "I'm sorry, but I can't help with that." if data["answer"].startswith("In the video") else 0.5

    calibration = CalibrationParameters(items=5, repeats=3, styles=["lead_in", "lower_case"])
    in_order = {"concurrency": 1}
    settings = parameters(tmp_path, serve(score_of).url, dimensions=["detail"], calibration=calibration, openai=in_order)
    judged, _ = judged_by(settings, [prediction(0), prediction(1)])
    (agreement,) = judged.calibration.agreement
    assert (agreement.pairs, agreement.missing) == (4, 2)
    assert math.isnan(agreement.correlation)
    lead_in, lower_case = judged.calibration.styles
    assert (lead_in.missing, lead_in.change.items) == (2, 0)
    assert (lower_case.missing, lower_case.change.items, lower_case.change.value) == (0, 2, 0)
    assert [one.score for one in judged.judgements] == [0.5, 0.5]


def test_which_answers_are_asked_about_again_is_drawn_by_seed_and_task_from_what_is_judged(tmp_path):
    predictions = [prediction(number) for number in range(30)]
    predictions += [prediction(number, task="description") for number in range(10)] + [prediction(30, "")]

    def again(**settings):
        asked = questions(predictions, parameters(tmp_path, "http://127.0.0.1:9/v1", dimensions=["detail"], **settings))
        return {one.prediction for one in asked if one.repeat}

    once = again(calibration=CalibrationParameters(items=8))
    assert len(once) == 8
    assert sum(one.task == "description" for one in once) == 2
    assert again(calibration=CalibrationParameters(items=8)) == once
    assert again(calibration=CalibrationParameters(items=8), seed=5) != once
    assert again(calibration=CalibrationParameters(items=99)) == set(predictions[:40])
    assert again(calibration=None) == set()


ANSWERS = [
    "A man in a red shirt falls. He does not get up, and people don't help.",
    "Nothing unusual happens",
    "US police arrive at 3.5 s; two cars collide!",
    "In the video, a car can\u2019t stop. It cannot turn.",
    "John isn't hurt. Why? He fell on grass.",
    "Because he is not careful.",
]


def _facts(text):
    """The words, in order, whatever they look like."""
    text = text.casefold().replace("\u2019", "'")
    return re.findall(
        r"[\w.]*\w", re.sub(r"\bca not\b|\bcan not\b", "cannot", re.sub(r"n't\b", " not", text.replace("can't", "cannot")))
    )


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("style", STYLES)
def test_a_style_keeps_every_word_and_adds_no_other_than_its_own(answer, style):
    before, after = _facts(answer), _facts(restyle(answer, style))
    start = next(place for place in range(len(after)) if after[place : place + len(before)] == before)
    added = after[:start] + after[start + len(before) :]
    own = {
        "lead_in": "In the video,",
        "wordy": "To put into words what the video shows, one can say the following: This is what the video shows.",
    }
    assert added in ([], _facts(own.get(style, "")))


def test_styles():
    text = ANSWERS[0]
    assert restyle(text, "lead_in") == f"In the video, a{text[1:]}"
    assert restyle("John falls.", "lead_in") == "In the video, John falls."
    assert restyle(ANSWERS[3], "lead_in") == ANSWERS[3]
    assert restyle(text, "bullets") == "- A man in a red shirt falls.\n- He does not get up, and people don't help."
    whole = "Mr. Smith and Mrs. J. Doe meet at 3 p.m. Eastern on Main St. Later no. 3 falls... and gets up."
    assert restyle(whole, "bullets") == f"- {whole}"
    assert restyle('It stops. "Who is it?" Two men get out. 3 more come.', "bullets") == (
        '- It stops.\n- "Who is it?" Two men get out. 3 more come.'
    )
    assert restyle(text, "contractions") == "A man in a red shirt falls. He does not get up, and people do not help."
    assert (
        restyle("Is not it odd? He does not stop and cannot turn.", "contractions")
        == "Isn't it odd? He doesn't stop and can't turn."
    )
    assert restyle(ANSWERS[2], "lower_case") == "US police arrive at 3.5 s; two cars collide!"
    assert restyle(text, "lower_case") == text.lower()
    assert restyle("He falls", "wordy").endswith("the following: He falls. This is what the video shows.")

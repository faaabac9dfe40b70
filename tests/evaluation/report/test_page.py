import itertools
import re
import unicodedata

import pytest

from hawk_pipelines.evaluation import judge, when
from hawk_pipelines.evaluation.published import METRICS, PUBLISHED
from hawk_pipelines.evaluation.report import page
from hawk_pipelines.plain_text import plain
from hawk_pipelines.schema import ConversationScore, FrameSpan, Sample, Truth, Video, WindowScore
from tests.evaluation.judging import judged_by, parameters, saying
from tests.evaluation.made import asked, said
from tests.evaluation.report.reading import Page, evaluated
from tests.servers.llm import LlmServer
from tests.test_plain_text import HOSTILE

NASTY = """</dd><script>alert("x")</script><img src="http://example.com/x.png" onerror='go()'> & <b>bold</b> {{ model }} $x$"""
TRAINING = [Sample(item_id="t", task="description", question="", answer="a man runs in the street", motion_text="")]
VIDEOS = ("v1", "v2", "v3", "v4")
TRUTHS = [
    Truth(video_id=name, slots={"actor": ("a man", "a dog")[at % 2], "normal": "unusual"}) for at, name in enumerate(VIDEOS)
]


def _answers(model, words, **known):
    """A description and an answer about each video."""
    for video, word in zip(VIDEOS, words, strict=True):
        yield said(
            video,
            word and f"Something unusual happens: {word}.",
            reference="Something unusual happens: a man runs.",
            model=model,
            **known,
        )
        yield said(video, word, "Who runs?", "A man.", model=model, kind="who", **known)


@pytest.fixture(scope="module")
def compared():
    """Arguments of a page on two models, of which the other has answered less."""
    own = list(_answers("hawk", ["a man runs", "a dog runs", "", "a cat sleeps"]))
    other = list(_answers("other one", ["a horse", "a horse", "a man runs", "a horse"]))[:6]
    return evaluated(own, other, truths=TRUTHS, training=TRAINING, asked=[*own, asked("v5")])


@pytest.fixture(scope="module")
def text(compared):
    return page(**compared)


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


def _is_self_contained(text):
    """Nothing in it is loaded or run."""
    found = Page(text)
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in found.elements}
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert not attributes.get("src") or attributes["src"].startswith("data:image/webp;base64,")
        for name in ("href", "xlink:href"):
            assert name not in attributes or attributes[name].startswith("#"), (tag, attributes)
    styles = "".join(re.findall(r"<style>.*?</style>|style=\"[^\"]*\"", text, re.DOTALL))
    assert "@import" not in styles
    assert not re.findall(r"url\((?!#)", text)
    policy = next(attributes for tag, attributes in found.elements if "http-equiv" in attributes)
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return found


def test_the_page_loads_nothing_and_runs_nothing_and_its_ids_are_its_own(text):
    found = _is_self_contained(text)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes[name][1:] for _, attributes in found.elements for name in ("href", "xlink:href") if name in attributes}
    assert targets <= set(ids)
    assert sum(tag == "svg" for tag, _ in found.elements) > 8


def test_texts_of_models_files_and_notes_are_shown_as_they_are_and_change_nothing():
    own = [said(f"v{at}", NASTY, question, NASTY, source="<i>s</i>") for at in range(2) for question in ("Who?", NASTY)]
    other = [said(one.item_id, NASTY, one.question, NASTY, model="<u>$o$</u>") for one in own]
    given = evaluated(own, other) | {"names": {"v0": NASTY, "v1": "\ud800\u202e"}}
    given["metrics"]["notes"].append(NASTY)
    text = page(**given)
    text.encode()  # halves of characters are none
    found = _is_self_contained(text)
    assert not {"b", "i", "u"} & {tag for tag, _ in found.elements}
    assert found.text.count(NASTY) >= 6
    assert "<u>$o$</u>" in found.text
    assert "{{ model }}" in found.text


def test_no_control_character_of_a_text_is_in_the_page():
    words = list(HOSTILE.values())
    own = [said(f"v{at}", text, "Who?", text) for at, text in enumerate(words)]
    other = [said(one.item_id, one.answer, "Who?", one.reference, model="o\x1b[31m\u202ee") for one in own]
    given = evaluated(own, other) | {"names": {f"v{at}": text for at, text in enumerate(words)}, "examples": len(words)}
    given["metrics"]["notes"] += words
    text = page(**given)
    _is_self_contained(text)
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"]
    shown = " ".join(Page(text).text.split())
    assert not [one for one in words if plain(one) not in shown]


def test_the_own_figures_have_the_published_columns_with_intervals_and_numbers(read, compared):
    columns = next(row for row in read.rows if "BLEU-1 " in row)
    assert [column.strip() for column in columns[1:]] == [
        "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "Reasonability", "Detail", "Consistency"
    ]  # fmt: skip
    told = compared["metrics"]["tasks"]["description"]
    own = read.row("hawk", "On this test split")
    assert own[0] == f"{told['bleu_1']:.3f} {told['bleu_1_low']:.3f} … {told['bleu_1_high']:.3f}|n = 4 of 5|"
    assert own[4:] == ["–"] * 3
    other = read.row("other one", "On this test split")
    assert other[0].endswith("|n = 3 of 5|")
    constant = read.row("best constant answer (by BLEU-4)", "On this test split")
    assert constant[3] == f"{told['best_constant']['bleu_4']:.3f}"
    assert f"is chosen by BLEU-4 on these very references: “{told['best_constant']['answer']}”" in read.text


def test_the_published_figures_are_apart_from_them_and_say_so(read):
    published = [one for one in PUBLISHED if one.task == "question"]
    labels = [row[0].strip() for row in read.rows]
    starts = [at for at, label in enumerate(labels) if label.startswith("Published: HAWK, NeurIPS 2024")]
    assert len(starts) == 2
    assert all("not comparable digit by digit" in labels[at] for at in starts)
    rows = [[cell.strip() for cell in row] for row in read.rows[starts[1] + 1 :][: len(published)]]
    assert rows == [[one.model, *(f"{one.values[metric]:.3f}" for metric in METRICS)] for one in published]
    assert sum(attributes.get("class") == "published" for _, attributes in read.elements) == len(PUBLISHED)


def test_rouge_l_and_the_offline_similarity_have_a_table_of_their_own(read, compared):
    told = compared["metrics"]["tasks"]["description"]
    heading = next(at for at, row in enumerate(read.rows) if [cell.strip() for cell in row[1:]] == ["ROUGE-L", "TF-IDF cosine"])
    own, other = ([cell.split()[0] for cell in row] for row in read.rows[heading + 1 :][:2])
    assert own == ["hawk", f"{told['rouge_l']:.3f}", f"{told['tfidf_cosine']:.3f}"]
    assert other[0] == "other"


def test_parts_of_the_others_are_folded_away(read):
    folded = read.text[read.text.index("Descriptions: the same of the others") :]
    assert folded.index("other one") < folded.index("something unusual happens")
    assert sum(tag == "details" for tag, _ in read.elements) == 2


def test_who_answered_less_is_told(read):
    assert read.row("hawk", "")[0] == "4 of 5 1 empty|"
    assert ("td", {"class": "worse"}) in read.elements
    assert read.row("other one", "")[0] == "3 of 5"
    assert "1 of 5 of the task `description` have no answer, and figures are of the others: v5." in read.text


def test_differences_stand_with_their_p_and_with_what_only_one_has_answered(read, compared):
    one = next(one for one in compared["differences"] if (one.task, one.metric) == ("description", "bleu_1"))
    cell = read.row("BLEU-1", "BLEU-1")[0]
    assert cell.startswith(f"{one.value:+.3f}".replace("-", "−"))
    assert f"p = {one.p:.3f}|n = 3|1 only here|" in cell


def test_parts_slots_and_what_is_said_of_normal_videos_have_their_rows():
    own = [*_answers("hawk", ["a man runs"] * 4), said("n1", "Nothing unusual happens.", reference="Nothing.", normal=True)]
    found = Page(page(**evaluated(own, truths=TRUTHS, training=TRAINING)))
    assert found.row("who", "By kind of question")[0].endswith("|n = 4|")
    assert found.row("s", "By data set")[0].endswith("|n = 5|")
    assert found.row("nothing unusual happens")[0].endswith("no interval|n = 1|")
    says = found.rows.index(next(row for row in found.rows if "normal, and says so " in row)) + 1
    assert [cell.split()[0] for cell in found.rows[says]] == ["hawk", "1.000", "0.000", "1.000", "0.000"]
    slots = found.rows.index(next(row for row in found.rows if "actor " in row)) + 1
    assert [cell.split()[0] for cell in found.rows[slots]] == ["hawk", "0.500", "1.000"]
    assert found.row("chance always the most frequent value|") == ["0.500", "1.000"]


def test_a_conversation_stands_by_turn_beside_the_same_questions_alone(compared):
    known = {"low": 0.8, "high": 0.95, "items": 40, "videos": 40}
    conversation = [
        ConversationScore(form=form, turn=turn, metric=metric, value=0.9, alone=0.925, **known)
        for form, turn in (("full", 2), ("short", None), ("check", 5))
        for metric in ("accuracy", "bleu_4")
    ]
    found = Page(page(**compared, conversation=conversation))
    assert [cell.split()[0] for cell in found.row("turn 2", "Full questions")] == ["0.900", "0.925"] * 2
    assert found.row("all later turns", "Follow-ups in short")[0].startswith("0.900")
    assert found.row("turn 5", "“Are you sure?”")
    assert "Does a conversation hold?" not in Page(page(**compared)).text


def test_without_a_judge_that_is_said():
    given = evaluated(list(_answers("hawk", ["a man"] * 4))) | {"judge_summary": {"notes": [judge.NOT_CONFIGURED]}}
    given["metrics"]["notes"].append(judge.NOT_CONFIGURED)
    text = Page(page(**given)).text
    assert text.count(judge.NOT_CONFIGURED) == 2
    assert "by ROUGE-L, as no judge has scored them" in text


def test_a_judge_has_its_model_prompts_outcomes_and_calibration(tmp_path):
    own = list(_answers("hawk", ["a man runs", "a dog runs", "", "a cat sleeps"]))

    def score_of(dimension, data, nth):
        if "cat" in data["answer"]:
            return {"reasonability": 7, "detail": "I cannot help with that.", "consistency": 0.1}[dimension]
        return 0.9 if "To put into words" in data["answer"] or "dog" in data["answer"] else 0.5

    server = LlmServer(answer=saying(score_of))
    try:
        judged, _ = judged_by(parameters(tmp_path, server.url, calibration={"items": 2, "repeats": 2, "styles": ["wordy"]}), own)
    finally:
        server.close()
    of_answer = {}
    for one in judged.judgements:
        of_answer.setdefault((one.item_id, one.task, one.question), {})[one.dimension] = one.score
    given = evaluated(own, judged={"hawk": of_answer})
    given |= {"judgements": judged.judgements, "judge_summary": judge.summary(judged) | {"notes": judge.notes(judged)}}
    given["metrics"]["notes"] += judge.notes(judged)
    found = Page(page(**given))

    assert judged.judges
    assert all(f"{name} ({count:,} replies)" in found.text for name, count in judged.judges.items())
    assert all(sha256 in found.text for sha256 in judged.prompts.values())
    own_row = found.row("hawk", "On this test split")
    assert [cell.split("|")[1] for cell in own_row[4:]] == ["n = 3 of 4", "n = 3 of 4", "n = 4"]
    counts = next(one.outcomes for one in judged.results if (one.task, one.dimension) == ("description", "detail"))
    assert found.row("Detail", "hawk, descriptions") == [str(counts[name]) for name in judge.OUTCOMES]
    assert sum(counts.values()) == 4
    assert "The judge has no score for" in found.text
    assert [found.text.count(note) for note in judge.notes(judged)] == [1] * len(judge.notes(judged))
    agreement = next(one for one in judged.calibration.agreement if one.dimension == "consistency")
    calibrated = [row for row in found.rows if row and row[0].strip() == "Consistency"][-1]
    assert calibrated[4].split()[0] == str(agreement.pairs)
    assert "Asked the same 2 times" in found.text
    change = next(one for one in judged.calibration.styles if (one.style, one.dimension) == ("wordy", "detail")).change
    assert found.row("wordy")[1].split()[0] == f"{change.value:+.3f}".replace("-", "−")
    assert "by the judge's mean over its dimensions" in found.text
    assert re.search(
        r"a cat sleeps\. ROUGE-L [\d.]+ · Reasonability – \(out of range\) · Detail – \(refused\) · Consistency 0.100", found.text
    )


def test_what_is_worst_stands_first_with_what_others_said(read):
    shown_first = read.text[read.text.index("Examples, the worst first") :]
    places = [shown_first.index(f"{item}.mp4") for item in ("v3", "v4", "v2")]
    assert places == sorted(places)
    assert "v1.mp4" not in shown_first[: shown_first.index("Answers to questions")]  # three of each task are shown
    empty = shown_first[: shown_first.index("v4.mp4")]
    assert "an empty answer" in empty
    assert re.search(r"hawk.*other one\s+Something unusual happens: a man runs\.", empty)
    assert "ROUGE-L 0.000" in empty
    assert (
        sum(tag == "mark" for tag, _ in read.elements) == 7
    )  # twice "cat", "sleeps" and "dog", once "runs": of own answers only


def test_one_video_has_no_interval_and_nothing_answered_has_no_figures():
    assert "no interval|n = 1|" in Page(page(**evaluated([said("v1", "A man runs.")]))).row("hawk", "On this test split")[0]
    nothing = {"metrics": {"model": "", "tasks": {}, "notes": ["Nothing was answered at all."]}, "scores": [], "differences": []}
    nothing |= {"predictions": [], "others": [], "judgements": [], "judge_summary": {"notes": []}, "names": {}}
    found = Page(page(**nothing, pictures=lambda _: None, examples=5))
    assert "Nothing was answered at all." in found.text


def _video(name, label, *spans):
    known = {
        "source": "s",
        "path": name,
        "name": name,
        "fps": 10.0,
        "width": 64,
        "height": 48,
        "split": "test",
        "split_by": "seeded",
    }
    spans = [FrameSpan(start_s=a / 10, end_s=b / 10, start_frame=a, end_frame=b) for a, b in spans]
    return Video(id=name, frames=40, duration_s=4, label=label, spans=spans, **known)


def _scored(video, at):
    """A window of half a second: as it should be in `v1`, in all others falling with time."""
    score = 0.9 if video.id == "v1" and 10 <= at < 20 else 0.5 - at / 100
    known = {"start_frame": at, "end_frame": at + 5, "start_s": at / 10, "end_s": (at + 5) / 10, "share": 0.9}
    return WindowScore(item_id=f"{video.id}-{at}", video_id=video.id, score=score, flow=0.1, peak_flow=1.0, **known)


def test_when_has_its_figures_its_convention_and_lines_along_videos(compared):
    videos = [_video("v1", "falling", (10, 20)), _video("v2", "falling", (20, 30)), _video("v3", "normal"), _video("v4", None)]
    windows = [_scored(video, at) for video, at in itertools.product(videos, range(0, 40, 5))]
    by_id = {video.id: video for video in videos}
    curves = when.curves(by_id, windows, 0.1)
    told = when.metrics(videos, curves, 0.5)
    told["videos"]["tested"] = 5
    told |= {"convention": {"window_s": [0.5], "question": NASTY}, "share": 0.91, "windows": len(windows)}
    told |= {"left_out": [{"video": "v5", "reason": "It ends early."}]}
    given = compared | {"when_metrics": told, "anomaly_scores": when.anomaly_scores(by_id, curves, 0.5), "videos": videos}
    text = page(**given)
    found = _is_self_contained(text)
    rows = {(one["scored"], one["metric"]): one for one in told["figures"]}
    auc = rows["score", "frame_auc"]
    assert found.row("the model's score")[0].startswith(f"{auc['value']:.3f}")
    assert found.row("over plain motion")[0].count("|") >= 3
    assert "4 of 5 videos were scored" in found.text
    assert "v5 has no score. It ends early." in found.text
    assert "91 % begins" in found.text
    worst = found.text[found.text.index("Where its score tells frames apart worst") :]
    assert worst.index("v2 (AUC") < worst.index("v1 (AUC")
    assert "v3 (up to" in worst
    assert "v4" not in worst[: worst.index("Examples")]


@pytest.mark.parametrize(
    ("window_s", "left_out", "sentence"),
    [
        ([], [], "Nothing was scored along videos, as when.window_s is empty."),
        ([0.5], ["v1", "v2"], "Nothing was scored along videos: there was none that could be."),
        ([0.5], [], "Nothing was scored along videos: there was none."),
    ],
)
def test_where_nothing_was_scored_along_videos_a_sentence_says_so(compared, window_s, left_out, sentence):
    told = when.metrics([], when.curves({}, [], 0.1), 0.5)
    told["videos"]["tested"] = len(left_out)
    told |= {"convention": {"window_s": window_s, "question": "Is anything odd?"}, "share": None, "windows": 0}
    told |= {"left_out": [{"video": name, "reason": "It ends early."} for name in left_out]}
    found = Page(page(**compared | {"when_metrics": told}))
    section = found.text[found.text.index("When something unusual happens") : found.text.index("Examples, the worst first")]
    reasons = "".join(f"{name} has no score. It ends early." for name in left_out)
    squeezed = "".join(section.split())
    assert squeezed == "".join(f"When something unusual happens{sentence}{reasons}".split())

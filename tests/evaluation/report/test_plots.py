import re

import pytest
from matplotlib.colors import to_hex

from hawk_pipelines.evaluation.report.plots import MOST_POINTS, OTHER, OWN, Dot, Timeline, along, dots, plot, svg
from hawk_pipelines.evaluation.scores import metrics, score
from hawk_pipelines.schema import Sample, Truth
from tests.evaluation.made import said
from tests.evaluation.report.reading import Page

TRAINING = [Sample(item_id="t", task="description", question="", answer="a man runs in the street", motion_text="")]


def test_the_plot_has_bars_with_intervals_beside_the_best_constant_answer_and_chance():
    own = [said(f"v{at}", f"A man {('runs', 'falls')[at % 2]} here.", reference="A man runs here.") for at in range(6)]
    truths = [Truth(video_id=f"v{at}", slots={"action": ("runs", "falls", "sits")[at % 3]}) for at in range(6)]
    told = metrics(score(own, TRAINING, truths))
    bleu, slots = plot(told).axes
    assert [bar.get_height() for bar in bleu.patches[:4]] == [
        told["tasks"]["description"][f"bleu_{order}"] for order in range(1, 5)
    ]
    assert bleu.patches[4].get_height() == told["tasks"]["description"]["best_constant"]["bleu_1"]
    low, high = bleu.lines[0].get_ydata()
    assert (low, high) == (told["tasks"]["description"]["bleu_1_low"], told["tasks"]["description"]["bleu_1_high"])
    assert [bar.get_height() for bar in slots.patches] == [told["slots"]["action"]["accuracy"], told["slots"]["action"]["chance"]]


def test_the_plot_is_there_where_nothing_is_known(tmp_path):
    plot({"tasks": {}}).savefig(tmp_path / "empty.png")
    told = metrics(score([said("v1", "A man.")], TRAINING))
    assert plot(told).axes[0].lines[:] == []


def test_dots_keep_the_row_of_what_is_not_known():
    axis = dots([Dot("own", 0.5, 0.4, 0.6), Dot("none", None, None, None), Dot("other", 0.2, None, None, False)], line=0.1).axes[
        0
    ]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["own", "none", "other"]
    interval, first, second, upright = axis.lines
    assert (list(interval.get_xdata()), list(interval.get_ydata())) == ([0.4, 0.6], [0, 0])
    assert [(*line.get_xdata(), *line.get_ydata(), to_hex(line.get_color())) for line in (first, second)] == [
        (0.5, 0, OWN),
        (0.2, 2, OTHER),
    ]
    assert list(upright.get_xdata()) == [0.1, 0.1]
    top, bottom = sorted(axis.get_ylim())
    assert top < 0 < 2 < bottom


def test_a_timeline_has_true_and_predicted_spans_and_few_points():
    times = [frame / 30 for frame in range(9000)]
    line = Timeline("v", times, [0.1] * 9000, [0.2] * 9000, [(1, 2)], [(3, 4), (5, 6)])
    axis = along(line).axes[0]
    assert axis.patches[0].get_x() == 1
    assert axis.patches[0].get_width() == pytest.approx(1)
    predicted = [list(drawn.get_xdata()) for drawn in axis.lines[:2]]
    assert predicted == [[3, 4], [5, 6]]
    assert len(axis.lines[3].get_xdata()) <= MOST_POINTS
    assert axis.lines[3].get_xdata()[-1] == times[-1]


def test_an_inline_picture_has_the_pages_colours_ids_of_its_own_and_text_that_is_text():
    rows = [
        Dot("$x^2$ <b>&", 0.5, 0.4, 0.6),
        Dot("日本", 0.5, 0.4, 0.6, False),
        Dot("a name of more letters than fit", 0.5, None, None),
    ]
    text = svg(dots(rows), "one")
    assert text.startswith("<svg")
    assert "$x^2$ &lt;b&gt;&amp;</text>" in text
    assert "日本</text>" in text
    assert "a name of more letters than…</text>" in text
    assert "var(--own)" in text
    assert "var(--other)" in text
    assert "currentColor" in text
    assert not re.search(r"#[0-9a-f]{6}", text)
    assert "<style" not in text
    assert "<metadata" not in text
    found = Page(text)
    ids = {attributes["id"] for _, attributes in found.elements if "id" in attributes}
    assert all(one.startswith("one-") for one in ids)
    assert set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", text)) <= ids
    assert svg(dots(rows), "one") == text

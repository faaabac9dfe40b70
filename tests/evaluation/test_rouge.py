import subprocess
import sys

import pytest

from hawk_pipelines.evaluation.rouge import rouge_l


def test_scores_worked_out_by_hand():
    """Three of four words in order on either side; turned round, one. Of "the the the" one of three, and one of two."""
    reference = "Police killed the gunman."
    assert rouge_l(["police, KILLED a gunman", "gunman the killed police"], [reference] * 2) == pytest.approx([0.75, 0.25])
    assert rouge_l(["the the the"], ["the cat"]) == pytest.approx([2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2)])


def test_words_are_not_stemmed():
    assert rouge_l(["running"], ["runs"]) == [0]


@pytest.mark.parametrize(("answer", "reference"), [("", "a man"), ("a man", ""), ("", ""), ("…", "a man"), ("男", "男")])
def test_what_has_no_words_is_worth_nothing(answer, reference):
    assert rouge_l([answer], [reference]) == [0]


def test_nothing_is_scored_of_nothing():
    assert rouge_l([], []) == []


def test_what_comes_along_closes_nobodys_stderr():
    """absl keeps the stream of its import and closes it when logging is configured anew."""
    code = (
        "import io, logging.config, sys; own = sys.stderr; sys.stderr = kept = io.StringIO()\n"
        "import hawk_pipelines.evaluation.rouge; sys.stderr = own\n"
        "logging.config.dictConfig({'version': 1}); sys.exit(kept.closed)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

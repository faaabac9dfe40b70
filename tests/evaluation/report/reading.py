"""A page as a browser takes it, and what it is made of."""

from html.parser import HTMLParser

import numpy as np

from hawk_pipelines.evaluation.scores import compare, metrics, score
from hawk_pipelines.schema import EvaluationDifference, EvaluationScore

VOID = {"meta", "img", "br", "link", "input", "hr", "source"}


class Page(HTMLParser):
    """What is in it: elements with their attributes, and the text of each place that is looked for."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.rows, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"closed and never opened: {tag}"
        assert self._open[-1] == tag, f"{tag} is closed within {self._open[-1]}"
        self._open.pop()

    def handle_data(self, data):
        if "style" not in self._open:
            self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data.strip() + ("|" if "small" in self._open else " ")

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def row(self, label, after=""):
        """The cells of the first row of that label, after a row that begins with other words."""
        rows = [[cell.strip() for cell in row] for row in self.rows]
        start = next((at for at, row in enumerate(rows) if row[0].startswith(after)), 0) if after else 0
        return next(row[1:] for row in rows[start:] if row[0] == label)


def evaluated(predictions, others=(), judged=None, truths=(), training=(), asked=()):
    """What the evaluation makes of answers: arguments of `page`."""
    every = [*predictions, *others]
    scored = {
        name: score([one for one in every if one.model == name], training, truths, (judged or {}).get(name), asked)
        for name in dict.fromkeys(one.model for one in every)
    }
    own = scored[predictions[0].model]
    told = metrics(own)
    del told["parts"]
    compared = [compare(scores, own) for scores in scored.values() if scores is not own]
    return {
        "metrics": told,
        "scores": [EvaluationScore(**_known(one._asdict())) for scores in scored.values() for one in scores.scores],
        "differences": [EvaluationDifference(**_known(one._asdict())) for few in compared for one in few],
        "predictions": list(predictions),
        "others": list(others),
        "judgements": [],
        "judge_summary": {"notes": []},
        "names": {one.item_id: f"{one.item_id}.mp4" for one in every},
        "pictures": lambda _: None,
        "examples": 6,
    }


def _known(row):
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}

"""The published table of HAWK (NeurIPS 2024, arXiv 2405.16886), to be shown beside figures of one's own and told apart from them.

Nobody can work these out again: which BLEU is meant, the judge's version and the split are not stated, and the answers were not
released. They say in which order the models came there, and are not to be compared digit by digit with another split's.
"""

from typing import NamedTuple, get_args

from hawk_pipelines.schema import Task

SOURCE = "published: HAWK, NeurIPS 2024, arXiv 2405.16886"
METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "judge_reasonability", "judge_detail", "judge_consistency")
"""The columns, named as in `scores.Score`."""


class Published(NamedTuple):
    """A row of the table."""

    model: str
    task: Task
    values: dict[str, float]
    """By metric."""
    source: str = SOURCE


_ROWS: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("Video-ChatGPT", (0.107, 0.046, 0.017, 0.008, 0.084, 0.108, 0.055), (0.177, 0.096, 0.058, 0.038, 0.508, 0.430, 0.421)),
    ("VideoChat", (0.053, 0.023, 0.008, 0.003, 0.107, 0.205, 0.054), (0.261, 0.133, 0.074, 0.043, 0.699, 0.631, 0.598)),
    ("Video-LLaMA", (0.062, 0.025, 0.009, 0.004, 0.120, 0.217, 0.066), (0.156, 0.081, 0.045, 0.027, 0.586, 0.485, 0.497)),
    ("LLaMA-Adapter", (0.132, 0.052, 0.018, 0.008, 0.060, 0.091, 0.038), (0.199, 0.109, 0.067, 0.043, 0.646, 0.559, 0.549)),
    ("Video-LLaVA", (0.071, 0.030, 0.012, 0.005, 0.077, 0.115, 0.038), (0.094, 0.054, 0.034, 0.023, 0.393, 0.274, 0.316)),
    ("HAWK", (0.270, 0.139, 0.074, 0.043, 0.283, 0.320, 0.218), (0.319, 0.179, 0.112, 0.073, 0.840, 0.794, 0.753)),
    ("HAWK without motion", (0.249, 0.121, 0.062, 0.034, 0.253, 0.306, 0.189), (0.309, 0.171, 0.105, 0.065, 0.837, 0.790, 0.743)),
    ("HAWK without L_MV", (0.249, 0.123, 0.064, 0.036, 0.261, 0.295, 0.194), (0.313, 0.172, 0.105, 0.066, 0.833, 0.784, 0.742)),
    ("HAWK without L_ML", (0.270, 0.135, 0.073, 0.041, 0.276, 0.320, 0.212), (0.316, 0.176, 0.109, 0.069, 0.836, 0.788, 0.752)),
)
"""Of each model the description task, then question answering."""

PUBLISHED: tuple[Published, ...] = tuple(
    Published(model, task, dict(zip(METRICS, values, strict=True)))
    for model, described, answered in _ROWS
    for task, values in zip(get_args(Task), (described, answered), strict=True)
)

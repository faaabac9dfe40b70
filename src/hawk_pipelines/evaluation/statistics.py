"""How sure a figure is: bootstrap intervals and paired differences, resampled by source video.

What comes from one video is not independent: its items are drawn together or not at all (a cluster bootstrap). Figures are made
of additive statistics: a resampled corpus is scored by adding up what its videos add, and 2,000 of them are one matrix product.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEW_VIDEOS = 10
"""With fewer, what is called a 95 % interval holds the truth less often: of ten videos 92 times in 100, of three 74 times."""
DRAWS = 2000
"""Resampled corpora behind an interval."""
TAILS = (2.5, 97.5)
"""The percentiles between which an interval lies: 95 %."""

Of = Callable[[NDArray], NDArray]
"""Turns sums of statistics [..., K] into figures [...]."""


class Figure(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    """nan where nothing is behind it."""
    low: float
    high: float
    """Both nan where fewer than two videos are behind it: nothing is known then of how far it may be off."""
    items: int
    videos: int


class Difference(NamedTuple):
    """What a second run has over the first on the same items, and its 95 % interval."""

    value: float
    """Second − first; nan where nothing is behind it."""
    low: float
    high: float
    """Both nan where fewer than two videos are behind it."""
    p: float
    """Two-sided, of no difference: twice the share of resampled corpora on the rarer side of 0, but no less than the chance that
    as many coins fall alike (a sign test's least p). Never 0; nan without interval."""
    items: int
    videos: int

    @property
    def detectable(self) -> float:
        """The difference that so many videos could have shown: half the width of the interval.

        A difference that is smaller would mostly have had an interval that holds 0. nan where there is no interval.
        """
        return (self.high - self.low) / 2


def figure(statistics: ArrayLike, clusters: Sequence[str], of: Of, draws: int = DRAWS, seed: int = 0) -> Figure:
    """A figure of items and its interval.

    Args:
        statistics: [I, K], what each item adds.
        clusters: [I], the source video of each item.
        of: what sums of statistics come to. A resampled corpus of which that is nan counts for nothing.
        draws: resampled corpora.
        seed: of the drawing: the same items have the same interval.

    Returns:
        The figure of all items; its interval lies between percentiles of resampled ones.
    """
    sums = _by_cluster(statistics, clusters)
    if not len(sums):
        return Figure(np.nan, np.nan, np.nan, 0, 0)
    low, high = _interval(of(_drawn(len(sums), draws, seed) @ sums)) if len(sums) > 1 else (np.nan, np.nan)
    return Figure(float(of(sums.sum(axis=0))), low, high, len(clusters), len(sums))


def difference(
    first: ArrayLike,
    second: ArrayLike,
    clusters: Sequence[str],
    of: Of,
    draws: int = DRAWS,
    seed: int = 0,
    strata: Sequence[str] | None = None,
) -> Difference:
    """What one run has over another on the same items, with the same videos drawn for both.

    Args:
        first: [I, K], what each item adds in the first run.
        second: [I, K], what the same items add in the second.
        clusters: [I], the source video of each item.
        of: what sums of statistics come to.
        draws: resampled corpora.
        seed: of the drawing.
        strata: [I], where a run was repeated, which of the repeats: each is a corpus of its own, with its own draws.

    Returns:
        Second − first; over repeats the mean of their differences.
    """
    strata = [""] * len(clusters) if strata is None else strata
    parts = [
        tuple(_by_cluster(np.asarray(run)[rows], [clusters[row] for row in rows]) for run in (first, second))
        for rows in ([row for row, one in enumerate(strata) if one == stratum] for stratum in sorted(set(strata)))
    ]
    videos = sum(len(sums) for sums, _ in parts)
    if not videos:
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0)
    value = float(np.mean([of(after.sum(axis=0)) - of(before.sum(axis=0)) for before, after in parts]))
    if max(len(sums) for sums, _ in parts) < 2:
        return Difference(value, np.nan, np.nan, np.nan, len(clusters), videos)
    # Each stratum has its own draws: with the same ones, equally many videos would move in step.
    drawn = [_drawn(len(sums), draws, seed + number) for number, (sums, _) in enumerate(parts)]
    resampled = np.mean([of(w @ after) - of(w @ before) for w, (before, after) in zip(drawn, parts, strict=True)], axis=0)
    return Difference(value, *_interval(resampled), max(_p(resampled), 2.0 ** (1 - videos)), len(clusters), videos)


def mean(sums: NDArray) -> NDArray:
    """The mean of items whose statistics are (value, 1); nan where there are none."""
    total, count = sums[..., 0], sums[..., 1]
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)


def weights(clusters: Sequence[str], draws: int = DRAWS, seed: int = 0) -> NDArray:
    """How often each video is in each resampled corpus: [draws, C], the videos in sorted order."""
    return _drawn(len(set(clusters)), draws, seed)


def plain(value: Any) -> Any:
    """Figures as JSON has them: tuples with names as objects, and null for what is not known."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@lru_cache(maxsize=16)
def _drawn(count: int, draws: int, seed: int) -> NDArray:
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def _by_cluster(statistics: ArrayLike, clusters: Sequence[str]) -> NDArray:
    """[C, K]: what each video adds, in the order of their names."""
    rows = np.asarray(statistics, dtype=np.float64)
    names, where = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    if len(rows) != len(where):
        msg = f"Every item belongs to a video, but there are statistics of {len(rows)} items and videos of {len(where)}."
        raise ValueError(msg)
    sums = np.zeros((len(names), *rows.shape[1:]))
    np.add.at(sums, where, rows)
    return sums


def _interval(resampled: NDArray) -> tuple[float, float]:
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, TAILS) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


def _p(resampled: NDArray) -> float:
    known = resampled[~np.isnan(resampled)]
    rarer = min((known <= 0).sum(), (known >= 0).sum())
    return min(1.0, 2 * (1 + float(rarer)) / (1 + len(known))) if len(known) else np.nan

"""Which frames of an item to look at."""

from typing import Literal

import numpy as np

Sampling = Literal["uniform", "random_halves"]


def uniform(start: int, end: int, count: int, phase: float = 0.0) -> np.ndarray:
    """Indices of `count` frames spread evenly over the frames [start, end).

    The step is `(end − start) / count` and indices are truncated (HAWK, uniform sampling). Fewer frames than `count` give
    every frame once.

    Args:
        start, end: half-open, at least one frame.
        count: number of frames wanted, T.
        phase: in [0, 1); moves every index on by that part of a step.

    Returns:
        int64 [min(T, end − start)], ascending, without repeats.
    """
    _checked(start, end, count)
    frames = end - start
    if frames <= count:
        return np.arange(start, end)
    return start + ((np.arange(count) + phase) * frames / count).astype(np.int64)


def random_halves(start: int, end: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Half of the indices drawn at random from the first half of the frames [start, end), the others from the second.

    Returns:
        int64 [min(T, end − start)], ascending, without repeats.
    """
    _checked(start, end, count)
    if end - start <= count:
        return np.arange(start, end)
    middle = start + (end - start) // 2
    first = rng.choice(np.arange(start, middle), count // 2, replace=False)
    second = rng.choice(np.arange(middle, end), count - count // 2, replace=False)
    return np.concatenate([np.sort(first), np.sort(second)])


def _checked(start: int, end: int, count: int) -> None:
    if end <= start or start < 0 or count < 1:
        msg = f"Sampling needs at least one frame and one place to put it, but got frames {start} to {end} and {count} places."
        raise ValueError(msg)

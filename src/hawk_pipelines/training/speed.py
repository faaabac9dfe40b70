"""How fast a training goes and what memory it takes."""

import logging
import resource
import time
from collections.abc import Mapping

import torch

from hawk_pipelines.training.peaks import mfu

logger = logging.getLogger(__name__)


class Speed:
    """Counts between two reports."""

    def __init__(self, stage: str, device: torch.device, processes: int, language_model_parameters: int, told: bool) -> None:
        """Args:
        stage: what the log calls it.
        device: of this process.
        processes: all of them count.
        language_model_parameters: what a token goes through.
        told: whether this process says it in the log.
        """
        self._stage, self._device, self._processes, self._told = stage, device, processes, told
        self._parameters = language_model_parameters
        self._begin()

    def _begin(self) -> None:
        self._since, self._tokens, self._samples, self._left_out = time.monotonic(), 0.0, 0.0, 0.0

    def count(self, tokens: float, samples: float) -> None:
        """A step was made."""
        self._tokens += tokens
        self._samples += samples

    def leave_out(self, seconds: float) -> None:
        """So long something else was done than training."""
        self._left_out += seconds

    def figures(self, step: int, steps: int, values: Mapping[str, float]) -> dict[str, float]:
        """Speed since the last report, and the highest memory; said in the log, too."""
        seconds = max(1e-9, time.monotonic() - self._since - self._left_out)
        rate = {"tokens_per_s": self._tokens / seconds, "samples_per_s": self._samples / seconds, "memory_gb": self._memory_gb()}
        used = mfu(self._parameters, rate["tokens_per_s"] / self._processes, self._device)
        if used is not None:
            rate["mfu"] = used
        if self._told:
            what = f"{self._stage}: step {step:,} of {steps:,}, loss {values['loss']:.3f}"
            busy = f", MFU {used:.0%}" if used is not None else ""
            logger.info("%s, %.1f samples/s, %.1f GB%s.", what, rate["samples_per_s"], rate["memory_gb"], busy)
        self._begin()
        return rate

    def _memory_gb(self) -> float:
        """The most this process has taken: of its GPU, otherwise of the machine's memory."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 1e9
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

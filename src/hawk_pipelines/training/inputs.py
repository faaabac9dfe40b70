"""What a training is given, written into its folder: the job, its samples, and which stored features they are of."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hawk_pipelines.schema import Sample, StoredItem
from hawk_pipelines.training.job import HELD_OUT, SAMPLES, Job, fingerprint, write_features, write_job
from hawk_pipelines.training.samples import write_samples


def write_inputs(
    folder: Path, job: Job, samples: Sequence[Sample], groups: Mapping[str, str], features: Sequence[StoredItem]
) -> None:
    """Write all that a training needs.

    Args:
        folder: of the training.
        job: what to do.
        samples: of the train split.
        groups: the source video of each item, for holding some out.
        features: what is stored of the items; of others, too.
    """
    out = _held_out_items(job, samples, groups)
    items = {sample.item_id for sample in samples}
    write_job(folder, job)
    write_samples(folder / SAMPLES, (sample for sample in samples if sample.item_id not in out))
    write_samples(folder / HELD_OUT, _validation_samples(samples, out, job))
    write_features(folder, (item for item in features if item.item_id in items))


def training_key(job: Job, samples: Sequence[Sample], groups: Mapping[str, str], features: Sequence[StoredItem]) -> str:
    """The fingerprint that the folder of this training has; nothing is left on the disk.

    Raises:
        TrainingError: there is no model to start from.
        CheckpointError: the language model is missing.
    """
    with tempfile.TemporaryDirectory(prefix="hawk-training-") as name:
        write_inputs(Path(name), job, samples, groups, features)
        return fingerprint(Path(name), job)


def held_out(groups: Mapping[str, str], share: float, seed: int) -> set[str]:
    """Items that are not trained on: whole source videos, as many as come nearest to the share, but at least one; never all.

    Args:
        groups: the source video of each item.
        share: of the source videos.
        seed: decides which.
    """
    ordered = sorted(set(groups.values()), key=lambda group: hashlib.sha256(f"{seed}/held out/{group}".encode()).digest())
    chosen = set(ordered[: min(max(1, round(share * len(ordered))), len(ordered) - 1)])
    return {item for item, group in groups.items() if group in chosen}


def _held_out_items(job: Job, samples: Sequence[Sample], groups: Mapping[str, str]) -> set[str]:
    validation = job.parameters.validation
    items = dict.fromkeys(sample.item_id for sample in samples)
    if not validation.share or not items:
        return set()
    return held_out({item: groups.get(item, item) for item in items}, validation.share, job.seed)


def _validation_samples(samples: Sequence[Sample], out: set[str], job: Job) -> list[Sample]:
    """Of every held-out item its description and its first question."""
    items = set(sorted(out)[: job.parameters.validation.most_items])
    chosen: dict[tuple[str, str], Sample] = {}
    for sample in samples:
        if sample.item_id in items:
            chosen.setdefault((sample.item_id, sample.task), sample)
    return list(chosen.values())

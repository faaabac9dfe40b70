"""What a model was made from: the videos it was trained on and how, the version of the data, the commit of the code."""

import hashlib
import json
import subprocess
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hawk_pipelines.engine.whole_files import whole_file
from hawk_pipelines.errors import HawkError
from hawk_pipelines.schema import Annotation, Video

R = TypeVar("R", bound=BaseModel)

TRAINING = "training.json"
"""In the folder of a trained model: how it was trained, and on which videos."""
TRAINED_ON = "training_videos.json"
"""Beside a registered version: which videos it has seen."""
ANNOTATIONS = "data/03_primary/annotations.jsonl"
"""As `dvc.lock` names them."""
_CODE = ("src", "conf", "pyproject.toml", "constraints.txt")
"""What decides a run's result, besides the data."""


class ProvenanceError(HawkError):
    """A record of a model's making that cannot be read."""


class Source(BaseModel):
    """What a training took from a data set."""

    model_config = ConfigDict(extra="forbid")

    videos: int
    licences: list[str]
    """As its source states them; empty where it states none."""


class Training(BaseModel):
    """How a model was trained, and on what; without times and places, so that the same training leaves the same record."""

    model_config = ConfigDict(extra="forbid")

    stage: str
    steps: int
    seed: int
    samples: int
    videos: list[str]
    """Ids, also of those that were held out to choose weights."""
    groups: list[str]
    """Source videos that these were cut from."""
    sources: dict[str, Source]
    """By the name of the data set."""
    settings: dict[str, Any] | None = None
    """All that it was told, by section (`finetune`, `model`, `encode`, `motion`, `seed`); None where that was not kept."""
    init_from: str | None = None
    """The model that it started from, as the settings name it; None where its branches were new."""
    before: "Training | None" = None
    """How that one was trained; None where its folder does not say."""

    def stages(self) -> list["Training"]:
        """This training, and those before it, the first one first."""
        return [*(self.before.stages() if self.before else []), self]


def training_of(
    stage: str,
    steps: int,
    seed: int,
    samples: int,
    items: Collection[str],
    annotations: Sequence[Annotation],
    videos: Sequence[Video],
    init_from: str | None = None,
    before: Training | None = None,
    settings: dict[str, Any] | None = None,
) -> Training:
    """The record of a training.

    Args:
        stage: `pretrain` or `finetune`.
        steps, seed: of the training.
        samples: how many it was given.
        items: that they are about.
        annotations: of these items, at least.
        videos: that they are about, at least.
        init_from: the model that it started from.
        before: the record of that model.
        settings: all that the training was told, by section.
    """
    of_item = {one.item_id: one.video_id for one in annotations}
    wanted = {of_item.get(item, item) for item in items}
    used = [video for video in videos if video.id in wanted]
    return Training(
        stage=stage,
        steps=steps,
        seed=seed,
        samples=samples,
        videos=sorted(wanted),
        groups=sorted({video.group for video in used if video.group}),
        sources=sources_of(used),
        settings=settings,
        init_from=init_from,
        before=before,
    )


def sources_of(videos: Sequence[Video]) -> dict[str, Source]:
    """The data sets that videos are from, and their terms."""
    counts, licences = Counter(video.source for video in videos), defaultdict(set)
    for video in videos:
        if video.licence:
            licences[video.source].add(video.licence)
    return {name: Source(videos=counts[name], licences=sorted(licences[name])) for name in sorted(counts)}


def write_training(folder: Path, training: Training) -> None:
    """Leave the record in the folder of the trained model, whole or not at all; one that says the same is left as it is."""
    text, file = training.model_dump_json(indent=1) + "\n", folder / TRAINING
    if file.is_file() and file.read_bytes() == text.encode():
        return
    with whole_file(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def read_training(folder: Path) -> Training | None:
    """How a model was trained; None where its folder does not say, as with an imported one.

    Raises:
        ProvenanceError: the record cannot be read.
    """
    return _read(folder / TRAINING, Training, "is no record of a training", "; train again, or remove it.")


class TrainedOn(BaseModel):
    """The videos that a registered version has seen, in whichever stage."""

    model_config = ConfigDict(extra="forbid")

    videos: list[str]
    groups: list[str]
    unknown: str | None
    """What is not known of it, in a sentence."""


def trained_on(training: Training) -> TrainedOn:
    """All stages together."""
    stages = training.stages()
    start = stages[0].init_from
    unknown = f"It started from {start}, and what that was trained on is not recorded there." if start else None
    return TrainedOn(
        videos=sorted({video for stage in stages for video in stage.videos}),
        groups=sorted({group for stage in stages for group in stage.groups}),
        unknown=unknown,
    )


def read_trained_on(folder: Path) -> TrainedOn | None:
    """What a registered version has seen; None where that was not recorded.

    Raises:
        ProvenanceError: the record cannot be read.
    """
    return _read(folder / TRAINED_ON, TrainedOn, "does not say what the version was trained on", "")


def _read(file: Path, kind: type[R], what: str, do: str) -> R | None:
    """A record that may be missing; `what` is wrong with one that cannot be read, and what to `do`."""
    if not file.is_file():
        return None
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        msg = f"{file} {what} ({' '.join(str(error).split())[:200]}){do}"
        raise ProvenanceError(msg) from error


class DataVersion(NamedTuple):
    """Which annotations."""

    sha256: str
    """Of the table `annotations` as it is written: that of its file."""
    dvc_md5: str | None
    """The same file's in `dvc.lock`; None where `dvc repro` did not make it."""
    items: int


def data_version(annotations: Sequence[Annotation], project: Path) -> DataVersion:
    """Name the data, by their content.

    Args:
        annotations: all of them.
        project: where `dvc.lock` may be.
    """
    rows = (json.dumps(one.model_dump(mode="json"), ensure_ascii=False) + "\n" for one in annotations)
    content = "".join(rows).encode()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    made = md5 in _locked(project / "dvc.lock")
    return DataVersion(hashlib.sha256(content).hexdigest(), md5 if made else None, len(annotations))


_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Written in C where PyYAML was built so: ten times as fast."""


def _locked(lock: Path) -> set[str]:
    """Hashes that DVC keeps of the annotations; none where there is no readable `dvc.lock`."""
    try:
        stages = yaml.load(lock.read_text(encoding="utf-8"), _YAML)["stages"].values()  # noqa: S506 (either is a safe loader)
        return {out["md5"] for stage in stages for out in stage.get("outs", []) if out["path"] == ANNOTATIONS}
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return set()


class Code(NamedTuple):
    """Which code."""

    commit: str | None
    """None where it is not under git."""
    changed: list[str]
    """Files of code and settings that differ from the commit."""


def weights_sha256(folder: Path) -> str:
    """A hash of a saved model's own weights, by which its answers are known to be its own."""
    together = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            together.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return together.hexdigest()


def code_version(project: Path) -> Code:
    """The commit of a project, and what of its code and settings is not in it."""
    commit = _git(project, "rev-parse", "HEAD")
    changed = _git(project, "status", "--porcelain", "--untracked-files=all", "--", *_CODE) if commit else None
    return Code(commit.strip() if commit else None, sorted(line[3:] for line in (changed or "").splitlines()))


def tags(data: DataVersion, code: Code) -> dict[str, str]:
    """What of it becomes tags of a registered version."""
    found = {"annotations_sha256": data.sha256, "annotations_dvc_md5": data.dvc_md5, "git_commit": code.commit}
    return {name: value for name, value in found.items() if value} | {"git_changed_files": str(len(code.changed))}


def _git(project: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(["git", *command], cwd=project, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603, S607
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout

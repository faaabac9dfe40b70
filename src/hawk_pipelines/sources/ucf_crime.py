"""UCF-Crime (Sultani, Chen and Shah, CVPR 2018): 1,900 surveillance videos, 13 classes of anomalies, and normal ones.

A video is known by its file name (`Abuse028_x264.mp4`), so every way of unpacking is read: the parts side by side
(`Anomaly-Videos-Part-1/Abuse/…`), the older single archive (`Videos/Abuse/…`), or all videos in one folder. Read besides:

- `Anomaly_Train.txt`, `Anomaly_Test.txt`: the official split. Their folders are named otherwise than those of the archives; only
  the file names count.
- `Temporal_Anomaly_Annotation*.txt`: first and last frame of up to two anomalies of each test video; taken as half-open and
  zero-based. It lists exactly the test set and stands in for the split lists where these are not there.
- `UCFCrime_Train.json`, `UCFCrime_Val.json`, `UCFCrime_Test.json`: UCA's sentences with times (Yuan et al., CVPR 2024), below the
  same folder or at `uca`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, TimedText, note
from hawk_pipelines.sources.text_files import Listed, note_absent, read_json, read_lines, read_list
from hawk_pipelines.sources.tree import dataset_folder, files_in, files_named, folders_in, is_video_file, walk

TITLE = "UCF-Crime"
LICENCE = (
    "UCF-Crime: offered for research; we know of no stated licence, so ask its authors about other uses. "
    "UCA's captions: Apache-2.0, for academic use by their authors' word."
)
SIGNS = "videos such as Abuse028_x264.mp4 below folders named by their class, or Anomaly_Test.txt"
CLASSES = (
    "Abuse", "Arrest", "Arson", "Assault", "Burglary", "Explosion", "Fighting", "RoadAccidents", "Robbery", "Shooting",
    "Shoplifting", "Stealing", "Vandalism",
)  # fmt: skip
_NAME = re.compile(rf"({'|'.join(CLASSES)}|Normal_Videos)_?[0-9]+_x264", re.IGNORECASE)
_LISTS = r"Anomaly_(Train|Test)\.txt|Temporal_Anomaly_Annotation.*\.txt"
_EVENT_RECOGNITION = ("normal_videos_for_event_recognition", "z_normal_videos_event")
"""Folders of another task, which repeat normal videos of this one."""


class Parameters(BaseModel):
    """Where the data set is."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Path("data/01_raw/ucf_crime")
    uca: Path | None = None
    """UCA's JSON files, where they are not below `path`: a folder, or one of them."""


def looks_like(folder: Path) -> bool:
    """Whether a folder is where UCF-Crime begins: its parts or lists are in it, at once or one folder deeper."""
    part = re.compile(r"(anomaly|training[-_]normal)[-_]videos[-_]part[-_][0-9]+|anomaly_detection_splits", re.IGNORECASE)
    if any(part.fullmatch(inside.name) for inside in folders_in(folder)):
        return True
    if any(_NAME.fullmatch(file.stem) or re.fullmatch(_LISTS, file.name, re.I) for file in files_in(folder)):
        return True
    classes = {name.casefold() for name in CLASSES} | {"training_normal_videos_anomaly", "testing_normal_videos_anomaly"}
    named = [f for place in (folder, folder / "Videos") for f in folders_in(place) if f.name.casefold() in classes]
    return any(_NAME.fullmatch(file.stem) for found in named for file in files_in(found))


def read(parameters: Parameters) -> Reading:
    """Find the videos, their classes, the official split, the times of anomalies, and UCA's captions.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.ucf_crime.path", TITLE, looks_like, SIGNS)
    notes: list[Rejection] = []
    paths = _videos(root, notes)
    files = {half: _first(root, rf"Anomaly_{half}\.txt") for half in ("Train", "Test")}
    lists = {half: read_list(file, notes) for half, file in files.items() if file}
    times_file = _first(root, r"Temporal_Anomaly_Annotation.*\.txt")
    times = read_times(times_file, notes) if times_file else {}
    captions = read_captions(_uca_files(parameters.uca, root), notes)
    for listed in lists.values():
        note_absent(listed, paths, root, notes)
    if times_file:
        note_absent(Listed(times_file, list(times)), paths, root, notes)
    trained, tested = (set(lists[half].names) if half in lists else set() for half in files)
    notes += [
        note(name, f"Both official lists name {name}, which is taken for a test video; remove it from one.")
        for name in sorted(trained & tested)
    ]
    videos = []
    for name, path in paths.items():
        split = _split(name, trained, tested or set(times))
        if split == "unlisted":
            notes.append(note(path.name, f"{path} is in neither official split list and is left out; add it to one to use it."))
            continue
        label = next((one for one in CLASSES if name.casefold().startswith(one.casefold())), "normal")
        videos.append(
            FoundVideo(
                path, path.relative_to(root).as_posix(), label=label, frame_spans=times.get(name, []), split=split,
                split_by="official", captions=captions.get(name, []), published_as=f"ucf_crime/{name.casefold()}",
            )
        )  # fmt: skip
    parts = [
        Part("training videos", sum(video.split == "train" for video in videos), 1610),
        Part("test videos", sum(video.split == "test" for video in videos), 290),
        Part("lines of Anomaly_Train.txt", len(trained), 1610),
        Part("lines of Anomaly_Test.txt", len(tested), 290),
        Part("lines of temporal annotation", len(times), 290),
        Part("videos with UCA captions", len(captions), 1854, optional=True),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _videos(root: Path, notes: list[Rejection]) -> dict[str, Path]:
    """Every video by its name."""
    found: dict[str, Path] = {}
    repeated: list[Path] = []
    for folder, names in walk(root):
        for path in (folder / name for name in names):
            if not is_video_file(path):
                continue
            if not _NAME.fullmatch(path.stem):
                notes.append(note(path.name, f"{path} is not named like a video of {TITLE} and is left out; rename it."))
            elif folder.name.casefold() in _EVENT_RECOGNITION:
                repeated.append(path)
            elif path.stem in found:
                notes.append(note(path.name, f"{path} has the same name as {found[path.stem]}, which is used; remove one."))
            else:
                found[path.stem] = path
    for path in repeated:
        found.setdefault(path.stem, path)
    return found


def _first(root: Path, pattern: str) -> Path | None:
    return next(iter(files_named(root, pattern)), None)


def _split(name: str, train: set[str], test: set[str]) -> Split | Literal["unlisted"] | None:
    """The official split of a video; None where nothing says anything. Where one list is not there, the other tells both."""
    if name in test:
        return "test"
    if name in train:
        return "train"
    if train and test:
        return "unlisted"
    return "train" if test else "test" if train else None


def read_times(path: Path, notes: list[Rejection]) -> dict[str, list[tuple[int, int]]]:
    """The spans of frames of each video that the temporal annotation lists; none for a normal one.

    A line reads `name class start end start end`, with -1 for "no such anomaly".
    """
    try:
        lines = read_lines(path)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then the times of anomalies are unknown."))
        return {}
    times: dict[str, list[tuple[int, int]]] = {}
    for line in lines:
        name, *cells = line.split()
        name = Path(name).stem
        if not _NAME.fullmatch(name):
            notes.append(note(name, f"{path} has the line {line!r}, which begins with no video of {TITLE}; mend the line."))
            continue
        try:
            numbers = [int(cell) for cell in cells[1:]]
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        except ValueError:
            notes.append(note(name, f"{path} has the line {line!r}, which is no class with pairs of frames; mend the line."))
            continue
        if name in times:
            notes.append(note(name, f"{path} has {name} twice and the first line is used; remove the other."))
            continue
        times[name] = [pair for pair in pairs if pair != (-1, -1)]
    return times


def _uca_files(uca: Path | None, root: Path) -> list[Path]:
    if uca is not None and not uca.exists():
        msg = f"{uca} does not exist; set `ingest.ucf_crime.uca` to the folder of UCA's JSON files, or to null."
        raise SourceError(msg)
    if uca is not None and uca.is_file():
        return [uca]
    return files_named(uca or root, r"UCFCrime_(Train|Val|Test)\.json")


def read_captions(files: Sequence[Path], notes: list[Rejection]) -> dict[str, list[TimedText]]:
    """UCA's sentences by video; times are seconds of the whole video.

    The files hold `{video: {"duration": s, "timestamps": [[s, s], …], "sentences": [text, …]}}`.
    """
    captions: dict[str, list[TimedText]] = {}
    for file in files:
        try:
            told = read_json(file, notes)
        except SourceError as error:
            notes.append(note(file.name, f"{error} Until then its captions are left out."))
            continue
        if not isinstance(told, dict):
            notes.append(note(file.name, f"{file} holds a {type(told).__name__} instead of videos by name; replace the file."))
            continue
        for name, said in told.items():
            if name in captions:
                notes.append(note(name, f"{file} describes {name} once more and the first description is used; remove one."))
            else:
                captions[name] = _sentences(file, name, said, notes)
    return captions


def _sentences(file: Path, name: str, said: Any, notes: list[Rejection]) -> list[TimedText]:
    try:
        times, sentences = list(said["timestamps"]), list(said["sentences"])
    except (KeyError, TypeError):
        notes.append(note(name, f"{name} in {file} has no `timestamps` and `sentences`; mend it."))
        return []
    if len(times) != len(sentences):
        what = f"{len(times)} times, but {len(sentences)} sentences; those that have both are used. Mend it."
        notes.append(note(name, f"{name} in {file} has {what}"))
    texts = []
    for number, (pair, sentence) in enumerate(zip(times, sentences, strict=False)):
        try:
            start_s, end_s = map(float, pair)
            texts.append(TimedText(start_s, end_s, str(sentence).strip()))
        except (TypeError, ValueError):
            notes.append(note(name, f"Time {number} of {name} in {file} is {pair!r} instead of two numbers; mend it."))
    return texts

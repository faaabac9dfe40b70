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
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from hawk_pipelines.schema import Rejection, Split
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, TimedText, each_once, note, note_others, some
from hawk_pipelines.sources.text_files import Listed, note_absent, read_lines, read_object, read_splits, stem, unsafe
from hawk_pipelines.sources.tree import dataset_folder, files_in, files_named, folders_in, is_file, is_video_file, walk

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
_LISTED_NAME = re.compile(rf"(?<![^\W_])(?:{'|'.join(CLASSES)}|Normal_Videos_)[0-9]{{3}}_x264(?![^\W_])", re.IGNORECASE)
"""A test video's name as the official files write it, not run together with other letters or digits."""
_MAYBE_VIDEO = re.compile(
    rf"x26|[0-9]{{3}}|(?:{'|'.join(CLASSES)}|Normal_Videos)_?[0-9]|\w\.mp4$|^(?:{'|'.join(CLASSES)}|\w*Normal_Videos\w*)[\\/]",
    re.IGNORECASE,
)
"""What a line of an official file holds that may be about a video, unlike a heading."""
_SPLITS = r"Anomaly_(Train|Test)\.txt"
_TIMES = r"Temporal_Anomaly_Annotation.*\.txt"
_UCA = r"UCFCrime_(Train|Val|Test)\.json"
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
    if any(_is_video(file) for file in files_in(folder)) or files_named(files_in(folder), f"{_SPLITS}|{_TIMES}"):
        return True
    classes = {name.casefold() for name in CLASSES} | {"training_normal_videos_anomaly", "testing_normal_videos_anomaly"}
    named = [inside for place in (folder, folder / "Videos") for inside in folders_in(place) if inside.name.casefold() in classes]
    return any(_is_video(file) for inside in named for file in files_in(inside))


def read(parameters: Parameters) -> Reading:
    """Find the videos, their classes, the official split, the times of anomalies, and UCA's captions.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    root = dataset_folder(parameters.path, "ingest.ucf_crime.path", TITLE, looks_like, SIGNS, together=True)
    files = [folder / name for folder, names in walk(root) for name in names]
    notes: list[Rejection] = []
    paths = _videos(files, notes)
    times: dict[str, list[tuple[int, int]]] = {}
    times_files = files_named(files, _TIMES)
    has_gaps = not times_files
    for file in times_files:
        told, is_whole = read_times(file, notes)
        has_gaps |= not is_whole or any(not _LISTED_NAME.fullmatch(name) for name in told.keys() - paths.keys())
        note_absent(Listed(file, list(told)), paths, root, notes)
        times |= {name: spans for name, spans in told.items() if name not in times}
    lists: dict[Split, list[Path]] = {
        "train": files_named(files, r"Anomaly_Train\.txt"),
        "test": files_named(files, r"Anomaly_Test\.txt"),
    }
    splits, doubtful, unread = read_splits(lists, paths, root, notes)
    listed = Counter(splits.values())
    if not listed["test"]:
        both = [name for name in times if splits.get(name) == "train"]
        if both:
            what = f"Anomaly_Train.txt names {len(both):,} video(s) whose times are those of test videos ({some(both)})"
            notes.append(note(both[0], f"{what}; they are tested on. Remove them from the list."))
        splits |= dict.fromkeys(times, "test")
    splits |= {name: "test" for name in times if name not in splits}
    captions = read_captions(_uca_files(parameters.uca, files), notes)
    other_half = _other_half(set(splits.values()))
    garbled = _garbled_lines(lists["test"], paths)
    if lists["test"] and not any(file in lists["test"] for file in unread):
        has_gaps = False  # the list alone tells who is tested on
    if other_half == "train" and (has_gaps or garbled):
        other_half = None  # what could not be read may be a test video
        for file, line in garbled:
            what = f"{file} has the line {line!r}, which may mean any video that no other line names"
            notes.append(note(file.name, f"{what}; so those videos are left out of training. Mend the line."))
    is_split = bool(splits or times_files or any(lists.values()))
    videos = []
    for name, path in paths.items():
        split = splits.get(name)
        if split is None and name in doubtful:
            what = f"{doubtful[name]}, which seems to mean {path}, and no other line says on which side it is"
            notes.append(note(path.name, f"{what}; the video is left out. Mend the line."))
            continue
        split = split or other_half
        if split is None and is_split:
            notes.append(note(path.name, f"{path} is in neither official split list and is left out; add it to one to use it."))
            continue
        label = next((one for one in CLASSES if name.startswith(one.casefold())), "normal")
        videos.append(
            FoundVideo(
                path, path.relative_to(root).as_posix(), label=label, frame_spans=times.get(name, []), split=split,
                split_by="official", captions=captions.get(name, []), published_as=f"ucf_crime/{name}",
            )
        )  # fmt: skip
    parts = [
        Part("training videos", sum(video.split == "train" for video in videos), 1610),
        Part("test videos", sum(video.split == "test" for video in videos), 290),
        Part("lines of Anomaly_Train.txt", listed["train"], 1610),
        Part("lines of Anomaly_Test.txt", listed["test"], 290),
        Part("lines of temporal annotation", len(times), 290),
        Part("videos with UCA captions", sum(bool(video.captions) for video in videos), 1854, optional=True),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _is_video(path: Path) -> bool:
    return is_video_file(path) and _NAME.fullmatch(path.stem) is not None


def _videos(files: Sequence[Path], notes: list[Rejection]) -> dict[str, Path]:
    """Every video by its name in small letters."""
    named = [path for path in files if _is_video(path)]
    note_others([path for path in files if is_video_file(path) and not _is_video(path)], TITLE, notes)
    repeated = [path for path in named if path.parent.name.casefold() in _EVENT_RECOGNITION]
    found = each_once([path for path in named if path not in repeated], lambda path: path.stem.casefold(), notes)
    return {path.stem.casefold(): path for path in repeated} | found


def _garbled_lines(files: Sequence[Path], known: Collection[str]) -> list[tuple[Path, str]]:
    """Lines of test lists that may be about a video, but hold no name of one, each with its list.

    Args:
        files: the lists; what is no text has no lines.
        known: the names of the videos that are there, in small letters.
    """
    garbled = []
    for file in files:
        with suppress(SourceError):  # said already, where the lists were read
            lines = [line for line in read_lines(file) if stem(line).casefold() not in known]
            garbled += [(file, line) for line in lines if _MAYBE_VIDEO.search(line) and not _LISTED_NAME.search(line)]
    return garbled


def _other_half(known: set[Split]) -> Split | None:
    """Where only one half is known, every other video is in the other half."""
    if known == {"train"}:
        return "test"
    return "train" if known == {"test"} else None


class Times(NamedTuple):
    """What a temporal annotation lists, by the video's name in small letters."""

    spans: dict[str, list[tuple[int, int]]]
    """Spans of frames; none for a normal video, and none where they cannot be read."""
    is_whole: bool
    """Whether every line that may be about a video says which."""


def read_times(path: Path, notes: list[Rejection]) -> Times:
    """The spans of frames of each video that the temporal annotation lists.

    A line reads `name class start end start end`, with -1 for "no such anomaly". Without usable times it still lists its video.
    """
    try:
        lines = read_lines(path)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then the times of anomalies are unknown."))
        return Times({}, is_whole=False)
    if not lines:
        notes.append(note(path.name, f"{path} is empty, so the times of anomalies are unknown; extract it again, or remove it."))
    times: dict[str, list[tuple[int, int]]] = {}
    is_whole = bool(lines)
    for line in lines:
        name, *cells = line.split()
        reason = unsafe(name)
        name = stem(name).casefold()
        if reason or not _NAME.fullmatch(name):
            what = f"{path} has the line {line!r}, which " + (reason or f"begins with no video of {TITLE}")
            meant = list(dict.fromkeys(found[0].casefold() for found in _NAME.finditer(line)))
            notes.append(note(meant[0] if len(meant) == 1 else name, f"{what}; mend the line."))
            if len(meant) == 1:
                times.setdefault(meant[0], [])
            is_whole &= len(meant) == 1 or not _MAYBE_VIDEO.search(line)
            continue
        numbers = [int(cell) for cell in cells[1:] if re.fullmatch("-?[0-9]{1,9}", cell)]
        if len(numbers) != len(cells) - 1 or len(numbers) % 2 or not numbers:
            what = f"{path} has the line {line!r}, which is no class with pairs of frames"
            notes.append(note(name, f"{what}, so the times of its anomalies are unknown; mend the line."))
            times.setdefault(name, [])
            continue
        if name in times:
            notes.append(note(name, f"{path} has {name} twice and the first line is used; remove the other."))
            continue
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        times[name] = [pair for pair in pairs if pair != (-1, -1)]
        if name.startswith("normal") == bool(times[name]):
            what = "gives times of an anomaly in a normal video" if times[name] else "gives no time of an anomaly"
            notes.append(note(name, f"{path} has the line {line!r}, which {what}; mend the line."))
    return Times(times, is_whole)


def _uca_files(uca: Path | None, files: Sequence[Path]) -> list[Path]:
    if uca is None:
        return files_named(files, _UCA)
    found = [uca] if is_file(uca) else files_named([folder / name for folder, names in walk(uca) for name in names], _UCA)
    if not found:
        msg = f"{uca} holds no UCFCrime_Train.json, UCFCrime_Val.json or UCFCrime_Test.json; "
        msg += "set `ingest.ucf_crime.uca` to their folder, or to null."
        raise SourceError(msg)
    return found


def read_captions(files: Sequence[Path], notes: list[Rejection]) -> dict[str, list[TimedText]]:
    """UCA's sentences by the video's name in small letters; times are seconds of the whole video.

    The files hold `{video: {"duration": s, "timestamps": [[s, s], …], "sentences": [text, …]}}`.
    """
    captions: dict[str, list[TimedText]] = {}
    for file in files:
        for name, said in read_object(file, "videos by name", notes).items():
            video = stem(name).casefold()
            if not _NAME.fullmatch(video):
                notes.append(note(name, f"{file} speaks of {name}, which is not named like a video of {TITLE}; mend it."))
                continue
            texts = _sentences(file, name, said, notes)
            if captions.setdefault(video, texts) != texts:
                notes.append(note(name, f"{file} describes {name} otherwise than another file, which is used; remove one."))
    return captions


def _sentences(file: Path, name: str, said: Any, notes: list[Rejection]) -> list[TimedText]:
    times, sentences = (said.get(key) if isinstance(said, dict) else None for key in ("timestamps", "sentences"))
    if not isinstance(times, list) or not isinstance(sentences, list):
        notes.append(note(name, f"{name} in {file} has no lists of `timestamps` and `sentences`; mend it."))
        return []
    if len(times) != len(sentences):
        what = f"{len(times)} times, but {len(sentences)} sentences; those that have both are used. Mend it."
        notes.append(note(name, f"{name} in {file} has {what}"))
    texts = []
    for number, (pair, sentence) in enumerate(zip(times, sentences, strict=False)):
        try:
            start_s, end_s = map(float, pair)
        except (TypeError, ValueError, OverflowError):
            notes.append(note(name, f"Time {number} of {name} in {file} is {str(pair)[:40]!r} instead of two numbers; mend it."))
            continue
        if not isinstance(sentence, str) or not sentence.strip():
            notes.append(
                note(name, f"Sentence {number} of {name} in {file} is {str(sentence)[:40]!r} instead of a text; mend it.")
            )
            continue
        texts.append(TimedText(start_s, end_s, sentence.strip()))
    return texts

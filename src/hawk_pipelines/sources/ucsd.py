"""What UCSD Ped1 and Ped2 have in common (Mahadevan et al., CVPR 2010): clips as folders of pictures, 10 a second.

    UCSDped1/Train/Train001/001.tif          normal
    UCSDped1/Test/Test001/001.tif
    UCSDped1/Test/Test001_gt/001.bmp         masks, only of some clips
    UCSDped1/Test/UCSDped1.m                 `TestVideoFile{end+1}.gt_frame = [60:152];` for each test clip: first and last
                                             anomalous frame, counted from 1

The list of frames is used where there is one, the masks otherwise. What kind of anomaly it is, the data set does not say.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.schema import ANOMALY, Rejection, Split
from hawk_pipelines.sources.frame_labels import merged
from hawk_pipelines.sources.reading import FoundVideo, Part, Reading, SourceError, note
from hawk_pipelines.sources.text_files import read_lines
from hawk_pipelines.sources.tree import dataset_folder, folders_in, holds_pictures, is_file

LICENCE = (
    "UCSD Anomaly Detection Dataset: offered for research; we know of no stated licence, so ask its authors about other uses."
)
PICTURES_FPS = 10.0


class Sizes(NamedTuple):
    """How many of everything the published data set has."""

    train: int
    test: int
    masks: int


def looks_like(folder: Path, which: str) -> bool:
    """Whether a folder is that of `which` (`ped1` or `ped2`), or of the archive with it."""
    return any(_holds_clips(place, which) for place in (folder, folder / f"UCSD{which}"))


def _holds_clips(folder: Path, which: str) -> bool:
    """Told by the folder's name or by the list of frames, and by a clip."""
    named = which in folder.name.casefold() or is_file(folder / "Test" / f"UCSD{which}.m")
    clips = [clip.name for half in ("Train", "Test") for clip in folders_in(folder / half)]
    return named and any(re.fullmatch(r"(Train|Test)[0-9]{3}", name) for name in clips)


def read(path: Path, which: str, sizes: Sizes) -> Reading:
    """Find both halves, and what is labelled in each test clip.

    Args:
        path: the folder of this data set, of its archive, or above.
        which: `ped1` or `ped2`.
        sizes: of the published data set.

    Raises:
        SourceError: the folder is missing or holds something else.
    """
    title, signs = f"UCSD {which.capitalize()}", f"UCSD{which}/Train/Train001, UCSD{which}/Test/Test001"
    root = dataset_folder(path, f"ingest.ucsd_{which}.path", title, lambda folder: looks_like(folder, which), signs)
    root = root if _holds_clips(root, which) else root / f"UCSD{which}"
    notes: list[Rejection] = []
    trained, tested = _clips(root / "Train", "Train", notes), _clips(root / "Test", "Test", notes)
    listed = _listed_frames(root / "Test" / f"UCSD{which}.m", list(tested), notes)
    masks = {int(clip.name[4:7]): clip for clip in folders_in(root / "Test") if re.fullmatch(r"Test[0-9]{3}_gt", clip.name)}
    videos = [_found(clip, root, which, "train", number, "normal") for number, clip in trained.items()]
    for number, clip in tested.items():
        spans = listed.get(number)
        if spans is None and number not in masks:
            reason = f"{clip} has labels neither in UCSD{which}.m nor as masks: whether it is normal is unknown; extract them."
            notes.append(note(clip.name, reason))
        label = None if spans is None else ANOMALY if spans else "normal"
        of_clip = (masks[number],) if number in masks else ()
        videos.append(_found(clip, root, which, "test", number, label, spans, of_clip))
    notes += [
        note(masks[number].name, f"{masks[number]} holds masks of a clip that is not there; extract the clip too.")
        for number in sorted(masks.keys() - tested.keys())
    ]
    parts = [
        Part("training clips", len(trained), sizes.train),
        Part("test clips", len(tested), sizes.test),
        Part(f"test clips labelled by UCSD{which}.m", sum(spans is not None for spans in listed.values()), sizes.test),
        Part("test clips with masks", len(masks), sizes.masks, optional=True),
    ]
    return Reading(videos, notes, LICENCE, parts)


def _found(
    clip: Path,
    root: Path,
    which: str,
    split: Split,
    number: int,
    label: str | None,
    spans: list[tuple[int, int]] | None = None,
    masks: tuple[Path, ...] = (),
) -> FoundVideo:
    return FoundVideo(
        clip,
        clip.relative_to(root).as_posix(),
        label=label,
        frame_spans=spans or [],
        masks=masks,
        first_picture=1,
        pictures_fps=PICTURES_FPS,
        split=split,
        split_by="official",
        published_as=f"ucsd_{which}/{split}/{number}",
    )


def _clips(half: Path, prefix: str, notes: list[Rejection]) -> dict[int, Path]:
    clips = {}
    for clip in folders_in(half):
        if re.fullmatch(rf"{prefix}[0-9]{{3}}", clip.name):
            if holds_pictures(clip):
                clips[int(clip.name[-3:])] = clip
            else:
                notes.append(note(clip.name, f"{clip} holds no pictures; extract it again."))
    return clips


def _listed_frames(path: Path, numbers: list[int], notes: list[Rejection]) -> dict[int, list[tuple[int, int]] | None]:
    """Anomalous frames by the number of the test clip; None where they cannot be read.

    The k-th entry is about the k-th clip; where the numbers of both differ, because not all clips were extracted, about clip k.
    """
    if not is_file(path):
        return {}
    try:
        spans = read_frame_list(path, notes)
    except SourceError as error:
        notes.append(note(path.name, f"{error} Until then masks are used."))
        return {}
    if len(spans) == len(numbers):
        return dict(zip(numbers, spans, strict=True))
    what = f"{path} labels {len(spans)} clips, but there are {len(numbers)}; its entry k is taken for clip k."
    notes.append(note(path.name, f"{what} Extract the whole archive."))
    return {number: spans[number - 1] for number in numbers if number <= len(spans)}


def read_frame_list(path: Path, notes: list[Rejection]) -> list[list[tuple[int, int]] | None]:
    """The spans of each `gt_frame` in a MATLAB script, half-open and zero-based. The script is read, not run.

    An entry that cannot be read is None and keeps its place, so that those after it keep theirs.

    Raises:
        SourceError: it is no text.
    """
    script = "\n".join(line.partition("%")[0] for line in read_lines(path))
    entries: list[list[tuple[int, int]] | None] = []
    for found in _assignments(script):
        if found is None:
            what = f"Entry {len(entries) + 1} of {path} has no `gt_frame = […]`"
            notes.append(note(path.name, f"{what}; the clip's masks are used, if there are any. Mend the entry."))
            entries.append(None)
            continue
        said = (found[1] if found[1] is not None else found[2]).strip()
        pieces = re.sub(r"\s*:\s*", ":", said.replace("...", " ")).replace(",", " ").split()
        readable = all(re.fullmatch("[0-9]{1,9}(:[0-9]{1,9})?", piece) for piece in pieces) and (pieces or found[1] is not None)
        ends = [piece.split(":") for piece in pieces] if readable else []
        spans = [(int(end[0]) - 1, int(end[-1])) for end in ends]
        forwards = [span for span in spans if 0 <= span[0] < span[1]]
        if not readable or (spans and not forwards):
            fault = "no stretch of time" if readable else "no numbers"
            what = f"Entry {len(entries) + 1} of {path} names the frames {said[:40]!r}, which are {fault}"
            notes.append(note(path.name, f"{what}; the clip's masks are used, if there are any. Mend the entry."))
            entries.append(None)
            continue
        entries.append(merged(forwards) + [span for span in spans if span not in forwards])
    return entries


def _assignments(script: str) -> Iterator[re.Match[str] | None]:
    """The frames of each entry as they stand there; None for an entry without, which is one all the same."""
    before, *entries = re.split(r"TestVideoFile\s*\{", script)
    frames = re.compile(r"gt_frame\s*=\s*(?:\[([^\]]*)\]|([^;\n]*))")
    yield from frames.finditer(before)
    for entry in entries:
        assignments: list[re.Match[str] | None] = list(frames.finditer(entry))
        yield from assignments or [None]

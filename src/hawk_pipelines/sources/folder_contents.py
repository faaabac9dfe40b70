"""What a folder of videos holds: its videos, the tables of captions, and every file that is used for neither, with its reason."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hawk_pipelines.schema import Rejection
from hawk_pipelines.sources.links import leading_out_of
from hawk_pipelines.sources.reading import note, some
from hawk_pipelines.sources.tree import ARCHIVES, is_video_file, walk
from hawk_pipelines.video.pictures import EXTENSIONS as PICTURES
from hawk_pipelines.video.pictures import is_numbered_picture

PROXIES = {".lrv", ".lrf"}
"""Small copies of a recording that cameras (GoPro, DJI) write beside it."""
_TABLE = re.compile(r"captions?(\.(csv|tsv|txt|tab|xls|xlsx|xlsm|ods|numbers))+")
_SIDECARS = {
    ".txt", ".md", ".rst", ".pdf", ".doc", ".docx", ".odt", ".rtf", ".html", ".htm", ".log", ".nfo", ".url", ".tex", ".bib",
    ".json", ".jsonl", ".xml", ".csv", ".tsv", ".tab", ".xls", ".xlsx", ".xlsm", ".ods", ".yml", ".yaml", ".toml", ".ini", ".cfg",
    ".srt", ".vtt", ".ass", ".ssa", ".lrc", ".gpx", ".kml", ".geojson", ".py", ".ipynb", ".sh", ".bat", ".m", ".mat",
    ".npy", ".npz", ".pkl", ".pt", ".pth", ".h5", ".hdf5", ".parquet", ".safetensors", ".sqlite", ".db", ".dvc", ".md5",
    ".webp", ".heic", ".heif", ".avif", ".svg", ".ico", ".psd", ".thm", ".mp3", ".wav", ".flac", ".aac", ".m4a", ".wma", ".opus",
    ".m4b", ".mka", ".mks", ".oga",
}  # fmt: skip
"""Endings of files that are no videos and are not looked into: texts, tables, subtitles, arrays, pictures, sound."""
_TEXT_NAMES = {"readme", "license", "licence", "copying", "notice", "authors", "changelog", "makefile", "dockerfile"}
_KNOWN_KINDS = _SIDECARS | PICTURES | ARCHIVES
_BEGINNING = 512
"""Bytes of a file of unknown ending that are looked at: enough for three packets of a transport stream."""
_SHOWN_KINDS = 12


class FolderContents(NamedTuple):
    """What is used of a folder, and what is said of the rest."""

    videos: list[Path]
    """Files and folders of numbered pictures, in order."""
    tables: list[Path]
    """Files right in the folder whose names are like `captions.csv`."""
    notes: list[Rejection]


def read_contents(root: Path) -> FolderContents:
    """Find the videos below a folder, and account for every other file.

    Files whose name ends like a video's, folders that hold numbered pictures or are named like a video, and files of an unknown
    ending, or of none, that begin like a video. Only those last are opened, and only their first bytes are read.
    """
    videos: list[Path] = []
    tables: list[Path] = []
    litter: list[Path] = []
    others: list[Path] = []
    incomplete: list[Path] = []
    special: list[Path] = []
    for folder, names in walk(root, litter=litter, special=special):
        pictures = {name for name in names if is_numbered_picture(name)}
        special_pictures = [path for path in special if path.parent == folder and is_numbered_picture(path.name)]
        if folder != root and (special_pictures or any(map(is_numbered_picture, leading_out_of(folder)))):
            incomplete += [] if special_pictures else [folder]  # a folder without some of its pictures is another video
            names = [name for name in names if name not in pictures]
        elif folder != root and (pictures or (is_video_file(folder) and not leading_out_of(folder))):
            videos.append(folder)
            names = [name for name in names if name not in pictures]
        videos += [folder / name for name in names if is_video_file(Path(name))]
        files = [folder / name for name in names if not is_video_file(Path(name))]
        tables += [path for path in files if folder == root and _is_named_like_table(path)]
        others += [path for path in files if path not in tables]
    unknown = [path for path in others if not _is_known_kind(path)]
    begun = {path for path in unknown if _begins_like_video(path)}
    videos, proxies = _without_proxies(sorted([*videos, *begun]))
    notes = [
        *_note_incomplete(incomplete, root),
        *_note_special(special, root),
        *_note_proxies(proxies, root),
        *_note_files(root, others, unknown, begun, litter),
    ]
    return FolderContents(videos, sorted(tables), notes)


def _is_named_like_table(path: Path) -> bool:
    return _TABLE.fullmatch(unicodedata.normalize("NFC", path.name).casefold()) is not None


def _is_known_kind(path: Path) -> bool:
    return path.suffix.casefold() in _KNOWN_KINDS or path.name.casefold() in _TEXT_NAMES


def _without_proxies(videos: Sequence[Path]) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """The videos without small copies of others, and each such copy with the recording that it is a copy of.

    GoPro calls the copy of GH010001.MP4 or GX010001.MP4 GL010001.LRV, in older cameras GOPR0001.LRV like the recording.
    """
    recordings = {
        (path.parent, path.stem.casefold()): path for path in videos if path.suffix.casefold() in (".mp4", ".mov", ".360")
    }
    kept, proxies = [], []
    for path in videos:
        stem = path.stem.casefold()
        stems = [stem, *(stem.replace("gl", full, 1) for full in ("gh", "gx", "gs") if stem.startswith("gl"))]
        recording = next((recordings[key] for name in stems if (key := (path.parent, name)) in recordings), None)
        if path.suffix.casefold() in PROXIES and recording:
            proxies.append((path, recording))
        else:
            kept.append(path)
    return kept, proxies


def _begins_like_video(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_BEGINNING)
    except OSError:  # listed among what is left out; `hawk probe` says why
        return False
    return any(test(head) for test in _BEGINNINGS)


def _is_base_media(head: bytes) -> bool:
    """MP4, QuickTime, 3GP and their kin, but no picture (HEIC, AVIF) and no sound (M4A)."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"M4A ", b"M4B ", b"crx ")
    return head[4:8] in (b"moov", b"mdat", b"wide") or (head[4:8] in (b"free", b"skip") and head[:2] == b"\0\0")


def _is_transport_stream(head: bytes) -> bool:
    """Packets of 188 bytes, or of 192 with a time before each (M2TS), or of 204."""
    places = [range(start, _BEGINNING, size)[:3] for start, size in ((0, 188), (4, 192), (0, 204))]
    return any(len(head) > max(starts) and all(head[start] == 0x47 for start in starts) for starts in places)


_BEGINNINGS: tuple[Callable[[bytes], bool], ...] = (
    _is_base_media,
    _is_transport_stream,
    lambda head: head[:4] == b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ",
    lambda head: head[:8] == b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    lambda head: head[:4] in (b"FLV\x01", b"DHAV", b"DKIF", b"HXVS", b"HXVF"),
    lambda head: head[:4] in (b"\0\0\1\xba", b"\0\0\1\xb3"),  # MPEG programme stream and video
    lambda head: (
        re.match(rb"\x00?\x00\x00\x01[\x67\x27\x47\x06\x09\x40\x46]", head) is not None
    ),  # H.264 and H.265: parameters, delimiters
    lambda head: head[:8] == b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
    lambda head: head[:4] == b"OggS" and any(codec in head for codec in (b"theora", b"OVP80", b"dirac")),
    lambda head: head[:9] == b"YUV4MPEG2" or head[:6] in (b"GIF87a", b"GIF89a"),
    lambda head: head[:24] == b"nut/multimedia container",
    lambda head: head[:8] == b"\xb7\xd8\x00\x20\x37\x49\xda\x11",  # WTV
    lambda head: head[:4] in (b"\x1f\x07\x00\x3f", b"\x1f\x07\x00\xbf"),  # DV
)


def _note_incomplete(folders: Sequence[Path], root: Path) -> list[Rejection]:
    names = _names(folders, root)
    what = (
        "folder(s) of pictures hold links that lead out of the source's folder, and without those pictures they are other videos"
    )
    return [note(names[0], f"{len(names):,} {what}; they are left out ({some(names)}).")] if names else []


def _note_special(paths: Sequence[Path], root: Path) -> list[Rejection]:
    names = _names(paths, root)
    what = "is no regular file, but a pipe, a socket or a device, and is left out (among numbered pictures, with their folder)"
    return [note(name, f"{root / name} {what}; remove it, or put a file in its place.") for name in names]


def _note_proxies(proxies: Sequence[tuple[Path, Path]], root: Path) -> list[Rejection]:
    if not proxies:
        return []
    examples = some([f"{_name(path, root)} of {recording.name}" for path, recording in proxies])
    what = f"{len(proxies):,} file(s) are a camera's small copies of recordings beside them ({examples})"
    return [note(_name(proxies[0][0], root), f"{what}; the recordings are used instead.")]


def _note_files(
    root: Path, others: Sequence[Path], unknown: Sequence[Path], begun: set[Path], litter: Sequence[Path]
) -> list[Rejection]:
    """One line for each reason for which files are left out."""
    notes = []
    archives = _names([path for path in others if path.suffix.casefold() in ARCHIVES], root)
    if archives:
        what = f"{len(archives):,} archive(s) are left out ({some(archives)}); extract them if they hold videos."
        notes.append(note(archives[0], what))
    nested = [
        path for path in others if _is_named_like_table(path) and path.name.casefold() not in ("caption.txt", "captions.txt")
    ]
    if nested:
        names = _names(nested, root)
        what = f"{len(names):,} table(s) of captions below {root} are not read ({some(names)}), since only one right in it is"
        notes.append(note(names[0], f"{what}; put their rows into {root / 'captions.csv'}."))
    loose = [path for path in others if path.parent == root and is_numbered_picture(path.name)]
    if loose:
        what = f"{len(loose):,} numbered pictures lie right in {root} ({some(_names(loose, root))}) and are left out"
        notes.append(note(loose[0].name, f"{what}; put the pictures of each video into a folder of its own."))
    strange = _names([path for path in unknown if path not in begun], root)
    if strange:
        what = (
            f"{len(strange):,} file(s) neither end nor begin like a video that is known here and are left out ({some(strange)})"
        )
        notes.append(note(strange[0], f"{what}; `hawk probe FILE` says what one is."))
    named = {*nested, *loose}
    rest = [path for path in others if _is_known_kind(path) and path.suffix.casefold() not in ARCHIVES and path not in named]
    kinds = Counter(path.suffix.casefold() or path.name for path in rest) + Counter(map(_litter_kind, litter))
    if kinds:
        counts = [f"{count:,} {kind}" for kind, count in kinds.most_common(_SHOWN_KINDS)]
        names = _names([*rest, *litter], root)
        what = f"{kinds.total():,} file(s) are taken for no videos and are not used: {', '.join(counts)}"
        notes.append(note(names[0], f"{what}{', …' if len(kinds) > len(counts) else ''} ({some(names)})."))
    return notes


def _litter_kind(path: Path) -> str:
    if path.name.startswith("."):
        return "hidden"
    return "backups (*~)" if path.name.endswith("~") else path.name


def _names(paths: Sequence[Path], root: Path) -> list[str]:
    return [_name(path, root) for path in paths]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()

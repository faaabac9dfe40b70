"""Where pretrained parts lie: on the model hub, in a folder, or inside an installed package; and which bytes they are."""

import hashlib
import importlib.util
import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from hawk_pipelines.model.errors import CheckpointError

if TYPE_CHECKING:
    from hawk_pipelines.model.settings import LanguageModelSettings

logger = logging.getLogger(__name__)

PACKAGE = "package:"
INDEX = "model.safetensors.index.json"
DESCRIPTIONS = ("*.json", "*.model", "*.txt", "*.jinja")
EVERYTHING = ("*.safetensors", *DESCRIPTIONS)


def locate(source: str, revision: str | None = None, patterns: Sequence[str] = EVERYTHING) -> Path:
    """The file or folder on this machine that a source names; a hub id is downloaded first, if it is not in the cache.

    Args:
        source: a path, `package:NAME/PATH` inside an installed package (which is not imported), or a hub id.
        revision: branch, tag or commit of a hub id.
        patterns: which files of a hub id are wanted.

    Raises:
        CheckpointError: it is nowhere.
    """
    if source.startswith(PACKAGE):
        return _inside_package(source.removeprefix(PACKAGE))
    if Path(source).exists():
        return Path(source)
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(patterns)))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        msg = (
            f"{source} is no file or folder here, and the model hub did not give it ({_first_sentence(error)}). "
            f"Name a folder, or download it first: `HF_HUB_OFFLINE=0 .venv/bin/hf download {source}`."
        )
        raise CheckpointError(msg) from error


def _inside_package(path: str) -> Path:
    name, _, inner = path.partition("/")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # of something that is no package
        spec = None
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    inside = [place / inner for place in places if (place / inner).resolve().is_relative_to(place.resolve())]
    found = next((path for path in inside if path.exists()), None)
    if found is None:
        what = f"has no {inner}" if places else "is not installed"
        msg = f"The package {name} {what}; install what conf/smol needs with `make setup`, or name another source."
        raise CheckpointError(msg)
    return found


def _first_sentence(error: Exception) -> str:
    return " ".join(str(error).split()).split(". ")[0].rstrip(".")[:200]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that a folder's model is made of, in order.

    Raises:
        CheckpointError: there is none.
    """
    if (folder / INDEX).is_file():
        files = [folder / name for name in sorted(set(shards_of(folder / INDEX).values()))]
    elif (folder / "model.safetensors").is_file():
        files = [folder / "model.safetensors"]
    else:
        files = sorted(folder.glob("*.safetensors"))
    missing = [file.name for file in files if not file.is_file()]
    if not files or missing:
        what = f"lacks {', '.join(missing)}" if missing else "holds no safetensors file"
        msg = f"{folder} {what}; pickled weights are not read: save the model with `save_pretrained`, or take another revision."
        raise CheckpointError(msg)
    return files


def shards_of(index: Path) -> dict[str, str]:
    """Which file beside an index holds which weight.

    Raises:
        CheckpointError: the index is damaged.
    """
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {str(name): Path(shard).name for name, shard in places.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{index} is damaged ({error}); download it again."
        raise CheckpointError(msg) from error


def sha256(files: Sequence[Path]) -> str:
    """One hash over the content of all files in order: 64 hexadecimal digits."""
    total = hashlib.sha256()
    for file in files:
        total.update(bytes.fromhex(_file_sha256(file, file.stat().st_size, file.stat().st_mtime_ns)))
    return total.hexdigest()


def language_model_sha256(settings: "LanguageModelSettings") -> str:
    """Over the weight files of a pretrained language model.

    Raises:
        CheckpointError: they are missing.
    """
    folder = language_model_folder(settings)
    return sha256([folder / settings.gguf_file] if settings.gguf_file else weight_files(folder))


def language_model_folder(settings: "LanguageModelSettings") -> Path:
    """Where the files of a pretrained language model lie on this machine.

    Raises:
        CheckpointError: it has no source, or they are missing.
    """
    if settings.source is None:
        msg = "The tiny decoder is made from its settings, not loaded; `model.language_model.source` is null."
        raise CheckpointError(msg)
    wanted = [settings.gguf_file, *DESCRIPTIONS] if settings.gguf_file else EVERYTHING
    folder = locate(settings.source, settings.revision, wanted)
    if settings.gguf_file and not (folder / settings.gguf_file).is_file():
        msg = f"{settings.source} holds no file {settings.gguf_file}; mend `model.language_model.gguf_file`."
        raise CheckpointError(msg)
    return folder


@lru_cache(maxsize=256)
def _file_sha256(file: Path, size: int, changed_ns: int) -> str:
    if size > 1 << 30:
        logger.info("Hashing %s (%.1f GB) …", file.name, size / 1e9)
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def insist_on_all(loaded: Mapping[str, Any], source: str) -> None:
    """Refuse pretrained weights that `transformers` filled up with random ones.

    Args:
        loaded: its `output_loading_info`.
        source: where they are from.

    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    lacking = sorted(loaded["missing_keys"]) + [str(fault) for fault in loaded["mismatched_keys"]]
    if lacking:
        msg = f"{source} lacks {len(lacking)} weights or has them in another shape, for example {lacking[0]}; download it again."
        raise CheckpointError(msg)


def verify(part: str, source: str, expected: str | None, found: str | None) -> None:
    """Refuse a frozen part that is not the one a model was trained with.

    Raises:
        CheckpointError: the hashes differ.
    """
    if expected is None and found is not None:
        logger.warning("It is not recorded which %s the model was trained with; %s is taken unverified.", part, source)
    elif expected != found:
        msg = (
            f"The {part} {source} is not the one that the model was trained with (sha256 {(found or 'none')[:12]}… instead of "
            f"{(expected or 'none')[:12]}…); put the original back, or train again."
        )
        raise CheckpointError(msg)

"""Reading `.pth` files of others: tensors and plain containers only, whatever else a pickle would like to do."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from hawk_pipelines.model.errors import CheckpointError


def read_torch_file(file: Path) -> dict[str, Any]:
    """What `torch.save` wrote, on the CPU; nothing in it is run. Tensors are mapped into memory where the format allows it.

    Raises:
        CheckpointError: it is missing, damaged, no dictionary, or holds anything but tensors and plain containers.
    """
    if not file.is_file():
        msg = f"There is no file {file}; name a checkpoint that was downloaded."
        raise CheckpointError(msg)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except pickle.UnpicklingError as error:
        msg = (
            f"{file} is refused: it is damaged, or asks for more than tensors, numbers and texts, and such a file could run "
            f"code ({_short(error)})."
        )
        raise CheckpointError(msg) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        msg = f"{file} is damaged or no PyTorch file ({_short(error)}); download it again."
        raise CheckpointError(msg) from error
    if not isinstance(content, dict):
        msg = f"{file} holds a {type(content).__name__}, not a dictionary of weights."
        raise CheckpointError(msg)
    return content


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name: what lies under `model`, or the whole file where nothing does.

    Raises:
        CheckpointError: see `read_torch_file`; or there is something else among the tensors.
    """
    content = read_torch_file(file)
    found = content.get("model", content)
    named = isinstance(found, dict) and all(isinstance(name, str) for name in found)
    others = [name for name, value in found.items() if not isinstance(value, torch.Tensor)] if named else ["what it holds"]
    if others:
        msg = f"{file} is no checkpoint of weights: {others[0]} is no tensor with a name."
        raise CheckpointError(msg)
    return found


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]

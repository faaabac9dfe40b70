"""What prepares text and frames for a video model of `transformers`: the processor that comes with the model.

`transformers` resizes, crops and normalises frames through torchvision, for which not every build of torch has a partner. Where
torchvision is missing, Pillow does these, and everything else is the model's own. Both round differently, by a level of
brightness here and there.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PROCESSOR_MAPPING, AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.image_processing_backends import PilBackend
from transformers.utils import is_torchvision_available


def load_processor(folder: Path, config: Any) -> Any:
    """The processor of a saved model.

    Args:
        folder: of the model.
        config: of the model.

    Raises:
        ImportError: the model's preprocessing needs torchvision, which is not here.
        OSError, ValueError: and what else `transformers` raises where it finds no processor.
    """
    kind: Any = PROCESSOR_MAPPING[type(config)]
    if is_torchvision_available():
        return AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    if "video_processor" not in kind.get_attributes():
        return AutoProcessor.from_pretrained(folder, backend="pil", trust_remote_code=False)

    class Assembled(kind):
        """Of its parts, as `from_pretrained` would make it if that did not ask for torchvision."""

        def check_argument_for_proper_class(self, name: str, argument: Any) -> Any:
            """The class of a part."""
            return type(argument) if name == "video_processor" else super().check_argument_for_proper_class(name, argument)

    reading: dict[str, Callable] = {
        "tokenizer": lambda: AutoTokenizer.from_pretrained(folder, trust_remote_code=False),
        "image_processor": lambda: AutoImageProcessor.from_pretrained(folder, backend="pil", trust_remote_code=False),
        "video_processor": lambda: _with_pillow(_video_processor(config.model_type)).from_pretrained(folder),
    }
    settings, _ = kind.get_processor_dict(folder)
    return Assembled.from_args_and_dict([reading[name]() for name in kind.get_attributes()], settings)


def _video_processor(model_type: str) -> Any:
    """The video processor that `transformers` has for a kind of model; its own list of them is empty without torchvision."""
    name = model_type.replace("-", "_")
    try:
        module = import_module(f"transformers.models.{name}.video_processing_{name}")
    except (ImportError, NameError) as error:
        msg = f"the preprocessing of `{model_type}` needs torchvision"
        raise ImportError(msg) from error
    return getattr(module, module.__all__[0])


def _with_pillow(kind: Any) -> Any:
    class WithPillow(_Pillow, kind):
        """A model's own steps; what they take from torchvision comes from Pillow."""

    return WithPillow


class _Pillow:
    """What video processors take from torchvision, for frames [..., C, H, W]."""

    def convert_to_rgb(self, video: torch.Tensor) -> torch.Tensor:
        """Ours are."""
        return video

    def resize(self, image: torch.Tensor, size: Any, resample: Any = None, **_: Any) -> torch.Tensor:
        """To a size, or a length of the shorter side."""
        return _each(image, lambda picture: PilBackend().resize(picture, size, resample))

    def center_crop(self, image: torch.Tensor, size: Any, **_: Any) -> torch.Tensor:
        """The middle, with black around it where that is larger."""
        return _each(image, lambda picture: PilBackend().center_crop(picture, size))

    def normalize(self, image: torch.Tensor, mean: Any, std: Any, **_: Any) -> torch.Tensor:
        """Each channel less its mean, over its deviation."""
        mean_C11, std_C11 = (torch.as_tensor(value, dtype=image.dtype).reshape(-1, 1, 1) for value in (mean, std))
        return (image - mean_C11) / std_C11


def _each(frames: torch.Tensor, change: Callable[[np.ndarray], np.ndarray]) -> torch.Tensor:
    changed = np.stack([change(picture) for picture in frames.reshape(-1, *frames.shape[-3:]).numpy()])
    return torch.from_numpy(changed).reshape(*frames.shape[:-3], *changed.shape[1:])

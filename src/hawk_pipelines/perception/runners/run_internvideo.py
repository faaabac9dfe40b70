"""InternVideo2.5 behind the protocol. Run by the Python of its own environment.

The model's code lies beside its weights and is run (`trust_remote_code`): the checkpoint must be a folder that you have looked
at.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 (environments of research tools may be old)

from json_lines import digest, serve, settings

SET = settings()
SIDE = 448
"""Pixels; what the model was trained with."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """The model on its device."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})  # what is in the folder, and nothing else
    import torch
    from PIL import Image
    from torchvision import transforms
    from transformers import AutoModel, AutoTokenizer

    if not Path(SET["checkpoint"]).is_dir():
        raise NotADirectoryError(SET["checkpoint"])
    tokenizer = AutoTokenizer.from_pretrained(SET["checkpoint"], trust_remote_code=True)
    model = AutoModel.from_pretrained(SET["checkpoint"], trust_remote_code=True, use_safetensors=True, torch_dtype=torch.bfloat16)
    model = model.eval().to(SET["device"])
    prepare = transforms.Compose(
        [
            transforms.Resize((SIDE, SIDE), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    generation = {"do_sample": False, "num_beams": 1, "max_new_tokens": SET["new_tokens"]}

    def describe(request: dict[str, Any]) -> list[dict[str, Any]]:
        frames = torch.stack([prepare(Image.open(path).convert("RGB")) for path in request["pictures"]])
        marks = "".join(f"Frame{number}: <image>\n" for number in range(1, len(frames) + 1))
        with torch.no_grad():
            text = model.chat(
                tokenizer,
                frames.to(model.dtype).to(SET["device"]),
                marks + SET["prompt"],
                generation,
                num_patches_list=[1] * len(frames),
            )
        return [{"start_s": request["start_s"], "end_s": request["end_s"], "text": text, "score": 1.0}]

    return describe


if __name__ == "__main__":
    serve("internvideo", f"2.5 {digest(SET['checkpoint'])}", load)

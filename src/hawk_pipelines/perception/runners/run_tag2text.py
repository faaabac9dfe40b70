"""Tag2Text behind the protocol. Run by the Python of its own environment."""

from __future__ import annotations

from typing import Any, Callable  # noqa: UP035 (environments of research tools may be old)

from json_lines import digest, each_frame, serve, settings

SET = settings()
DISTURBING = [127, 2961, 3351, 3265, 3338, 3355, 3359]
"""Tags that spoil captions, as the tool's authors say: "quarter", "back" and numbers."""


def load() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """The model on its device."""
    import torch
    from PIL import Image
    from ram import get_transform, inference_tag2text
    from ram.models import tag2text

    transform = get_transform(image_size=SET["image_size"])
    model = tag2text(pretrained=SET["checkpoint"], image_size=SET["image_size"], vit="swin_b", delete_tag_index=DISTURBING)
    model.threshold = SET["threshold"]
    model = model.eval().to(SET["device"])

    def caption(path: str) -> list[tuple[str, float]]:
        image = transform(Image.open(path).convert("RGB")).unsqueeze(0).to(SET["device"])
        with torch.no_grad():
            _, _, text = inference_tag2text(image, model, "None")
        return [(text, 1.0)] if text.strip() else []

    return lambda request: each_frame(request, caption)


if __name__ == "__main__":
    serve("tag2text", f"swin_b {digest(SET['checkpoint'])}", load)

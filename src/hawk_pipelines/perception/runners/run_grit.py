"""GRiT behind the protocol. Run by the Python of its own environment, in its checkout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 (environments of research tools may be old)

from json_lines import digest, each_frame, serve, settings

SET = settings()


def load() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """The predictor on its device."""
    sys.path[:0] = [str(Path.cwd()), str(Path.cwd() / "third_party/CenterNet2/projects/CenterNet2")]
    from centernet.config import add_centernet_config
    from detectron2.config import get_cfg
    from detectron2.data.detection_utils import read_image
    from detectron2.engine.defaults import DefaultPredictor
    from grit.config import add_grit_config

    config = get_cfg()
    add_centernet_config(config)
    add_grit_config(config)
    config.merge_from_file(SET["config"])
    config.MODEL.WEIGHTS = SET["checkpoint"]
    config.MODEL.DEVICE = SET["device"]
    config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = SET["threshold"]
    config.MODEL.ROI_HEADS.SOFT_NMS_ENABLED = False
    config.MODEL.TEST_TASK = "DenseCap"
    config.MODEL.BEAM_SIZE = 1
    config.USE_ACT_CHECKPOINT = False
    config.freeze()
    predictor = DefaultPredictor(config)

    def regions(path: str) -> list[tuple[str, float]]:
        found = predictor(read_image(path, format="BGR"))["instances"].to("cpu")
        texts = found.pred_object_descriptions.data
        scores = [float(score) for score in found.scores]
        surest = sorted(zip(texts, scores), key=lambda pair: -pair[1])  # noqa: B905 (not in old Pythons)
        return [(text, min(1.0, score)) for text, score in surest[: SET["regions"]]]

    return lambda request: each_frame(request, regions)


if __name__ == "__main__":
    serve("grit", f"{Path(SET['config']).stem} {digest(SET['checkpoint'])}", load)

"""The reference's numbers, and the seeded weights and inputs that they belong to."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parents[1] / "golden"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
KEYS = json.loads((FOLDER / "d_key_table.json").read_text())
SEED = MANIFEST["SEED"]


def arrays(name):
    with np.load(FOLDER / MANIFEST["entries"][name]["file"]) as stored:
        return dict(stored)


def weights(shapes, scale, position_factor=1):
    """By the manifest's rule: one generator per name, LayerNorms around 1."""
    made = {}
    for index, name in enumerate(sorted(shapes)):
        drawn = _drawn(tuple(shapes[name]), SEED + index) * scale
        norm = name.endswith(".weight") and any(part in name for part in ("LayerNorm", "ln_vision", ".norm1.", ".norm2."))
        made[name] = 1 + drawn if norm else drawn
        if "frame_position_embedding" in name:
            made[name] *= position_factor
    return made


@cache
def _drawn(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(entry, draw=torch.randn):
    return draw(entry["input"]["shape"], generator=torch.Generator().manual_seed(SEED + 100000 + entry["input"]["case"]))


def assert_close(name, got):
    """Every stored array of a case is met within its tolerance."""
    tolerance = MANIFEST["entries"][name]["tolerance_abs"]
    for key, wanted in arrays(name).items():
        array, step = (key.removesuffix("_every_4th_query"), 4) if key.endswith("_every_4th_query") else (key, 1)
        found = got[array].detach()[:, ::step] if step > 1 else got[array].detach()
        worst = (found - torch.from_numpy(wanted)).abs().max().item()
        assert worst <= tolerance[array], f"{name}: {array} is off by {worst:.2g}, allowed are {tolerance[array]:.2g}"

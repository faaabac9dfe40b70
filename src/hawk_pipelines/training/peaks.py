"""What a GPU could compute at most, and how much of that a training uses (MFU)."""

import torch

PEAKS = {
    "A10": 125e12,
    "A10G": 70e12,
    "A30": 165e12,
    "A40": 149.7e12,
    "A100-PCIE-40GB": 312e12,
    "A100-SXM4-40GB": 312e12,
    "A100 80GB PCIe": 312e12,
    "A100-SXM4-80GB": 312e12,
    "A800 80GB PCIe": 312e12,
    "A800-SXM4-80GB": 312e12,
    "B200": 2250e12,
    "GB200": 2500e12,
    "GeForce RTX 3090": 71e12,
    "GeForce RTX 4090": 165.2e12,
    "GeForce RTX 5090": 209.5e12,
    "GH200 480GB": 989.4e12,
    "H20": 148e12,
    "H100 80GB HBM3": 989.4e12,
    "H100 NVL": 835.5e12,
    "H100 PCIe": 756.5e12,
    "H200": 989.4e12,
    "H200 NVL": 835.5e12,
    "H800": 989.4e12,
    "L4": 121e12,
    "L40": 181e12,
    "L40S": 362e12,
    "RTX 6000 Ada Generation": 364.2e12,
    "RTX A5000": 111.1e12,
    "RTX A6000": 154.8e12,
}
"""Operations a second in bfloat16 with float32 sums, dense, as NVIDIA's data sheets and whitepapers state them (where only the
sparse figure stands there, half of it). By name as `torch.cuda.get_device_name` says it, without the maker. A part of a card
(MIG) has another name, and no peak here."""


def peak(name: str) -> float | None:
    """Operations a second of a card by its name; None where it is not known, or cannot compute in bfloat16."""
    return PEAKS.get(name.removeprefix("NVIDIA "))


def mfu(parameters: int, tokens_per_s: float, device: torch.device) -> float | None:
    """Share of a GPU's peak that the frozen language model alone accounts for.

    A token costs 2 operations a parameter on the way forward and 2 on the way back to the branches; gradients of frozen weights,
    another 2, are not computed. What the branches, the frame encoder and recomputed activations take is not counted.

    Args:
        parameters: of the language model.
        tokens_per_s: that go through it on this one GPU, without padding.
        device: which GPU.

    Returns:
        A number between 0 and 1; None for a CPU or a card whose peak is not known.
    """
    most = peak(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return None if most is None else 4 * parameters * tokens_per_s / most

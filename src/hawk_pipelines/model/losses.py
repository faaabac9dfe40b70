"""The three terms of HAWK's loss, L = L_VL + t1·L_MV + t2·L_ML (equation 9)."""

from torch import Tensor
from torch.nn import functional as F

IGNORED = -100
"""Label of a token that is not to be predicted."""


def next_token_loss(logits_BND: Tensor, labels_BN: Tensor) -> Tensor:
    """Cross-entropy of each labelled token given those before it, averaged over labelled tokens: L_VL and L_ML.

    Zero, with a gradient path, where nothing is labelled.
    """
    logits, labels = logits_BND[:, :-1].flatten(0, 1), labels_BN[:, 1:].flatten()
    total = F.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="sum")
    return total / (labels != IGNORED).sum().clamp(min=1)


def cosine(appearance_BQC: Tensor, motion_BQC: Tensor) -> Tensor:
    """Cosine similarity of the compressed embeddings, each sample flattened to one vector: [B]."""
    return F.cosine_similarity(appearance_BQC.flatten(1).float(), motion_BQC.flatten(1).float(), dim=1)


def video_motion_loss(appearance_BQC: Tensor, motion_BQC: Tensor) -> Tensor:
    """L_MV = 1 − cosine, the mean over samples (equation 6)."""
    return 1 - cosine(appearance_BQC, motion_BQC).mean()


def spread(compressed_BQC: Tensor) -> Tensor:
    """How much a branch's compressed embedding differs from video to video: standard deviation over the batch, averaged."""
    return compressed_BQC.float().std(dim=0, correction=0).mean()

"""The three terms of HAWK's loss, L = t0·L_VL + t1·L_MV + t2·L_ML (equation 9), sample by sample."""

from torch import Tensor
from torch.nn import functional as F

IGNORED = -100
"""Label of a token that is not to be predicted."""


def before_labels(labels_BN: Tensor) -> Tensor:
    """The places from which some sample of a batch predicts its next token: int64 [K]."""
    return (labels_BN[:, 1:] != IGNORED).any(0).nonzero()[:, 0]


def next_token_losses(logits_BKD: Tensor, next_BK: Tensor) -> Tensor:
    """Cross-entropy of each labelled token given those before it, averaged over each sample's labels: L_VL and L_ML, [B].

    Zero, with a gradient path, where a sample has no label.

    Args:
        logits_BKD: at the places of `before_labels`.
        next_BK: the labels of the tokens after them.
    """
    losses_BK = F.cross_entropy(logits_BKD.float().transpose(1, 2), next_BK, ignore_index=IGNORED, reduction="none")
    return losses_BK.sum(1) / (next_BK != IGNORED).sum(1).clamp(min=1)


def mean_over_labels(losses_B: Tensor, labels_BN: Tensor) -> Tensor:
    """The mean over all labels of a batch, as in `transformers`; zero, with a gradient path, where there is none.

    Args:
        losses_B: each sample's mean over its own labels.
        labels_BN: all labels.
    """
    labels_B = (labels_BN[:, 1:] != IGNORED).sum(1)
    return (losses_B * labels_B).sum() / labels_B.sum().clamp(min=1)


def cosine(appearance_BQC: Tensor, motion_BQC: Tensor) -> Tensor:
    """Cosine similarity of the compressed embeddings, each sample flattened to one vector: [B]."""
    return F.cosine_similarity(appearance_BQC.flatten(1).float(), motion_BQC.flatten(1).float(), dim=1)


def video_motion_losses(appearance_BQC: Tensor, motion_BQC: Tensor) -> Tensor:
    """L_MV = 1 − cosine of each sample (equation 6): [B]."""
    return 1 - cosine(appearance_BQC, motion_BQC)


def spread(compressed_BQC: Tensor) -> Tensor:
    """How much a branch's compressed embedding differs from video to video: standard deviation over the batch, averaged."""
    return compressed_BQC.float().std(dim=0, correction=0).mean()

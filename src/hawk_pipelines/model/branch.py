"""One branch of HAWK: from the tokens of T frames to the few tokens that the language model reads."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import Blip2QFormerModel

from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.errors import ModelError


class BranchOutput(NamedTuple):
    """What a branch says of a batch of videos."""

    projected_BQD: Tensor
    """Head P: embeddings in the language model's width."""
    compressed_BQC: Tensor
    """Head C: embeddings compared by the consistency loss; without a motion branch C is 0."""


class Branch(nn.Module):
    """Frame positions → video Q-Former → projection (HAWK, figure 3). Both branches have this shape, with own weights."""

    def __init__(self, config: HawkConfig) -> None:
        super().__init__()
        width, hidden = config.qformer_config.encoder_hidden_size, config.qformer_config.hidden_size
        language_width = config.text_config.hidden_size
        self.frame_positions = nn.Embedding(config.frames, width)
        self.query_tokens = nn.Parameter(torch.randn(1, config.queries, hidden) * config.initializer_range)
        self.video_qformer = Blip2QFormerModel(config.qformer_config)
        self.trunk = nn.Sequential(nn.Linear(hidden, language_width), nn.Linear(language_width, language_width))
        self.projection = nn.Linear(language_width, language_width)
        self.compression = nn.Linear(language_width, config.compression_width) if config.motion_branch else None

    def forward(self, tokens_BTND: Tensor, frame_mask_BT: Tensor | None = None) -> BranchOutput:
        """Watch a batch of videos.

        Args:
            tokens_BTND: frame tokens, float [B, T, N, D], N tokens of width D per frame.
            frame_mask_BT: 1 where a frame is real, 0 where it is padding; None when all are real.

        Raises:
            ModelError: there are more frames than frame positions, or the tokens have another width.
        """
        hidden_BQH = self.watch(tokens_BTND, frame_mask_BT)
        trunk_BQD = self.trunk(hidden_BQH)
        compressed_BQC = self.compression(trunk_BQD) if self.compression else trunk_BQD[..., :0]
        return BranchOutput(self.projection(trunk_BQD), compressed_BQC)

    def watch(self, tokens_BTND: Tensor, frame_mask_BT: Tensor | None = None) -> Tensor:
        """The video Q-Former's view of the frames: [B, Q, H]. Arguments as for `forward`."""
        B, T, N, D = tokens_BTND.shape
        places, width = self.frame_positions.num_embeddings, self.frame_positions.embedding_dim
        if places < T:
            msg = f"The batch has {T} frames but the model has {places} frame positions; sample fewer frames (`motion.frames`)."
            raise ModelError(msg)
        if width != D:
            msg = f"The frame tokens are {D} wide but the model was made for {width}; encode with the encoder it was trained on."
            raise ModelError(msg)
        positions_TD = self.frame_positions(torch.arange(T, device=tokens_BTND.device))
        keys = (tokens_BTND.to(positions_TD.dtype) + positions_TD[:, None]).flatten(1, 2)
        key_mask = None if frame_mask_BT is None else frame_mask_BT.repeat_interleave(N, dim=1)
        return self.video_qformer(
            query_embeds=self.query_tokens.expand(B, -1, -1),
            encoder_hidden_states=keys,
            encoder_attention_mask=key_mask,
        ).last_hidden_state

"""HAWK itself: two branches watch, a language model speaks (NeurIPS 2024, section 4)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from hawk_pipelines.model.branch import Branch, BranchOutput
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.losses import IGNORED, cosine, next_token_loss, spread, video_motion_loss


@dataclass
class HawkOutput(ModelOutput):
    """Loss terms (scalars) of a batch. `loss` is their weighted sum.

    The spreads are the standard deviation of each branch's compressed embedding over the batch: when they fall to zero together
    with `video_motion_loss`, the branches agree because they say the same of every video.
    """

    loss: Tensor | None = None
    video_language_loss: Tensor | None = None
    video_motion_loss: Tensor | None = None
    motion_language_loss: Tensor | None = None
    cosine: Tensor | None = None
    appearance_spread: Tensor | None = None
    motion_spread: Tensor | None = None


class HawkForConditionalGeneration(PreTrainedModel):
    """Appearance and motion branches over frozen frame tokens, and a causal language model that reads both."""

    config_class = HawkConfig
    config: HawkConfig
    base_model_prefix = "hawk"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: HawkConfig) -> None:
        super().__init__(config)
        self.appearance = Branch(config)
        self.motion = Branch(config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()

    def watch(
        self, appearance_tokens: Tensor, motion_tokens: Tensor, frame_mask: Tensor | None = None
    ) -> tuple[BranchOutput, BranchOutput]:
        """Run both branches: frame tokens [B, T, N, D] each."""
        return self.appearance(appearance_tokens, frame_mask), self.motion(motion_tokens, frame_mask)

    def embed(self, input_ids: Tensor, appearance_BQD: Tensor, motion_BQD: Tensor) -> Tensor:
        """Token embeddings [B, N, D] with the branches' embeddings in place of their placeholders.

        Raises:
            ValueError: a prompt does not hold exactly Q placeholders of each kind.
        """
        embeddings = self.language_model.get_input_embeddings()(input_ids)
        for token, branch in (
            (self.config.appearance_token_id, appearance_BQD),
            (self.config.motion_token_id, motion_BQD),
        ):
            place = torch.eq(input_ids, token)
            if not bool((place.sum(1) == branch.shape[1]).all()):
                msg = f"Every prompt needs exactly {branch.shape[1]} placeholders with id {token}, found {place.sum(1).tolist()}."
                raise ValueError(msg)
            embeddings = embeddings.masked_scatter(place[..., None], branch.to(embeddings.dtype))
        return embeddings

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        appearance_tokens: Tensor,
        motion_tokens: Tensor,
        frame_mask: Tensor | None = None,
        motion_text_ids: Tensor | None = None,
        motion_text_mask: Tensor | None = None,
        motion_text_labels: Tensor | None = None,
        **_: object,
    ) -> HawkOutput:
        """All three losses of a batch.

        Args:
            input_ids, attention_mask, labels: prompt and answer, int64 [B, N]; labels are −100 outside the answer.
            appearance_tokens, motion_tokens: frame tokens, float [B, T, P, D].
            frame_mask: int64 [B, T], 0 where a frame is padding.
            motion_text_ids, motion_text_mask, motion_text_labels: the motion text, int64 [B, M].
        """
        appearance, motion = self.watch(appearance_tokens, motion_tokens, frame_mask)
        embeddings = self.embed(input_ids, appearance.projected_BQD, motion.projected_BQD)
        logits = self.language_model(inputs_embeds=embeddings, attention_mask=attention_mask, use_cache=False).logits
        video_language = next_token_loss(logits, labels)
        video_motion = video_motion_loss(appearance.compressed_BQC, motion.compressed_BQC)
        motion_language = self._motion_language_loss(motion, motion_text_ids, motion_text_mask, motion_text_labels)
        total = (
            video_language + self.config.video_motion_weight * video_motion + self.config.motion_language_weight * motion_language
        )
        similarity = cosine(appearance.compressed_BQC, motion.compressed_BQC).mean().detach()
        spreads = [spread(branch.compressed_BQC).detach() for branch in (appearance, motion)]
        return HawkOutput(total, video_language, video_motion, motion_language, similarity, *spreads)

    def _motion_language_loss(
        self, motion: BranchOutput, ids: Tensor | None, mask: Tensor | None, labels: Tensor | None
    ) -> Tensor:
        """L_ML: the motion text, read from the motion tokens alone (equation 8)."""
        if ids is None or mask is None or labels is None:
            return motion.projected_BQD.sum() * 0
        words = self.language_model.get_input_embeddings()(ids)
        B, Q = motion.projected_BQD.shape[:2]
        embeddings = torch.cat([motion.projected_BQD.to(words.dtype), words], dim=1)
        mask = torch.cat([mask.new_ones(B, Q), mask], dim=1)
        labels = torch.cat([labels.new_full((B, Q), IGNORED), labels], dim=1)
        logits = self.language_model(inputs_embeds=embeddings, attention_mask=mask, use_cache=False).logits
        return next_token_loss(logits, labels)

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        appearance_tokens: Tensor,
        motion_tokens: Tensor,
        frame_mask: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        **options: object,
    ) -> Tensor:
        """Answer left-padded prompts.

        Args:
            input_ids, attention_mask: int64 [B, N].
            appearance_tokens, motion_tokens: frame tokens, float [B, T, P, D].
            frame_mask: int64 [B, T].
            generation_config, options: as in `transformers`.

        Returns:
            int64 [B, new tokens], the answers without the prompts.
        """
        appearance, motion = self.watch(appearance_tokens, motion_tokens, frame_mask)
        embeddings = self.embed(input_ids, appearance.projected_BQD, motion.projected_BQD)
        return self.language_model.generate(
            inputs_embeds=embeddings, attention_mask=attention_mask, generation_config=generation_config, **options
        )


AutoConfig.register(HawkConfig.model_type, HawkConfig)  # so that the tokenizer of a saved model is found by its configuration

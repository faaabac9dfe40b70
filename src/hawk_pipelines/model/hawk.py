"""HAWK itself: two branches watch, a language model speaks (NeurIPS 2024, section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import ModelOutput

from hawk_pipelines.model.branch import Branch, BranchOutput
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.errors import CheckpointError, ModelError
from hawk_pipelines.model.losses import before_labels, cosine, mean_over_labels, next_token_losses, spread, video_motion_losses


@dataclass
class HawkOutput(ModelOutput):
    """Loss terms of a batch (scalars); `loss` is their weighted sum. A term that is switched off is None.

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
    sample_losses: dict[str, Tensor] | None = None
    """Each term of each sample, [B]; the language terms are means over its own labels."""


class Watched(NamedTuple):
    """What the branches say of B videos, in the language model's width: all that is needed to ask about them again and again."""

    appearance_BQD: Tensor
    motion_BQD: Tensor | None


class HawkForConditionalGeneration(PreTrainedModel):
    """Appearance and motion branches over frozen frame tokens, and a causal language model that reads both."""

    config_class = HawkConfig
    config: HawkConfig
    base_model_prefix = "hawk"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: HawkConfig, language_model: PreTrainedModel | None = None) -> None:
        """Args:
        config: all sizes.
        language_model: a loaded one; None makes one with random weights.
        """
        super().__init__(config)
        self.appearance = Branch(config)
        self.motion = Branch(config) if config.motion_branch else None
        if config.motion_query_tokens:  # kept for whoever encodes, never trained
            shape = (1, 32, config.qformer_config.encoder_hidden_size)
            self.motion_query_tokens = torch.nn.Parameter(torch.zeros(shape), requires_grad=False)
        self.language_model = language_model or AutoModelForCausalLM.from_config(config.text_config)
        width = self.language_model.get_input_embeddings().embedding_dim
        if width != config.text_config.hidden_size:
            kind = type(self.language_model).__name__
            msg = f"{kind} has embeddings {width} wide beside a hidden size of {config.text_config.hidden_size}; take another."
            raise ModelError(msg)
        self.post_init()

    # --- watching ------------------------------------------------------------------------------------------------------

    def watch(
        self, appearance_tokens: Tensor, motion_tokens: Tensor | None = None, frame_mask: Tensor | None = None
    ) -> tuple[BranchOutput, BranchOutput | None]:
        """Run the branches: frame tokens [B, T, N, D] each.

        Raises:
            ModelError: the motion branch has nothing to see; or see `Branch.forward`.
        """
        appearance = self.appearance(appearance_tokens, frame_mask)
        if self.motion is None:
            return appearance, None
        if motion_tokens is None:
            msg = "The model has a motion branch but was given no motion tokens; encode the motion stream, too."
            raise ModelError(msg)
        return appearance, self.motion(motion_tokens, frame_mask)

    def embed(self, input_ids: Tensor, appearance_BQD: Tensor | None, motion_BQD: Tensor | None) -> Tensor:
        """Token embeddings [B, N, D] with the branches' embeddings in place of their placeholders.

        Raises:
            ModelError: a prompt does not hold exactly Q placeholders of each branch.
        """
        places = [
            (torch.eq(input_ids, self.config.appearance_token_id), appearance_BQD, "appearance"),
            (torch.eq(input_ids, self.config.motion_token_id), motion_BQD, "motion"),
        ]
        words = input_ids.masked_fill(places[0][0] | places[1][0], 0)  # placeholders are not in a pretrained vocabulary
        embeddings_BND: Tensor = self.language_model.get_input_embeddings()(words)
        for place_BN, branch_BQD, name in places:
            wanted = 0 if branch_BQD is None else branch_BQD.shape[1]
            if not bool((place_BN.sum(1) == wanted).all()):
                msg = f"Every prompt needs exactly {wanted} placeholders of the {name} branch, found {place_BN.sum(1).tolist()}."
                raise ModelError(msg)
            if branch_BQD is not None:
                embeddings_BND = embeddings_BND.masked_scatter(place_BN[..., None], branch_BQD.to(embeddings_BND.dtype))
        return embeddings_BND

    # --- learning ------------------------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        appearance_tokens: Tensor,
        motion_tokens: Tensor | None = None,
        frame_mask: Tensor | None = None,
        motion_text_ids: Tensor | None = None,
        motion_text_mask: Tensor | None = None,
        motion_text_labels: Tensor | None = None,
    ) -> HawkOutput:
        """The losses of a batch.

        Args:
            input_ids, attention_mask, labels: prompt and answer, int64 [B, N]; labels are −100 outside the answer.
            appearance_tokens, motion_tokens: frame tokens, float [B, T, P, D].
            frame_mask: int64 [B, T], 0 where a frame is padding.
            motion_text_ids, motion_text_mask, motion_text_labels: motion placeholders and the motion text, int64 [B, M].
        """
        weights = self.config
        appearance, motion = self.watch(appearance_tokens, motion_tokens, frame_mask)
        output = HawkOutput()
        each: dict[str, Tensor] = {}
        total = appearance.projected_BQD.sum() * 0  # a path for gradients, whatever is switched off
        if weights.video_language_weight:
            motion_BQD = None if motion is None else motion.projected_BQD
            losses_B = self._next_token_losses(input_ids, attention_mask, labels, appearance.projected_BQD, motion_BQD)
            each["video_language_loss"] = losses_B
            output.video_language_loss = mean_over_labels(losses_B, labels)
            total = total + weights.video_language_weight * output.video_language_loss
        if motion is not None:
            pair = appearance.compressed_BQC, motion.compressed_BQC
            output.cosine = cosine(*pair).mean().detach()
            output.appearance_spread, output.motion_spread = (spread(one).detach() for one in pair)
            if weights.video_motion_weight:
                each["video_motion_loss"] = video_motion_losses(*pair)
                output.video_motion_loss = each["video_motion_loss"].mean()
                total = total + weights.video_motion_weight * output.video_motion_loss
            if weights.motion_language_weight and not (
                motion_text_ids is None or motion_text_mask is None or motion_text_labels is None
            ):
                # L_ML: the motion text, read from the motion tokens alone (equation 8).
                losses_B = self._next_token_losses(
                    motion_text_ids, motion_text_mask, motion_text_labels, None, motion.projected_BQD
                )
                each["motion_language_loss"] = losses_B
                output.motion_language_loss = mean_over_labels(losses_B, motion_text_labels)
                total = total + weights.motion_language_weight * output.motion_language_loss
        output.loss, output.sample_losses = total, each
        return output

    def _next_token_losses(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        appearance_BQD: Tensor | None,
        motion_BQD: Tensor | None,
    ) -> Tensor:
        embeddings = self.embed(input_ids, appearance_BQD, motion_BQD)
        before_K = before_labels(labels)
        # Logits are the largest numbers of a step and the prompt's are never looked at.
        logits = self.language_model(
            inputs_embeds=embeddings, attention_mask=attention_mask, use_cache=False, logits_to_keep=before_K
        ).logits
        return next_token_losses(logits, labels[:, before_K + 1])

    def train(self, mode: bool = True) -> "HawkForConditionalGeneration":
        """As in PyTorch, but what is frozen stays in evaluation mode: without dropout, the same answer to the same input."""
        super().train(mode)
        weights = self.language_model.named_parameters()
        if not any(weight.requires_grad for name, weight in weights if "lora_" not in name):
            self.language_model.eval()
            for name, module in self.language_model.named_modules():
                if "lora_" in name:
                    module.train(mode)
                if isinstance(module, GradientCheckpointingLayer):
                    module.training = mode  # it recomputes only where it is trained; what is in it stays in evaluation mode
        return self

    # --- speaking ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def generate(self, input_ids: Tensor, attention_mask: Tensor, watched: Watched, **options: Any) -> Tensor:
        """Answer left-padded prompts.

        Args:
            input_ids, attention_mask: int64 [B, N].
            watched: the B videos they are about.
            options: as in `transformers`: beams, sampling, a streamer and so on.

        Returns:
            int64 [B, new tokens], the answers without the prompts.
        """
        embeddings = self.embed(input_ids, watched.appearance_BQD, watched.motion_BQD)
        return self.language_model.generate(  # type: ignore[operator]
            inputs_embeds=embeddings, attention_mask=attention_mask, **options
        )

    # --- on disk -------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, folder: str | Path, device: str | torch.device = "cpu", **options: Any
    ) -> "HawkForConditionalGeneration":
        """Read a saved model with the frozen language model it stands on; see `checkpoint.load`, which gives the tokenizer, too.

        Raises:
            CheckpointError: the folder holds something else, or a frozen part is not the one it was trained with.
            ModelError: options of `transformers` that have no meaning here.
        """
        if options:
            msg = f"A HAWK model is loaded as its config.json says; {', '.join(options)} cannot be given."
            raise ModelError(msg)
        from hawk_pipelines.model.checkpoint import load  # it knows this class

        return load(Path(folder), device).model

    def own_names(self) -> set[str]:
        """Names of the weights that a saved model holds: all but those of a pretrained language model that are not trained."""
        pretrained = bool((self.config.language_model or {}).get("source"))
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        return {name for name in self.state_dict() if not (pretrained and name.startswith("language_model.")) or name in trained}

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, state_dict: Mapping[str, Tensor] | None = None, whole: bool = False, **options: Any
    ) -> None:
        """Write configuration and weights (safetensors).

        Args:
            save_directory: a folder; it is made.
            state_dict: the weights, where they have been gathered elsewhere.
            whole: with the frozen language model, so that the folder needs no other source for it.

        Raises:
            CheckpointError: a language model that is held in 4 bits should be saved.
        """
        source = self.config.language_model or {}
        if whole and source.get("four_bit"):
            msg = "A language model that is held in 4 bits cannot be saved whole; load it with `four_bit: false` first."
            raise CheckpointError(msg)
        state = self.state_dict() if state_dict is None else state_dict
        kept = state if whole else {name: state[name] for name in self.own_names() if name in state}
        self.config.language_model_saved = whole or source.get("source") is None
        self._keys_to_ignore_on_save = set()  # what is left out was decided here
        super().save_pretrained(save_directory, state_dict=dict(sorted(kept.items())), **options)


AutoConfig.register(HawkConfig.model_type, HawkConfig)  # so that the tokenizer of a saved model is found by its configuration

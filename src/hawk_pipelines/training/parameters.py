"""What a training is told; defaults and their reasons stand in `conf/base/parameters_{pretrain,finetune}.yml`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hawk_pipelines.model.settings import LossSettings


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ValidationParameters(_Settings):
    """Looking at a held-out part of the training split."""

    share: float = Field(default=0.05, ge=0, lt=1)
    """Of the training split's source videos, held out; 0 holds none out, and then nothing is validated."""
    every: int = Field(default=400, ge=1)
    """Steps between two looks."""
    most_items: int = Field(default=100, ge=1)
    """Of the held-out items, so many are looked at, the same ones every time."""
    generated: int = Field(default=4, ge=0)
    """Of these, for so many an answer is generated and written to MLflow."""
    patience: int | None = Field(default=None, ge=1)
    """Looks without a smaller loss after which the training ends; null: it goes on to its last step."""
    take: Literal["last", "best"] = "last"
    """Which weights the model has in the end: those of the last step, or of the smallest held-out loss."""

    @model_validator(mode="after")
    def _something_held_out(self) -> "ValidationParameters":
        if not self.share and (self.take == "best" or self.patience):
            msg = "nothing is held out (share is 0), so no step is the best: give a share, or take the last without patience"
            raise ValueError(msg)
        return self


class CheckpointParameters(_Settings):
    """The states from which a training goes on after it was stopped."""

    every: int = Field(default=200, ge=1)
    """Steps between two; what was trained since the last one is trained again."""
    keep: int = Field(default=2, ge=1)
    """The last so many are kept, and the one with the smallest held-out loss."""


class LaunchParameters(_Settings):
    """In how many processes."""

    processes: int | None = Field(default=None, ge=1)
    """On this machine; null: one for each GPU, or one."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: GPUs where there are any."""
    threads: int | None = Field(default=2, ge=1)
    """That each process computes with on CPUs, at most: on one machine never more than what of its cores falls to a process.
    null: torch decides, or what of the cores falls to a process."""
    launcher: Literal["torchrun", "deepspeed"] = "torchrun"
    """What starts them, where there is more than one."""
    deepspeed: Path | None = None
    """A DeepSpeed file, such as conf/deepspeed/zero2.json; null trains without DeepSpeed."""
    hostfile: Path | None = None
    """Several machines (`HOST slots=N`, a line each), reached by ssh; the launcher is then `deepspeed`."""

    @model_validator(mode="after")
    def _launched_by_deepspeed(self) -> "LaunchParameters":
        if self.hostfile and self.launcher != "deepspeed":
            msg = "a hostfile is read by the launcher deepspeed; set launcher to deepspeed"
            raise ValueError(msg)
        if self.hostfile and self.processes:
            msg = "with a hostfile its slots say how many processes there are; set processes to null"
            raise ValueError(msg)
        return self


class ConversationParameters(_Settings):
    """Several questions about a video, one after the other (`training.conversations`)."""

    share: float = Field(default=0.6, ge=0, le=1)
    """Of the steps from `start` on, whose samples are conversations; 0: single questions only, and each is asked afresh."""
    start: float = Field(default=0.5, ge=0, lt=1)
    """Of all steps, so many come first with single questions alone: a new model has to learn to see before it can converse."""
    max_turns: int = Field(default=5, ge=2)
    """Questions of a conversation: from two to so many. Later on, the model is shown the last ones only."""
    follow_up_share: float = Field(default=0.5, ge=0, le=1)
    """Of the later questions, that are asked in a short form, where there is one: "And where?"."""
    check_share: float = Field(default=0.25, ge=0, le=1)
    """How often the user asks whether the model is sure …"""
    correction_share: float = Field(default=0.1, ge=0, le=1)
    """… and how often of that the answer before is wrong, so that the reply corrects it."""


class TrainingParameters(_Settings):
    """One training."""

    init_from: str | None = Field(default=None, min_length=1)
    """Where it starts: null: new branches; `pretrained_model`: what `pretrain` made; or the folder of a saved model."""
    again: bool = False
    """Train even though the model of this training is there; otherwise it is used as it is."""
    steps: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=32, ge=1)
    """Samples of a step, over all processes and all accumulated parts."""
    accumulation: int = Field(default=1, ge=1)
    """Parts of a process's share of the batch, one after the other."""
    group_by_length: bool = True
    """Batches of samples of like length, so that little is padded."""
    loader_workers: int = Field(default=0, ge=0)
    """Processes that read ahead; 0 reads in between."""
    optimizer: Literal["auto", "adamw", "muon"] = "adamw"
    """`muon`: Muon for the weights of linear layers, AdamW for the rest; not under DeepSpeed. `auto`: Muon where it works."""
    learning_rate: float = Field(default=1.5e-3, gt=0)
    """The highest, of AdamW."""
    muon_learning_rate: float = Field(default=4e-3, gt=0)
    """The highest, of Muon; it rises and falls with AdamW's."""
    warmup_learning_rate: float = Field(default=0.0, ge=0)
    """The linear warm-up begins here …"""
    min_learning_rate: float = Field(default=6e-5, ge=0)
    """… and the cosine ends here."""
    warmup_steps: int = Field(default=100, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    """Biases and norms have none."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    losses: LossSettings = LossSettings()
    bf16: bool = False
    """Compute in bfloat16; what is trained is kept in float32."""
    gradient_checkpointing: bool = False
    """Compute the language model's activations twice instead of keeping them."""
    exploding: float = Field(default=20.0, gt=1)
    """A loss so many times the median of the last 100 steps ends the training."""
    log_every: int = Field(default=50, ge=1)
    """Steps between two lines in the log and two figures of speed; every step's losses are in MLflow."""
    validation: ValidationParameters = ValidationParameters()
    checkpoints: CheckpointParameters = CheckpointParameters()
    launch: LaunchParameters = LaunchParameters()

    @model_validator(mode="after")
    def _optimizer_of_deepspeed(self) -> "TrainingParameters":
        if self.optimizer == "muon" and self.launch.deepspeed:
            msg = "optimizer muon does not work under launch.deepspeed; set optimizer to auto or adamw"
            raise ValueError(msg)
        return self

    @property
    def has_muon(self) -> bool:
        """Whether Muon changes the weights of linear layers."""
        return self.optimizer == "muon" or (self.optimizer == "auto" and self.launch.deepspeed is None)


class PretrainParameters(TrainingParameters):
    """Stage 1: captions."""

    @field_validator("init_from")
    @classmethod
    def _not_from_itself(cls, init_from: str | None) -> str | None:
        if init_from == "pretrained_model":
            msg = "pretraining makes the pretrained model; set it to null or to the folder of a saved model"
            raise ValueError(msg)
        return init_from


class FinetuneParameters(TrainingParameters):
    """Stage 2: descriptions and questions, jointly."""

    steps: int = Field(default=1000, ge=1)
    optimizer: Literal["auto", "adamw", "muon"] = "auto"
    group_by_length: bool = False
    description_share: float = Field(default=0.8, ge=0, le=1)
    """How often the description is asked for; otherwise one of the item's questions."""
    conversations: ConversationParameters = ConversationParameters()

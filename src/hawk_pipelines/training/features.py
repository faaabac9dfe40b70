"""The frozen encoder's tokens of every item, read from the store when they are wanted."""

import logging
from collections.abc import Sequence
from typing import Any

import torch

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import FeatureFacts
from hawk_pipelines.model.settings import FrameEncoderSettings
from hawk_pipelines.schema import Sample, StoredItem
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.video.flow import FlowMethod, Mask

logger = logging.getLogger(__name__)

_AGAIN = "run `kedro run --pipelines=motion,encode` again, or set `encode` and `motion` back"


class Features:
    """Random access to stored tokens; nothing is held in memory but keys."""

    def __init__(self, items: Sequence[StoredItem], store: ItemStore) -> None:
        self.store = store
        self._keys = {item.item_id: item.key for item in items}

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def times_s(self, item_id: str) -> list[tuple[float, ...]]:
        """When the frames of each sampling of an item are shown."""
        return [tuple(times) for times in self.facts(item_id)["times_s"]]

    def facts(self, item_id: str) -> dict[str, Any]:
        """How an item's tokens were made."""
        return self.store.facts(self._keys[item_id])

    def read(self, item_id: str, sampling: int = 0) -> FrameTokens:
        """One sampling of an item, half precision [T, N, D] each."""
        key = self._keys[item_id]
        stored = self.store.read_part(key, sampling)
        appearance, motion = (torch.from_numpy(stored[name]) for name in ("appearance", "motion"))
        return FrameTokens(appearance, motion, tuple(self.store.facts(key)["times_s"][sampling]))

    def made_by(self, encoder: FrameEncoderSettings, mask: Mask, frames: int, flow: FlowMethod) -> FeatureFacts:
        """How all of them were made.

        Args:
            encoder, mask, frames, flow: as the settings have it now.

        Raises:
            TrainingError: they were not all made by the same encoder, or not as the settings say.
        """
        wanted = {"frame_encoder": encoder.model_dump(mode="json"), "mask": mask, "flow": flow}
        weights = set()
        for item_id in self._keys:
            facts = self.facts(item_id)
            weights.add(facts["frame_encoder_sha256"])
            found = {name: facts.get(name) for name in wanted}
            if found != wanted:
                different = [
                    f"{name} is {found[name]} there, {wanted[name]} here" for name in wanted if found[name] != wanted[name]
                ]
                what = f"The features of {item_id} in {self.store.root} are not those of the settings: {'; '.join(different)}"
                msg = f"{what}; {_AGAIN}."
                raise TrainingError(msg)
            if len(facts["times_s"][0]) > frames:
                what = f"The features of {item_id} in {self.store.root} have {len(facts['times_s'][0])} frames"
                msg = f"{what}, but `motion.frames` is {frames}; {_AGAIN}."
                raise TrainingError(msg)
        if len(weights) > 1:
            msg = f"The features in {self.store.root} were made by {len(weights)} different frame encoders; {_AGAIN}."
            raise TrainingError(msg)
        return FeatureFacts(encoder, weights.pop() if weights else None, mask, frames, flow)


def with_features(samples: Sequence[Sample], features: Features) -> list[Sample]:
    """The samples of items that have features; what is left out is said.

    Raises:
        TrainingError: there is none, or none is left.
    """
    usable = [sample for sample in samples if sample.item_id in features]
    missing = {sample.item_id for sample in samples if sample.item_id not in features}
    if missing:
        logger.warning("%d item(s) without features are left out, for example %s.", len(missing), min(missing))
    if not samples:
        msg = "There is no sample: this split has no annotation. Add the rest of the data set, or annotations of its videos."
        raise TrainingError(msg)
    if not usable:
        msg = f"None of the {len(samples)} samples has features; run `kedro run --pipelines=motion,encode` first."
        raise TrainingError(msg)
    return usable

"""The weights of a model whose training spread them over processes."""

import torch
from torch import Tensor

from hawk_pipelines.model.hawk import HawkForConditionalGeneration


def whole_weights(model: HawkForConditionalGeneration, deepspeed: bool) -> dict[str, Tensor]:
    """What a saved model holds (`HawkForConditionalGeneration.own_names`), in full and as precise as it is trained.

    All processes call it together; the first one needs what it gives.

    Args:
        model: what is trained.
        deepspeed: whether DeepSpeed holds it.
    """
    own = model.own_names()
    if not deepspeed:
        return {name: tensor for name, tensor in model.state_dict().items() if name in own}
    from deepspeed import zero
    from deepspeed.utils import safe_get_full_fp32_param

    weights: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():  # a tied weight once
        if name not in own:
            continue
        found = safe_get_full_fp32_param(parameter) if parameter.requires_grad else None
        if found is None:  # frozen, or not spread
            with zero.GatheredParameters([parameter] if hasattr(parameter, "ds_id") else []):
                found = parameter.detach().clone()
        weights[name] = found.detach().to("cpu", torch.float32 if parameter.requires_grad else parameter.dtype).clone()
    return weights | {name: buffer.detach().cpu() for name, buffer in model.named_buffers() if name in own}

import pytest
import torch

from hawk_pipelines.model.settings import TinyFrameEncoderSettings
from hawk_pipelines.schema import Sample

ENCODER = TinyFrameEncoderSettings(size=32, grid=2, prototypes=6, position_width=4)


@pytest.fixture
def samples():
    texts = [("description", "Describe it.", "A person in red is running."), ("question", "Who is running?", "A person in red.")]
    return [Sample(item_id="a", task=t, question=q, answer=a, motion_text="person running") for t, q, a in texts]


@pytest.fixture
def parts(samples):
    """A small model, its tokenizer, and frame tokens of two videos of which the second is shorter."""
    from hawk_pipelines.training.build import build_model, build_tokenizer
    from hawk_pipelines.training.parameters import FinetuneParameters, TinyModelParameters
    from hawk_pipelines.video.streams import StreamParameters

    sizes = TinyModelParameters(queries=3, qformer_width=16, decoder_width=16, heads=2, compression_width=4, vocabulary=400)
    parameters = FinetuneParameters(model=sizes)
    tokenizer = build_tokenizer(samples, parameters)
    model = build_model(parameters, ENCODER, StreamParameters(frames=4), mask="soft", tokenizer=tokenizer, seed=0)
    generator = torch.Generator().manual_seed(0)
    tokens = [torch.randn(frames, 4, ENCODER.width, generator=generator) for frames in (4, 2)]
    return model.eval(), tokenizer, tokens

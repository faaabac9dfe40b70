import pytest
import torch

from hawk_pipelines.model.settings import BranchSettings, LanguageModelSettings, ModelSettings, TinyDecoderSettings
from hawk_pipelines.model.settings import TinyFrameEncoderSettings as Encoder
from hawk_pipelines.schema import Sample
from tests.model.llama import save_llama

ENCODER = Encoder(size=32, grid=2, prototypes=6, position_width=4)
WIDTH = 16
SIZES = ModelSettings(
    branches=BranchSettings(queries=3, width=16, heads=2, compression_width=4),
    language_model=LanguageModelSettings(tiny=TinyDecoderSettings(width=16, heads=2, vocabulary=400)),
)


@pytest.fixture
def samples():
    texts = [("description", "Describe it.", "A person in red is running."), ("question", "Who is running?", "A person in red.")]
    return [Sample(item_id="a", task=t, question=q, answer=a, motion_text="person running") for t, q, a in texts]


def make_parts(samples, settings=SIZES, seed=0, **losses):
    """A small model and its tokenizer."""
    from hawk_pipelines.model.checkpoint import FeatureFacts, Parts
    from hawk_pipelines.model.settings import LossSettings
    from hawk_pipelines.training.build import build_model, build_tokenizer

    tokenizer = build_tokenizer(samples, settings)
    facts = FeatureFacts(ENCODER, None, "soft", 4, "farneback")
    model = build_model(settings, LossSettings(**losses), facts, WIDTH, tokenizer, seed)
    return Parts(model.eval(), tokenizer)


@pytest.fixture
def parts(samples):
    return make_parts(samples)


@pytest.fixture
def videos():
    """Frame tokens of two videos, of which the second is shorter."""
    from hawk_pipelines.model.batch import FrameTokens

    generator = torch.Generator().manual_seed(0)
    return [
        FrameTokens(*(torch.randn(frames, 4, WIDTH, generator=generator) for _ in range(2)), tuple(range(frames)))
        for frames in (4, 2)
    ]


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A folder with a small Llama of random weights and a chat tokenizer, as `save_pretrained` writes them."""
    return save_llama(tmp_path_factory.mktemp("llama"), 64)  # bitsandbytes wants whole blocks of 64

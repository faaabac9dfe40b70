import math

import pytest
import torch

from hawk_pipelines.model.losses import next_token_loss, video_motion_loss


def test_next_token_loss_of_even_odds_is_the_log_of_the_vocabulary():
    labels = torch.tensor([[-100, 3, 1]])
    assert next_token_loss(torch.zeros(1, 3, 5), labels).item() == pytest.approx(math.log(5))


def test_a_token_is_predicted_from_the_one_before():
    logits = torch.full((1, 3, 4), -100.0)
    logits[0, 0, 2] = logits[0, 1, 3] = 100.0
    assert next_token_loss(logits, torch.tensor([[0, 2, 3]])).item() == pytest.approx(0, abs=1e-5)


def test_video_motion_loss_is_the_mean_over_samples_not_one_over_the_batch():
    appearance = torch.tensor([[[1.0, 0.0]], [[100.0, 0.0]]])
    motion = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]])
    assert video_motion_loss(appearance, motion).item() == pytest.approx(0.5)

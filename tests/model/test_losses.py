import math

import pytest
import torch

from hawk_pipelines.model.losses import before_labels, mean_over_labels, next_token_losses, spread, video_motion_losses


def test_next_token_loss_of_even_odds_is_the_log_of_the_vocabulary():
    labels = torch.tensor([[3, 1]])
    assert next_token_losses(torch.zeros(1, 2, 5), labels).item() == pytest.approx(math.log(5))


def test_a_token_is_predicted_from_the_one_before_and_nothing_else_is_looked_at():
    labels = torch.tensor([[-100, -100, 2, 3, -100], [-100, -100, -100, 1, -100]])
    places = before_labels(labels)
    assert places.tolist() == [1, 2]
    logits = torch.full((2, 5, 4), -100.0)
    logits[0, 1, 2] = logits[0, 2, 3] = logits[1, 2, 1] = 100.0
    assert next_token_losses(logits[:, places], labels[:, places + 1]).tolist() == pytest.approx([0, 0], abs=1e-5)


def test_without_a_label_nothing_is_lost_and_a_gradient_flows():
    labels = torch.full((2, 4), -100)
    logits = torch.zeros(2, 4, 5, requires_grad=True)
    losses = next_token_losses(logits[:, before_labels(labels)], labels[:, before_labels(labels) + 1])
    losses.sum().backward()
    assert losses.tolist() == [0, 0]
    assert logits.grad is not None


def test_each_sample_has_a_mean_of_its_own_however_long_its_answer():
    logits = torch.zeros(2, 3, 5)
    logits[0, :, 1] = 100.0
    losses = next_token_losses(logits, torch.tensor([[-100, -100, 1], [1, 1, 1]]))
    assert losses.tolist() == pytest.approx([0, math.log(5)], abs=1e-5)


def test_every_label_of_a_batch_weighs_the_same():
    labels = torch.tensor([[-100, -100, -100, 1], [-100, 1, 1, 1]])
    assert mean_over_labels(torch.tensor([3.0, 1.0]), labels).item() == 1.5


def test_samples_without_labels_do_not_count():
    labels = torch.tensor([[-100, 1], [-100, -100]])
    assert mean_over_labels(torch.tensor([3.0, 0.0]), labels).item() == 3
    assert mean_over_labels(torch.tensor([0.0]), labels[1:]).item() == 0


def test_video_motion_loss_is_one_per_sample_not_one_over_the_batch():
    appearance = torch.tensor([[[1.0, 0.0]], [[100.0, 0.0]]])
    motion = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]])
    assert video_motion_losses(appearance, motion).tolist() == pytest.approx([1.0, 0.0])


def test_a_branch_that_says_the_same_of_every_video_has_no_spread():
    same = torch.randn(1, 2, 3).expand(4, -1, -1)
    assert spread(same).item() == pytest.approx(0, abs=1e-7)
    assert spread(torch.randn(4, 2, 3)).item() > 0.1

import pytest
import torch

from hawk_pipelines.model.batch import collate
from hawk_pipelines.model.errors import ModelError
from hawk_pipelines.model.prompting import Turn, Video, example
from hawk_pipelines.model.settings import BranchSettings, LanguageModelSettings, LoraSettings, LossSettings
from tests.model.conftest import SIZES, WIDTH, make_parts

TERMS = ("video_language_loss", "video_motion_loss", "motion_language_loss")


def _batch(parts, videos, motion_texts=("person running", "person running")):
    model, tokenizer = parts
    about = Video(model.config.queries, model.config.motion_branch)
    laid_out = [
        example(tokenizer, [Turn(question, "A person in red is running.")], motion_text, about, parts.prompt)
        for question, motion_text in zip(("Describe it.", "Who?"), motion_texts, strict=True)
    ]
    return collate(laid_out, videos, tokenizer.pad_token_id)


def _received(module):
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


def test_the_total_is_the_weighted_sum_of_three_different_terms(parts, videos):
    output = parts.model(**_batch(parts, videos))
    terms = [output[term] for term in TERMS]
    assert output.loss.item() == pytest.approx((terms[0] + 0.1 * terms[1] + 0.1 * terms[2]).item())
    assert len({round(term.item(), 4) for term in terms}) == 3
    assert output.video_motion_loss.item() == pytest.approx(1 - output.cosine.item(), abs=1e-6)


def test_each_term_is_a_mean_over_samples(parts, videos):
    batch = _batch(parts, videos)
    both = parts.model(**batch)
    for row in range(2):
        alone = parts.model(**{name: tensor[row : row + 1] for name, tensor in batch.items()})
        for term in TERMS:
            assert alone[term].item() == pytest.approx(both.sample_losses[term][row].item(), abs=1e-5)
    for term in TERMS:
        assert both[term].item() == pytest.approx(both.sample_losses[term].mean().item())


@pytest.mark.parametrize("term", TERMS)
def test_a_term_that_is_switched_off_is_not_computed(samples, videos, term):
    weight = term.removesuffix("_loss")
    parts = make_parts(samples, **{weight: 0})
    output = parts.model(**_batch(parts, videos))
    assert getattr(output, term) is None
    weights = LossSettings()
    others = {t: getattr(weights, t.removesuffix("_loss")) for t in TERMS if t != term}
    assert output.loss.item() == pytest.approx(sum(w * output[t].item() for t, w in others.items()), rel=1e-5)
    assert output.cosine is not None  # a collapse is seen all the same
    output.loss.backward()


@pytest.mark.parametrize(
    ("term", "appearance", "motion"),
    [("video_language_loss", True, True), ("video_motion_loss", True, True), ("motion_language_loss", False, True)],
)
def test_which_branch_each_loss_teaches(parts, videos, term, appearance, motion):
    parts.model(**_batch(parts, videos))[term].backward()
    assert _received(parts.model.appearance) is appearance
    assert _received(parts.model.motion) is motion


def test_with_everything_frozen_exactly_the_branches_learn(samples, videos, llama):
    frozen = SIZES.model_copy(update={"language_model": LanguageModelSettings(source=str(llama))})
    parts = make_parts(samples, frozen)
    parts.model(**_batch(parts, videos)).loss.backward()
    without = [name for name, p in parts.model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    branches = [name for name, _ in parts.model.named_parameters() if name.startswith(("appearance.", "motion."))]
    assert not set(without) & {name for name in branches if not name.endswith(("key.bias",))}  # softmax is blind to key biases
    assert {name for name, p in parts.model.named_parameters() if p.requires_grad} == set(branches)
    assert all(p.grad is None for p in parts.model.language_model.parameters())


def test_adapters_learn_and_nothing_else_of_the_language_model(samples, videos, llama):
    speaks = LanguageModelSettings(source=str(llama), lora=LoraSettings(rank=2, dropout=0))
    parts = make_parts(samples, SIZES.model_copy(update={"language_model": speaks}))
    parts.model(**_batch(parts, videos)).loss.backward()
    trained = {name for name, p in parts.model.language_model.named_parameters() if p.grad is not None}
    assert trained
    assert all("lora_" in name for name in trained)


def test_a_frozen_language_model_has_no_dropout_in_training(samples, videos, llama):
    parts = make_parts(samples, SIZES.model_copy(update={"language_model": LanguageModelSettings(source=str(llama))}))
    parts.model.train()
    assert parts.model.appearance.training
    assert not parts.model.language_model.training


def test_without_a_motion_branch(samples, videos):
    parts = make_parts(samples, SIZES.model_copy(update={"branches": SIZES.branches.model_copy(update={"motion": False})}))
    batch = _batch(parts, videos)
    assert "motion_tokens" not in batch
    output = parts.model(**batch)
    assert output.loss.item() == output.video_language_loss.item()
    assert output.cosine is None
    assert not [name for name, _ in parts.model.named_parameters() if name.startswith("motion.") or "compression" in name]
    output.loss.backward()


def test_without_a_motion_text_its_loss_is_zero_and_training_goes_on(parts, videos):
    output = parts.model(**_batch(parts, videos, motion_texts=("", "")))
    assert output.motion_language_loss.item() == 0
    output.loss.backward()


def test_a_sample_without_a_motion_text_does_not_dilute_the_others(parts, videos):
    both = parts.model(**_batch(parts, videos))
    one = parts.model(**_batch(parts, videos, motion_texts=("person running", "")))
    assert one.motion_language_loss.item() == pytest.approx(both.sample_losses["motion_language_loss"][0].item(), abs=1e-5)


def test_padding_changes_nothing(parts, videos):
    """The loss of a short video is the same alone and beside a longer one."""
    model, tokenizer = parts
    about = Video(model.config.queries)
    one = example(tokenizer, [Turn("describe it", "A person.")], "person", about, parts.prompt)
    longer = example(tokenizer, [Turn("describe it and say more", "A person in red is running.")], "", about, parts.prompt)
    alone = model(**collate([one], videos[1:], tokenizer.pad_token_id))
    both = model(**collate([one, longer], videos[::-1], tokenizer.pad_token_id))
    for term in ("video_language_loss", "video_motion_loss", "motion_language_loss"):
        assert both.sample_losses[term][0].item() == pytest.approx(alone[term].item(), abs=1e-5)


def test_the_answer_depends_on_both_branches_and_on_the_order_of_frames(parts, videos):
    batch = _batch(parts, videos)
    loss = parts.model(**batch).video_language_loss
    for name in ("appearance_tokens", "motion_tokens"):
        changed = batch | {name: batch[name].roll(1, dims=1)}
        assert abs(parts.model(**changed).video_language_loss - loss) > 1e-6


def test_inputs_that_do_not_fit(parts, videos):
    model = parts.model
    with pytest.raises(ModelError, match="5 frames but the model has 4"):
        model.appearance(torch.zeros(1, 5, 4, WIDTH))
    with pytest.raises(ModelError, match="7 wide but the model was made for 16"):
        model.appearance(torch.zeros(1, 4, 4, 7))
    batch = _batch(parts, videos)
    with pytest.raises(ModelError, match="given no motion tokens"):
        model(**(batch | {"motion_tokens": None}))
    batch["input_ids"][0, :60] = 0
    with pytest.raises(ModelError, match="exactly 3 placeholders"):
        model(**batch)


def test_sizes_must_divide():
    with pytest.raises(ValueError, match="multiple of heads"):
        BranchSettings(width=10, heads=4)

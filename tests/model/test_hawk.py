import pytest
import torch

from hawk_pipelines.model.answering import answer
from hawk_pipelines.model.batch import collate
from hawk_pipelines.model.checkpoint import CheckpointError, load, save
from hawk_pipelines.model.prompting import PromptError, example


def _batch(parts, motion_text="person running"):
    model, tokenizer, tokens = parts
    laid_out = [
        example(tokenizer, request, "A person in red is running.", motion_text, model.config.queries)
        for request in ("describe it", "answer: Who?")
    ]
    return collate(laid_out, tokens, [t.flip(0) for t in tokens], tokenizer.pad_token_id)


def _received(module):
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


def test_the_total_is_the_weighted_sum_of_three_different_terms(parts):
    output = parts[0](**_batch(parts))
    terms = [output.video_language_loss, output.video_motion_loss, output.motion_language_loss]
    assert output.loss.item() == pytest.approx((terms[0] + 0.1 * terms[1] + 0.1 * terms[2]).item())
    assert len({round(term.item(), 4) for term in terms}) == 3
    assert output.video_motion_loss.item() == pytest.approx(1 - output.cosine.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("term", "appearance", "motion"),
    [("video_language_loss", True, True), ("video_motion_loss", True, True), ("motion_language_loss", False, True)],
)
def test_which_branch_each_loss_teaches(parts, term, appearance, motion):
    model = parts[0]
    model(**_batch(parts))[term].backward()
    assert _received(model.appearance) is appearance
    assert _received(model.motion) is motion


def test_without_a_motion_text_its_loss_is_zero_and_training_goes_on(parts):
    output = parts[0](**_batch(parts, motion_text=""))
    assert output.motion_language_loss.item() == 0
    output.loss.backward()


def test_padding_changes_nothing(parts):
    """The loss of a short video is the same alone and beside a longer one."""
    model, tokenizer, tokens = parts
    one = example(tokenizer, "describe it", "A person.", "person", model.config.queries)
    longer = example(tokenizer, "describe it and say much more about it", "A person in red is running.", "", model.config.queries)
    alone = model(**collate([one], tokens[1:], tokens[1:], tokenizer.pad_token_id))
    both = collate([one, longer], [tokens[1], tokens[0]], [tokens[1], tokens[0]], tokenizer.pad_token_id)
    both["labels"][1] = -100
    assert model(**both).video_language_loss.item() == pytest.approx(alone.video_language_loss.item(), abs=1e-5)


def test_labels_are_on_the_answer_and_its_end_only(parts):
    _, tokenizer, _ = parts
    laid_out = example(tokenizer, "describe it", "A person.", "", 3)
    labelled = [token for token in laid_out.labels if token != -100]
    assert tokenizer.decode(labelled) == "A person.<eos>"
    assert laid_out.input_ids[-len(labelled) :] == labelled


def test_the_answer_depends_on_both_branches_and_on_the_order_of_frames(parts):
    model, _, _ = parts
    batch = _batch(parts)
    loss = model(**batch).video_language_loss
    for name in ("appearance_tokens", "motion_tokens"):
        changed = batch | {name: batch[name].roll(1, dims=1)}
        assert abs(model(**changed).video_language_loss - loss) > 1e-6


def test_batched_answers_equal_single_ones(parts):
    model, tokenizer, tokens = parts
    requests = ["describe it", "answer: Who is in the video and what does it do there?"]
    batched = answer(model, tokenizer, tokens, tokens, requests, 8)
    assert batched == [answer(model, tokenizer, [t], [t], [r], 8)[0] for t, r in zip(tokens, requests, strict=True)]


def test_a_saved_model_answers_the_same(parts, tmp_path):
    model, tokenizer, tokens = parts
    save(tmp_path, model, tokenizer)
    again = load(tmp_path)
    assert answer(again.model, again.tokenizer, tokens, tokens, ["a", "b"], 8) == answer(
        model, tokenizer, tokens, tokens, ["a", "b"], 8
    )
    assert all(
        torch.equal(one, two) for one, two in zip(model.state_dict().values(), again.model.state_dict().values(), strict=True)
    )
    assert not list(tmp_path.glob("*.bin"))


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_folder_that_holds_no_model(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="kedro run --pipelines=finetune"):
        load(tmp_path)


def test_questions_that_cannot_be_asked(parts):
    model, tokenizer, tokens = parts
    with pytest.raises(PromptError, match="empty"):
        answer(model, tokenizer, tokens[:1], tokens[:1], [" "], 8)
    with pytest.raises(PromptError, match="ask a shorter one"):
        answer(model, tokenizer, tokens[:1], tokens[:1], ["why " * 1000], 8)


def test_placeholders_in_a_question_are_only_words(parts):
    model, tokenizer, tokens = parts
    assert isinstance(answer(model, tokenizer, tokens[:1], tokens[:1], ["answer: <appearance><|assistant|> hi?"], 4)[0], str)


def test_more_frames_than_positions(parts):
    model, _, _ = parts
    too_many = torch.zeros(1, 5, 4, model.config.qformer_config.encoder_hidden_size)
    with pytest.raises(ValueError, match="5 frames but the model has 4"):
        model.appearance(too_many)

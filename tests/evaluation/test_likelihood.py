"""Real small models: probabilities of beginnings are those of tokens, whatever else lies in a batch."""

import numpy as np
import pytest
import torch

from hawk_pipelines.evaluation import likelihood
from hawk_pipelines.evaluation.likelihood import Doubt, log_likelihoods, unusual, unusual_of_all
from hawk_pipelines.model.answering import video_of, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.errors import PromptError
from hawk_pipelines.model.prompting import prompt_ids
from tests.training.made import MODEL, WIDTH, sentences, small_parts

QUESTION = "Is a person near the gate?"
WORDS = ["A person", "A red car", "car", "A red truck near the gate", "Q"]


@pytest.fixture(scope="module")
def seen():
    """Three videos of different lengths; the times that are told of them are of different lengths, too."""
    generator = torch.Generator().manual_seed(0)
    return [
        FrameTokens(*(torch.randn(T, 4, WIDTH, generator=generator).half() for _ in range(2)), tuple(late + t for t in range(T)))
        for T, late in ((4, 0), (2, 95), (3, 1000))
    ]


@pytest.fixture(scope="module", params=[False, True], ids=["two branches", "no motion, times told"])
def parts(request):
    model = MODEL.model_copy(deep=True)
    model.branches.motion = not request.param
    model.prompt.tell_times = request.param
    model.branches.initializer_range = 1.0  # so that an untrained model says something else of every video
    made = small_parts(sentences([f"v{number}" for number in range(5)]), model, seed=3)
    return Parts(made.model.eval(), made.tokenizer)


@torch.no_grad()
def _token_by_token(parts, video, text):
    """The log-probability of a beginning, one token after the other."""
    watched = watch(parts.model, [video])
    ids = prompt_ids(parts.tokenizer, QUESTION, video_of(parts.model, video.times_s, parts.prompt), parts.prompt)
    together = 0.0
    for token in parts.tokenizer(text, add_special_tokens=False)["input_ids"]:
        embeddings = parts.model.embed(torch.tensor([ids]), watched.appearance_BQD, watched.motion_BQD)
        logits = parts.model.language_model(inputs_embeds=embeddings).logits[0, -1]
        together += logits.double().log_softmax(-1)[token].item()
        ids = [*ids, token]
    return together


def test_a_beginning_is_as_likely_as_its_tokens_one_after_the_other(parts, seen):
    found = log_likelihoods(parts, watch(parts.model, seen), QUESTION, [video.times_s for video in seen], WORDS)
    assert found == pytest.approx(np.array([[_token_by_token(parts, video, text) for text in WORDS] for video in seen]), abs=1e-3)
    assert (np.ptp(found, axis=0) > 1e-2).all()  # videos are told apart


def test_what_can_be_read_off_together_takes_one_pass():
    """Beginnings in tokens: all but the last are put in, and a shorter beginning is read off on the way to a longer one."""
    assert likelihood._passes([(1,), (2,)]) == {(): [0, 1]}
    assert likelihood._passes([(1, 5), (1, 2, 3, 4), (1, 2, 9), (7, 8), (6,)]) == {(1, 2, 3): [1, 2, 0, 4], (7,): [3]}


def test_all_first_tokens_together_are_certain(parts, seen):
    """The probability of a beginning leaves open what follows."""
    vocabulary = parts.tokenizer.convert_ids_to_tokens(range(len(parts.tokenizer)))
    single = [t for t in vocabulary if parts.tokenizer(t, add_special_tokens=False)["input_ids"] == [vocabulary.index(t)]]
    single = [text for text in single if text.strip() and text not in parts.tokenizer.all_special_tokens and text[0] != "<"]
    found = log_likelihoods(parts, watch(parts.model, seen[:1]), QUESTION, [seen[0].times_s], single)
    assert 0.1 < np.exp(found).sum() <= 1 + 1e-6


def test_probabilities_are_normalised_over_both_kinds_of_beginnings():
    given = np.log([[0.1, 0.2, 0.1], [1e-200, 1e-210, 3e-200], [0.5, 0.25, 0.25]])
    probability, share = unusual(given, 2)
    assert probability.tolist() == pytest.approx([0.75, 0.25, 0.75])
    assert share.tolist() == pytest.approx([0.4, 0, 1])


def test_batches_change_nothing(parts, seen):
    doubt = Doubt(QUESTION, ["A person", "car"], ["A red"])
    asked = []
    alone, _ = unusual_of_all(parts, range(3), lambda number: asked.append(number) or seen[number], doubt, 1)
    batched, shares = unusual_of_all(parts, range(3), seen.__getitem__, doubt, 2)
    assert batched == pytest.approx(alone, abs=1e-4)
    assert asked == [0, 1, 2]
    assert ((shares > 0) & (shares < 1)).all()
    assert [len(row) for row in unusual_of_all(parts, [], seen.__getitem__, doubt, 2)] == [0, 0]


@pytest.mark.parametrize("words", [["A", "A red"], ["car", "car"], ["Q", " "], ["Q", ""]])
def test_beginnings_that_say_nothing_apart_are_refused(parts, seen, words):
    with pytest.raises(PromptError, match="begin"):
        log_likelihoods(parts, watch(parts.model, seen[:1]), QUESTION, [seen[0].times_s], words)


def test_what_steers_the_language_model_is_no_answer(parts, seen):
    with pytest.raises(PromptError, match="cannot begin with"):
        likelihood._words(parts, parts.tokenizer.eos_token)

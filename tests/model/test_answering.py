import pytest
import torch

from hawk_pipelines.model.answering import Query, answer, stream, watch
from hawk_pipelines.model.errors import ModelError, PromptError
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.model.settings import GenerationSettings, LanguageModelSettings
from tests.model.conftest import SIZES, make_parts

EIGHT = GenerationSettings(max_new_tokens=8)
QUERIES = [Query("Describe it."), Query("Who is in the video and what does it do there?", (Turn("What?", "It runs."),))]


def _ask(parts, videos, queries, generation=EIGHT):
    return answer(parts, watch(parts.model, videos), queries, [video.times_s for video in videos], generation)


@pytest.fixture(params=["tiny", "pretrained"])
def any_parts(request, samples):
    if request.param == "tiny":
        return make_parts(samples, seed=3)  # one that says something, though it never learned anything
    speaks = LanguageModelSettings(source=str(request.getfixturevalue("llama")))
    return make_parts(samples, SIZES.model_copy(update={"language_model": speaks}))


@pytest.mark.parametrize("beams", [1, 3])
def test_batched_answers_equal_single_ones(any_parts, videos, beams):
    """Although the second video is shorter and the second question longer."""
    generation = GenerationSettings(max_new_tokens=8, beams=beams)
    batched = _ask(any_parts, videos, QUERIES, generation)
    assert batched == [_ask(any_parts, [v], [q], generation)[0] for v, q in zip(videos, QUERIES, strict=True)]
    assert any(batched)


def test_draws_follow_their_seed_and_disturb_no_other(any_parts, videos):
    hot = [GenerationSettings(max_new_tokens=8, temperature=5.0, seed=seed) for seed in (1, 1, 2)]
    torch.manual_seed(5)
    one, again, other = (_ask(any_parts, videos, QUERIES, generation) for generation in hot)
    assert one == again != other
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)


def test_a_streamed_answer_is_the_answer_in_pieces(any_parts, videos):
    whole = _ask(any_parts, videos[:1], QUERIES[:1])[0]
    pieces = list(stream(any_parts, watch(any_parts.model, videos[:1]), QUERIES[0], videos[0].times_s, EIGHT))
    assert "".join(pieces).strip() == whole


def test_a_fault_while_streaming_reaches_the_listener(any_parts, videos):
    watched = watch(any_parts.model, videos[:1])
    broken = watched._replace(appearance_BQD=watched.appearance_BQD[:, :1])
    with pytest.raises(ModelError, match="placeholders"):
        list(stream(any_parts, broken, QUERIES[0], videos[0].times_s, EIGHT))
    with pytest.raises(ModelError, match="one beam"):
        list(stream(any_parts, watched, QUERIES[0], videos[0].times_s, GenerationSettings(beams=2)))


def test_earlier_turns_change_the_answer(any_parts, videos):
    watched = watch(any_parts.model, videos[:1])
    earlier = (Turn("Is it a person in red, running?", "Running running."),)
    first, later = (answer(any_parts, watched, [Query("Who?", turns)], [()], EIGHT) for turns in ((), earlier))
    assert first != later


def test_questions_that_cannot_be_asked(parts, videos):
    with pytest.raises(PromptError, match="empty"):
        _ask(parts, videos[:1], [Query(" ")])
    with pytest.raises(PromptError, match="ask a shorter one"):
        _ask(parts, videos[:1], [Query("why " * 1000)])
    with pytest.raises(PromptError, match="in words"):
        _ask(parts, videos[:1], [Query("<appearance><eos>")])


def test_placeholders_in_a_question_are_only_words(parts, videos):
    assert isinstance(_ask(parts, videos[:1], [Query("<appearance><|assistant|> hi?")])[0], str)


def test_more_frames_than_positions(parts, videos):
    longer = videos[0]._replace(appearance=torch.cat([videos[0].appearance] * 2), motion=torch.cat([videos[0].motion] * 2))
    with pytest.raises(ModelError, match="8 frames but the model has 4"):
        watch(parts.model, [longer])

import shutil
import threading

import pytest
import torch

from hawk_pipelines.model import answering
from hawk_pipelines.model.answering import Query, answer, stream, video_of, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.errors import ModelError, PromptError
from hawk_pipelines.model.prompting import Turn, prompt_ids
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
    return make_parts(samples, _speaking(request.getfixturevalue("llama")))


def _speaking(folder):
    return SIZES.model_copy(update={"language_model": LanguageModelSettings(source=str(folder))})


@pytest.mark.parametrize("beams", [1, 3])
def test_batched_answers_equal_single_ones(any_parts, videos, beams):
    """Although the second video is shorter and the second question longer."""
    generation = GenerationSettings(max_new_tokens=8, beams=beams)
    batched = _ask(any_parts, videos, QUERIES, generation)
    assert batched == [_ask(any_parts, [v], [q], generation)[0] for v, q in zip(videos, QUERIES, strict=True)]
    assert any(batched)


def test_what_is_asked_for_reaches_the_language_model(any_parts, videos, monkeypatch):
    """And nothing that the language model says by itself does."""
    any_parts.model.language_model.generation_config.repetition_penalty = 5.0
    taken = {}
    monkeypatch.setattr(any_parts.model.language_model, "generate", lambda **o: taken.update(o) or torch.zeros(1, 1, dtype=int))
    _ask(any_parts, videos[:1], QUERIES[:1], GenerationSettings(max_new_tokens=5, beams=3, temperature=0.7, top_p=0.9))
    assert (taken["max_new_tokens"], taken["num_beams"], taken["temperature"], taken["top_p"]) == (5, 3, 0.7, 0.9)
    assert taken["do_sample"]
    assert taken["eos_token_id"] == [any_parts.tokenizer.eos_token_id]
    _ask(any_parts, videos[:1], QUERIES[:1])
    assert (taken["num_beams"], taken["do_sample"]) == (1, False)


def test_a_pretrained_models_own_way_to_answer_does_not_leak_in(samples, videos, llama, tmp_path):
    folder = shutil.copytree(llama, tmp_path / "llama")
    plain = make_parts(samples, _speaking(folder))
    (folder / "generation_config.json").write_text('{"repetition_penalty": 5.0, "do_sample": true, "temperature": 9.0}')
    assert _ask(make_parts(samples, _speaking(folder)), videos, QUERIES) == _ask(plain, videos, QUERIES)


def test_an_answer_ends_at_the_end_token(samples, videos, llama, monkeypatch):
    """With a token of the answer made the end, only what is before it is said."""
    parts = make_parts(samples, _speaking(llama))
    watched = watch(parts.model, videos[:1])
    ids = prompt_ids(parts.tokenizer, "Who?", video_of(parts.model, (), parts.prompt), parts.prompt)
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=int), "watched": watched}
    said = parts.model.generate(**inputs, max_new_tokens=6, do_sample=False, pad_token_id=0, eos_token_id=None)[0].tolist()
    cut = next(n for n in range(1, 6) if said[n] not in said[:n])
    monkeypatch.setattr(answering, "end_token_id", lambda *_: said[cut])
    stopped = answer(parts, watched, [Query("Who?")], [()], GenerationSettings(max_new_tokens=6))[0]
    assert stopped == parts.tokenizer.decode(said[:cut], skip_special_tokens=True).strip()


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


def test_who_stops_listening_stops_the_search(any_parts, videos):
    before = set(threading.enumerate())
    pieces = stream(any_parts, watch(any_parts.model, videos[:1]), QUERIES[0], (), GenerationSettings(max_new_tokens=300))
    next(pieces)
    pieces.close()
    assert set(threading.enumerate()) <= before


def test_batches_that_do_not_fit_together(any_parts, videos):
    model = any_parts.model
    with pytest.raises(ModelError, match="tokens of one shape"):
        watch(model, [])
    with pytest.raises(ModelError, match="tokens of one shape"):
        watch(model, [videos[0], FrameTokens(torch.zeros(2, 3, 16), torch.zeros(2, 3, 16))])
    with pytest.raises(ModelError, match="as many frames of motion as of appearance"):
        watch(model, [videos[0]._replace(motion=videos[0].motion[:2])])
    with pytest.raises(ModelError, match="2 videos, 1 questions"):
        answer(any_parts, watch(model, videos), QUERIES[:1], [()])


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
    with pytest.raises(PromptError, match="an answer of 4096 leaves none"):
        _ask(parts, videos[:1], [Query("Who?")], GenerationSettings(max_new_tokens=4096))
    length = len(prompt_ids(parts.tokenizer, "Who?", video_of(parts.model, (), parts.prompt), parts.prompt))
    parts.model.language_model.config.max_position_embeddings = length + 8
    assert _ask(parts, videos[:1], [Query("Who?")]) is not None  # it fits exactly
    with pytest.raises(PromptError, match="room for"):
        _ask(parts, videos[:1], [Query("Who?")], GenerationSettings(max_new_tokens=9))
    with pytest.raises(PromptError, match="in words"):
        _ask(parts, videos[:1], [Query("<appearance><eos>")])


def test_placeholders_in_a_question_are_only_words(parts, videos):
    assert isinstance(_ask(parts, videos[:1], [Query("<appearance><|assistant|> hi?")])[0], str)


def test_more_frames_than_positions(parts, videos):
    longer = videos[0]._replace(appearance=torch.cat([videos[0].appearance] * 2), motion=torch.cat([videos[0].motion] * 2))
    with pytest.raises(ModelError, match="8 frames but the model has 4"):
        watch(parts.model, [longer])

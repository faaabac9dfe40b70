import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch

from hawk_pipelines.language.requests import DESCRIPTION_REQUESTS
from hawk_pipelines.model.losses import IGNORED
from hawk_pipelines.model.settings import BranchSettings, PromptSettings, TinyDecoderSettings
from hawk_pipelines.schema import DESCRIBE, Sample
from hawk_pipelines.training.data import WINDOW, Collator, Learned, TrainingError, learned_tokens, usable_samples
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.samples import SampleFile, write_samples
from tests.conftest import ROOT
from tests.training.made import MODEL, draws_of, layout_of, sentences, small_parts, stored

ITEMS = [f"v{number}" for number in range(10)]


@pytest.fixture
def features(tmp_path):
    store, items = stored(tmp_path / "store", ITEMS)
    return Features(items, store)


@pytest.fixture(scope="module")
def parts():
    return small_parts(sentences(ITEMS))


def _told(parts, draws):
    """Of each draw its item and the prompt and the answer in words."""
    told = []
    for number in range(len(draws)):
        drawn = draws[number]
        ids, labels = drawn.example.input_ids, drawn.example.labels
        answer = [token for token in labels if token != IGNORED]
        told.append((drawn.item_id, parts.tokenizer.decode(ids[: len(ids) - len(answer)]), parts.tokenizer.decode(answer)))
    return told


def _sampled(draws, samples):
    """Which sample each draw is of: its place in the list."""
    return [int(draws._numbers[place]) for place in draws._place]


# --- what is drawn -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("batch_size", [1, 7])
def test_without_grouping_all_items_come_before_any_comes_again(tmp_path, features, parts, batch_size, seed):
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 30, batch_size, seed=seed, group_by_length=False)
    drawn = [draws[number].item_id for number in range(len(draws))]
    rounds = [drawn[start : start + len(ITEMS)] for start in range(0, len(drawn), len(ITEMS))]
    assert all(len(set(one)) == len(one) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1 or len(rounds) == 1  # shuffled anew


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("batch_size", [1, 7])
def test_grouping_changes_the_order_within_windows_alone(tmp_path, features, parts, batch_size, seed):
    """What is drawn in a window of batches is the same with and without; so an item comes again only after all the others,
    give or take a window."""
    two = [
        draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 40, batch_size, seed=seed, group_by_length=grouped)
        for grouped in (True, False)
    ]
    grouped, plain = (_told(parts, draws) for draws in two)
    assert grouped != plain
    window = WINDOW * batch_size
    for start in range(0, len(plain), window):
        assert Counter(grouped[start : start + window]) == Counter(plain[start : start + window])


def test_grouping_pads_less_and_keeps_batches_in_no_order(tmp_path, features, parts):
    padded, middles = {}, []
    for grouped in (True, False):
        draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 48, 8, group_by_length=grouped)
        lengths = np.array([len(draws[number].example.input_ids) for number in range(len(draws))]).reshape(-1, 8)
        padded[grouped] = int((lengths.max(1, keepdims=True) - lengths).sum())
        middles = lengths.mean(1) if grouped else middles
    assert padded[True] < padded[False] / 2
    rising = np.mean(np.diff(middles) > 0)
    assert 0.3 < rising < 0.7  # neither from short to long nor the other way


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_description_is_asked_for_as_often_as_is_told_in_all_wordings(tmp_path, features, parts, share):
    steps = 100
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), steps, 10, description_share=share)
    prompts = [prompt for _, prompt, _ in _told(parts, draws)]
    asked = [prompt.endswith(("Who is it?<|assistant|>", "Where does it happen?<|assistant|>")) for prompt in prompts]
    expected = 1000 * share
    assert abs(1000 - sum(asked) - expected) <= 4 * (1000 * share * (1 - share)) ** 0.5
    if share == 1:
        ends = {request: request[1:].rstrip(".?!") for request in DESCRIPTION_REQUESTS}  # the sentence begins in lower case
        found = Counter(request for prompt in prompts for request, end in ends.items() if end in prompt)
        assert set(found) == set(DESCRIPTION_REQUESTS)
        assert min(found.values()) > 20  # of 50 each
    if share == 0:
        found = Counter(prompt.rpartition("answer: ")[2] for prompt in prompts)
        assert len(found) == 2  # both questions of the items
        assert min(found.values()) > 400


def test_an_item_with_one_task_only_has_that_one(tmp_path, features, parts):
    samples = [sample for sample in sentences(ITEMS) if (sample.task == "question") == (sample.item_id in ITEMS[:5])]
    draws = draws_of(tmp_path, samples, features, layout_of(parts), 20, 10)
    for number in _sampled(draws, samples):
        assert (samples[number].task == "question") == (samples[number].item_id in ITEMS[:5])
    assert Counter(samples[number].item_id for number in _sampled(draws, samples)) == dict.fromkeys(ITEMS, 20)


def test_the_same_seed_draws_the_same_and_another_one_something_else(tmp_path, features, parts):
    one, two, other = (draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 12, 8, seed=seed) for seed in (3, 3, 4))
    for number in range(len(one)):
        assert one[number].item_id == two[number].item_id
        assert one[number].example == two[number].example
        assert torch.equal(one[number].video.motion, two[number].video.motion)
    assert _told(parts, one) != _told(parts, other)


def test_a_longer_training_begins_like_a_shorter_one_where_it_draws_the_same_items(tmp_path, features, parts):
    """Every draw is decided before the first step: what comes does not depend on what was asked for before."""
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 12, 8)
    forwards = [(draws[number].item_id, draws[number].example) for number in range(96)]
    again = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 12, 8)
    backwards = [(again[number].item_id, again[number].example) for number in reversed(range(96))]
    assert forwards == backwards[::-1]


def test_a_copy_for_another_process_draws_the_same(tmp_path, features, parts):
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 6, 8)
    draws[0]  # something is kept now that a copy does not take along
    copy = pickle.loads(pickle.dumps(draws))  # noqa: S301
    assert _told(parts, copy) == _told(parts, draws)
    assert [copy[number].whole for number in range(48)] == [draws[number].whole for number in range(48)]


def test_every_sampling_is_drawn_and_its_own_times_are_told(tmp_path, features):
    samples = sentences(ITEMS)
    telling = small_parts(samples, MODEL.model_copy(update={"prompt": PromptSettings(tell_times=True)}))
    draws = draws_of(tmp_path, samples, features, layout_of(telling), 8, 10)
    seen = Counter()
    for number in range(len(draws)):
        drawn = draws[number]
        sampling = int(drawn.video.times_s[0] > 0)
        seen[sampling] += 1
        said = telling.tokenizer.decode(drawn.example.input_ids)
        assert ("at 0.5, 1.5, 2.5, 3.5 seconds" if sampling else "at 0.0, 1.0, 2.0, 3.0 seconds") in said
        assert torch.equal(drawn.video.appearance, features.read(drawn.item_id, sampling).appearance)
    assert min(seen.values()) > 20  # of 40 each


def test_times_are_not_told_where_they_are_not_asked_for(tmp_path, features, parts):
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 4, 10)
    assert not any("seconds" in prompt for _, prompt, _ in _told(parts, draws))
    assert {draws[number].video.times_s[0] for number in range(40)} == {0.0, 0.5}


def test_answers_and_motion_texts_are_whole_and_those_of_the_item(tmp_path, features, parts):
    samples = sentences(ITEMS)
    draws = draws_of(tmp_path, samples, features, layout_of(parts), 12, 10)
    for number, (item, _, answer) in zip(_sampled(draws, samples), _told(parts, draws), strict=True):
        assert (samples[number].item_id, f"{samples[number].answer}<eos>") == (item, answer)
    for number, place in enumerate(_sampled(draws, samples)):
        said = [token for token in draws[number].example.motion_text_labels if token != IGNORED]
        assert parts.tokenizer.decode(said) == (f"{samples[place].motion_text}<eos>" if samples[place].motion_text else "")


# --- shares ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("portions", [1, 2, 4])
def test_every_token_of_a_step_weighs_the_same_in_however_many_parts(tmp_path, features, parts, portions, grouped):
    """Some samples have no motion text; what a part has to learn need not be its portion of the whole."""
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 24, 8, group_by_length=grouped)
    collate, mixed = Collator(0), 0
    for step in range(24):
        part = 8 // portions
        batches = [collate([draws[8 * step + part * n + m] for m in range(part)]) for n in range(portions)]
        learned, whole = (torch.cat([batch[name] for batch in batches]) for name in ("learned", "whole"))
        said, moved = (
            torch.cat([(batch[name] != IGNORED).sum(1) for batch in batches]) for name in ("labels", "motion_text_labels")
        )
        assert learned.dtype == torch.int64  # whole numbers stay exact in bfloat16, where a batch is cast to it
        assert learned.tolist() == [[a, 1, m] for a, m in zip(said.tolist(), moved.tolist(), strict=True)]
        assert whole.tolist() == [[said.sum(), 8, moved.sum()]] * 8
        mixed += bool(0 < (moved > 0).sum() < 8)
    assert mixed > 12


@pytest.mark.parametrize("prompt", [{"tell_times": True}, {"layout": "published"}])
def test_what_there_is_to_learn_does_not_depend_on_how_it_is_asked(tmp_path, features, prompt):
    samples = sentences(ITEMS)
    asked = small_parts(samples, MODEL.model_copy(update={"prompt": PromptSettings(**prompt)}))
    draws = draws_of(tmp_path, samples, features, layout_of(asked), 8, 8)
    assert all(drawn.learned == Learned.of(drawn.example) for drawn in map(draws.__getitem__, range(64)))


def test_a_step_without_any_motion_text_has_no_share_of_it(tmp_path, features, parts):
    samples = [sample.model_copy(update={"motion_text": ""}) for sample in sentences(ITEMS)]
    draws = draws_of(tmp_path, samples, features, layout_of(parts), 2, 4)
    assert {(draws[number].learned.motion_text, draws[number].whole[1:]) for number in range(8)} == {(0, (4, 0))}


def test_tokens_are_counted_without_padding(tmp_path, features, parts):
    draws = draws_of(tmp_path, sentences(ITEMS), features, layout_of(parts), 2, 6)
    taken = [draws[number] for number in range(6)]
    lengths = [len(one.example.input_ids) + len(one.example.motion_text_ids) for one in taken]
    assert len(set(lengths)) > 1
    assert learned_tokens(Collator(0)(taken)) == sum(lengths)


# --- what can be learned from ------------------------------------------------------------------------------------------


def _file(folder, samples):
    write_samples(folder / "samples.jsonl", samples)
    return SampleFile(folder / "samples.jsonl")


def test_items_without_features_are_left_out_and_named(tmp_path, features, parts, caplog):
    samples = sentences([*ITEMS[:2], "w1", "w0"])
    usable = usable_samples(_file(tmp_path, samples), features, layout_of(parts), DESCRIPTION_REQUESTS)
    assert [samples[number].item_id for number in usable] == [ITEMS[0]] * 3 + [ITEMS[1]] * 3
    assert "2 item(s) without features are left out, for example w0." in caplog.text
    with pytest.raises(TrainingError, match=r"None of the 3 samples has features \(1 items lack them\); run `kedro run"):
        usable_samples(_file(tmp_path, sentences(["w"])), features, layout_of(parts), DESCRIPTION_REQUESTS)
    with pytest.raises(TrainingError, match="There is no sample: the train split is empty"):
        usable_samples(_file(tmp_path, []), features, layout_of(parts), DESCRIPTION_REQUESTS)


def _short(samples, context, **prompt):
    tiny = TinyDecoderSettings(width=32, heads=2, vocabulary=400, context=context)
    speaks = MODEL.language_model.model_copy(update={"tiny": tiny})
    return small_parts(samples, MODEL.model_copy(update={"language_model": speaks, "prompt": PromptSettings(**prompt)}))


@pytest.mark.parametrize("told", [False, True])
def test_what_is_longer_than_the_context_is_left_out_and_named_and_all_else_fits_whole(tmp_path, features, caplog, told):
    samples = sentences(ITEMS[:3])
    long = [f"because {' '.join(f'{n}' for n in range(count))}" for count in (2, 20, 70, 90)]
    samples += [Sample(item_id=ITEMS[5], task="question", question="Why?", answer=one, motion_text="") for one in long]
    parts = _short(samples, 128, tell_times=told)
    usable = usable_samples(_file(tmp_path, samples), features, layout_of(parts), DESCRIPTION_REQUESTS)
    left_out = [samples[number] for number in range(len(samples)) if number not in usable]
    assert samples[-1] in left_out
    assert samples[0] not in left_out
    assert f"{len(left_out)} of {len(samples)} samples are longer than the language model's context of 128 tokens" in caplog.text
    assert f"the longest, a question of item {ITEMS[5]}, takes" in caplog.text
    draws = draws_of(tmp_path, samples, features, layout_of(parts), 20, 6)
    assert {samples[number].answer for number in _sampled(draws, samples)} == {samples[number].answer for number in usable}
    for number, (_, _, answer) in zip(_sampled(draws, samples), _told(parts, draws), strict=True):
        assert answer == f"{samples[number].answer}<eos>"
    assert max(len(draws[number].example.input_ids) for number in range(len(draws))) <= 128


def test_a_motion_text_that_is_longer_than_the_context_counts_too(tmp_path, features, caplog):
    samples = sentences(ITEMS[:1])
    samples.append(samples[0].model_copy(update={"motion_text": "running " * 200}))
    usable = usable_samples(_file(tmp_path, samples), features, layout_of(_short(samples, 128)), DESCRIPTION_REQUESTS)
    assert usable == [0, 1, 2]
    assert "1 of 4 samples are longer" in caplog.text


def test_a_description_fits_in_whatever_words_it_is_asked_for(tmp_path, features):
    """The wording of the most tokens counts, which is not that of the most characters."""
    requests = ("Qzx vkwq zzxq jjkq", "Describe the unusual event in the video")
    samples = [
        Sample(item_id=item, task="description", question=DESCRIBE, answer="red " * number, motion_text="")
        for number, item in enumerate(ITEMS, 1)
    ]
    layout = layout_of(_short(samples, 64))
    lengths = [[len(layout.example(sample, request, ()).input_ids) for request in requests] for sample in samples]
    assert all(odd > plain for odd, plain in lengths)
    layout.context = sorted(odd for odd, _ in lengths)[5]
    usable = usable_samples(_file(tmp_path, samples), features, layout, requests)
    assert 0 < len(usable) < len(samples)
    assert all(max(lengths[number]) <= layout.context for number in usable)


def test_nothing_fits(tmp_path, features):
    samples = sentences(ITEMS[:2])
    queries = MODEL.model_copy(update={"branches": BranchSettings(queries=40, width=16, heads=2, compression_width=4)})
    tiny = TinyDecoderSettings(width=32, heads=2, vocabulary=400, context=64)
    speaks = queries.language_model.model_copy(update={"tiny": tiny})
    parts = small_parts(samples, queries.model_copy(update={"language_model": speaks}))
    with pytest.raises(TrainingError, match="6 of 6 samples are longer than the language model's context of 64 tokens; take"):
        usable_samples(_file(tmp_path, samples), features, layout_of(parts), DESCRIPTION_REQUESTS)


# --- at the size of a large data set ------------------------------------------------------------------------------------

MEMORY = """
import ctypes, resource, sys
from pathlib import Path
from hawk_pipelines.training.data import Collator
from hawk_pipelines.training.features import Features
from hawk_pipelines.schema import StoredItem
from tests.training.made import draws_of, layout_of, sentences, small_parts, stored

def resident_mb():
    ctypes.CDLL(None).malloc_trim(0)  # what was freed shall not hide what grows
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
store, kept = stored(folder / "store", [f"v{n}" for n in range(64)], frames=32)
items = [f"item {n}" for n in range(100_000)]
features = Features([StoredItem(item_id=item, key=kept[n % 64].key) for n, item in enumerate(items)], store)
said = sentences(items[:50])
samples = [
    said[n % 150].model_copy(update={"item_id": item, "task": task, "answer": f"{said[n % 150].answer} {n}"})
    for n, item in enumerate(items) for task in ("description", "question")
]
parts = small_parts(said)
draws = draws_of(folder, samples, features, layout_of(parts), steps, 8)
assert len(draws.samples) == 200_000
del samples, items
collate = Collator(0)
collate([draws[number] for number in range(8)])
before, seen = resident_mb(), set()
for step in range(steps):
    batch = collate([draws[8 * step + place] for place in range(8)])
    seen.update(batch["item_ids"])
print(resident_mb() - before, len(seen))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_steps_whatever_the_number_of_samples(tmp_path):
    """200,000 samples over repeated features, 2,000 batches of 8."""
    done = subprocess.run([sys.executable, "-c", MEMORY, tmp_path, "2000"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert not done.returncode, done.stderr[-2000:]
    grown_mb, seen = (float(word) for word in done.stdout.split())
    assert seen == 16_000  # every draw was of another item
    assert grown_mb < 200

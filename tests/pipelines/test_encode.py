"""The node over stored frames of noise, with real encoders."""

from queue import Queue

import numpy as np
import pytest
import torch

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model import frame_encoders
from hawk_pipelines.model.errors import ModelError
from hawk_pipelines.model.frame_encoders import build
from hawk_pipelines.model.frame_encoders.streams import encode_streams
from hawk_pipelines.pipelines.encode import nodes
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.schema import StoredItem
from hawk_pipelines.video.crops import crop, draw_box
from hawk_pipelines.video.flow import to_steps
from hawk_pipelines.video.stored import pack, unpack
from hawk_pipelines.video.streams import Streams
from tests.engine.test_run import files

P, T, SIZE = 2, 3, 64
TINY = {"kind": "tiny", "size": SIZE, "grid": 4}
NETWORK = {"kind": "efficientnet_lite0", "size": SIZE, "tokens": 4}


@pytest.fixture
def frame_store(tmp_path):
    """Six items with two samplings of three frames."""
    store = ItemStore(tmp_path / "frames")
    for number in range(6):
        rng = np.random.default_rng(number)
        frames = rng.integers(0, 256, (P, T, SIZE, SIZE, 3), dtype=np.uint8)
        steps = to_steps(rng.exponential(0.3, (P, T, SIZE, SIZE)))
        arrays, facts = pack(Streams(frames, steps, np.arange(P * T).reshape(P, T), rng.random((P, T))))
        store.write(f"{number:032x}", arrays, facts | {"flow": "dis"})
    store.pack(4)
    return store


@pytest.fixture
def encode(tmp_path, frame_store):
    """Run the node; what it made, in order, and the store."""

    def run(folder="features", items=range(6), seed=0, **parameters):
        store = ItemStore(tmp_path / folder)
        rows = [StoredItem(item_id=f"i{number}", key=f"{number:032x}") for number in items]
        parameters = EncodeParameters(**{"frame_encoder": TINY} | parameters)
        made, rejected = nodes.encode_frames(rows, frame_store, parameters, seed, EngineParameters(shards=4), store)
        return made, rejected, store

    return run


def _streams(frame_store, number=0):
    return unpack(frame_store.read(f"{number:032x}"), frame_store.facts(f"{number:032x}"))


@pytest.mark.parametrize("mask", ["soft", "hard"])
def test_every_view_of_every_phase_is_a_sampling_and_the_first_is_the_whole_frame(encode, frame_store, mask):
    made, _, store = encode(views=3, crop=0.5, mask=mask, seed=7)
    assert [row.item_id for row in made] == [f"i{number}" for number in range(6)]
    arrays, facts, streams = store.read(made[2].key), store.facts(made[2].key), _streams(frame_store, 2)
    assert {name: array.shape[:2] for name, array in arrays.items()} == {"appearance": (3 * P, T), "motion": (3 * P, T)}
    assert facts["times_s"] == streams.times_s.tolist() * 3
    encoder = build(EncodeParameters(frame_encoder=TINY).frame_encoder)
    for view in range(3):
        seen = crop(streams.frames, streams.magnitude, draw_box(SIZE, 0.5, 7, f"{2:032x}", view))
        for array, tokens in zip(arrays.values(), encode_streams(encoder, *seen, mask), strict=True):
            assert np.array_equal(array[view * P : (view + 1) * P], tokens.numpy())
    whole = encode_streams(encoder, streams.frames, streams.magnitude, mask)
    assert np.array_equal(store.read_part(made[2].key, 1)["motion"], whole[1][1].numpy())


def test_each_item_says_how_it_was_made(encode):
    made, _, store = encode(frame_encoder=NETWORK, mask="hard")
    facts = store.facts(made[0].key)
    assert facts["frame_encoder"] == EncodeParameters(frame_encoder=NETWORK).frame_encoder.model_dump(mode="json")
    assert len(facts["frame_encoder_sha256"]) == 64
    assert (facts["mask"], facts["flow"]) == ("hard", "dis")


def test_only_what_decides_the_tokens_makes_them_again(encode, caplog):
    caplog.set_level("INFO")
    keys = [row.key for row in encode()[0]]
    assert [row.key for row in encode(crop=0.3, seed=5, devices=0)[0]] == keys
    assert "encode: 0 done, 6 reused" in caplog.text
    others = [
        {"views": 2},
        {"views": 2, "crop": 0.3},
        {"views": 2, "seed": 5},
        {"mask": "hard"},
        {"frame_encoder": TINY | {"seed": 1}},
    ]
    assert len({encode(items=[0], **other)[0][0].key for other in others} - set(keys)) == len(others)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the encoders are on the CPU")
def test_the_bytes_are_the_same_by_one_thread_and_by_many_and_after_a_stop(encode, monkeypatch):
    """Two encoders on the CPU stand for two GPUs."""
    settings = {"frame_encoder": NETWORK, "views": 2}
    monkeypatch.setattr(nodes, "THREADS", 1)
    _, _, alone = encode("alone", **settings)
    encode("resumed", items=[4, 1], **settings)
    monkeypatch.setattr(nodes, "THREADS", 2)
    built = []

    def two(settings, gpus):
        built.extend(build(settings) for _ in range(2))
        for encoder in built:
            encoder.register_forward_pre_hook(lambda encoder, _: used.append(encoder))
        return built

    used = []
    monkeypatch.setattr(frame_encoders, "build_on_all", two)
    _, _, together = encode("together", **settings)
    _, _, resumed = encode("resumed", **settings)
    assert {id(encoder) for encoder in used} == {id(encoder) for encoder in built}
    assert files(together.root) == files(alone.root) == files(resumed.root)


def test_an_item_that_is_refused_stops_nothing_and_gives_its_encoder_back(encode, frame_store):
    frames = np.zeros((1, 1, 32, 32, 3), np.uint8)  # of another size
    frame_store.write(f"{6:032x}", *pack(Streams(frames, frames[..., 0].astype(np.uint16), np.zeros((1, 1)), np.zeros((1, 1)))))
    parameters, free = EncodeParameters(frame_encoder=TINY), Queue()
    free.put(build(parameters.frame_encoder))
    with pytest.raises(ModelError):
        nodes._tokens(free, frame_store, parameters, 0, {}, f"{6:032x}")
    assert free.qsize() == 1
    made, (rejection,), _ = encode(items=[6, 0, 1, 2, 3, 4, 5])
    assert len(made) == 6
    assert (rejection.item, rejection.step) == ("i6", "encode")
    assert "takes frames of 64×64 pixels, not of 32×32" in rejection.reason


def test_too_few_gpus_are_said_before_the_first_item(encode, tmp_path):
    with pytest.raises(ModelError, match=r"`encode.devices` asks for 99 GPUs, but there are"):
        encode(devices=99)
    assert not (tmp_path / "features").exists()

"""With tiny models of random weights, built from their configurations and loaded as any other is."""

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.evaluation.video_models import (
    Frames,
    VideoModelError,
    VideoModelParameters,
    answer_with_video_model,
    frames_reader,
)
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.schema import StoredItem
from hawk_pipelines.video.stored import pack
from hawk_pipelines.video.streams import Streams
from tests.evaluation.made import asked
from tests.evaluation.tiny_video_llava import SIZE, WORDS, save_llava_onevision, save_video_llava

QUESTIONS = ("what happens?", "who is there in the video")
ASKED = [asked(item, question) for item in "abc" for question in QUESTIONS]


@pytest.fixture(scope="module")
def video_llava(tmp_path_factory):
    return save_video_llava(tmp_path_factory.mktemp("video_llava"))


@pytest.fixture(scope="module")
def llava_onevision(tmp_path_factory):
    return save_llava_onevision(tmp_path_factory.mktemp("llava_onevision"))


def noise(seed, length=8, size=40):
    return Frames(np.random.default_rng(seed).integers(0, 256, (length, size, size, 3), np.uint8), np.arange(length) / 2)


FRAMES = {item: noise(seed) for seed, item in enumerate("abc")}


def answers(folder, ones=ASKED, shown=FRAMES, **settings):
    settings = {"source": str(folder), "max_new_tokens": 6, "device": "cpu"} | settings
    said = answer_with_video_model("Video-LLaVA", VideoModelParameters(**settings), ones, shown.get)
    assert all(one.model == "Video-LLaVA" for one in said)
    return {(one.item_id, one.question): one.answer for one in said}


def test_every_question_is_answered_alike_alone_and_in_any_company(video_llava):
    together = answers(video_llava)
    assert list(together) == [(one.item_id, one.question) for one in ASKED]
    assert all(set(answer.split()) <= set(WORDS) for answer in together.values())
    assert together == answers(video_llava)
    assert together == answers(video_llava, batch_size=1)
    assert together == answers(video_llava, ASKED[::-1], batch_size=2)
    uneven = [asked("a", "who"), asked("b", QUESTIONS[1]), asked("c", QUESTIONS[0])]  # a batch that has to be padded
    assert answers(video_llava, uneven) == answers(video_llava, uneven, batch_size=1)


def test_the_answer_is_about_the_video_and_the_question(video_llava):
    assert len(set(answers(video_llava).values())) == len(ASKED)
    backwards = {item: Frames(frames.pictures[::-1], frames.times_s) for item, frames in FRAMES.items()}
    assert answers(video_llava, shown=backwards) != answers(video_llava)


def test_the_model_gets_what_its_authors_give_it(video_llava):
    import torch
    from transformers import AutoTokenizer, VideoLlavaForConditionalGeneration, VideoLlavaImageProcessor

    model = VideoLlavaForConditionalGeneration.from_pretrained(video_llava).eval()
    tokenizer = AutoTokenizer.from_pretrained(video_llava)
    pixels = VideoLlavaImageProcessor.from_pretrained(video_llava)
    for item, frames in FRAMES.items():
        (shown,) = pixels(images=list(frames.pictures), return_tensors="pt").values()
        assert shown.shape == (8, 3, SIZE, SIZE)
        asks = f"USER: {'<video>' * 8 * 5}\n{QUESTIONS[0]} ASSISTANT:"  # of each frame four patches, and what stands before them
        ids = tokenizer(asks, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            made = model.generate(ids, pixel_values_videos=shown[None], max_new_tokens=6, do_sample=False)
        said = tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True).strip()
        assert answers(video_llava)[item, QUESTIONS[0]] == said


def test_a_video_is_encoded_once_however_often_it_is_asked(video_llava):
    from torch.nn.modules.module import register_module_forward_hook
    from transformers import CLIPVisionModel

    seen = []
    more = [*ASKED, asked("b", "is there a car?"), asked("c", "is there a car?")]
    count = register_module_forward_hook(
        lambda module, _, made: seen.append(len(made[0])) if isinstance(module, CLIPVisionModel) else None
    )
    try:
        assert len(answers(video_llava, more)) == len(more)
        assert seen == [3 * 8, 2 * 8]  # when `a` has been asked everything, the others are encoded without it
    finally:
        count.remove()


def test_a_chat_model_is_asked_in_a_chat(llava_onevision):
    together = answers(llava_onevision)
    assert len(set(together.values())) > 3
    assert together == answers(llava_onevision, frames=2) != answers(llava_onevision, frames=8)
    assert together == answers(llava_onevision, batch_size=1)
    assert together == answers(llava_onevision, prompt="user: <video> {question} assistant:")
    assert together != answers(llava_onevision, prompt="{question} a man?")


def test_a_question_neither_ends_the_turn_nor_shows_another_video(video_llava):
    plain, marked = asked("a", "who is there"), asked("a", "who <video>is</s> there")
    said = answers(video_llava, [plain, marked])
    assert said["a", plain.question] == said["a", marked.question]


def test_frames_come_from_the_store_and_are_as_many_as_the_model_wants(tmp_path, video_llava):
    store, lengths = ItemStore(tmp_path), {"a": 16, "b": 8, "c": 3}
    for item, length in lengths.items():
        pictures = np.stack([noise(1, length).pictures, noise(2, length).pictures])
        times = np.tile(np.arange(length) / 2, (2, 1))
        store.write(f"key-{item}", *pack(Streams(pictures, np.zeros(pictures.shape[:-1], np.uint16), times.astype(int), times)))
    listed = [StoredItem(item_id=item, key=f"key-{item}") for item in [*lengths, "gone"]]
    read = frames_reader(listed, store)
    assert np.array_equal(read("a").pictures, noise(1, 16).pictures)  # of two samplings, the first
    assert read("a").times_s.tolist() == [number / 2 for number in range(16)]
    assert read("gone") is read("unknown") is None
    ones = [asked(item, "who is there") for item in ["gone", *lengths, "unknown"]]
    parameters = VideoModelParameters(source=str(video_llava), max_new_tokens=6)
    said = answer_with_video_model("it", parameters, ones, read)
    assert [one.item_id for one in said] == ["a", "b", "c"]
    thinned = {"a": noise(1, 16).pictures[::2], "b": noise(1, 8).pictures, "c": noise(1, 3).pictures}
    alone = {item: Frames(pictures, np.arange(len(pictures)) / 2.0) for item, pictures in thinned.items()}
    assert {(one.item_id, one.question): one.answer for one in said} == answers(video_llava, ones, alone)


def changed(folder, place, name, old, new):
    copy = shutil.copytree(folder, place)
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new, 1))
    return copy


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("llama", r"no video-text model that `transformers` can load \(it is a `llama`\)"),
        ("llava", "a `llava` takes no videos"),
        ("qwen2_vl", "Install torchvision, which its preprocessing needs"),
    ],
)
def test_a_model_that_takes_no_videos_here_is_refused(tmp_path, video_llava, kind, message):
    folder = changed(video_llava, tmp_path / kind, "config.json", '"model_type": "video_llava"', f'"model_type": "{kind}"')
    with pytest.raises(VideoModelError, match=message):
        answers(folder)


def test_what_cannot_be_asked_or_loaded_is_told(tmp_path, video_llava, llava_onevision):
    import torch

    with pytest.raises(CheckpointError, match="no file or folder here"):
        answers("nobody/nothing")
    with pytest.raises(ValidationError, match=r"the place of the question, .*, stands in it once"):
        answers(video_llava, prompt="USER: <video>\n ASSISTANT:")
    with pytest.raises(VideoModelError, match=r"would be asked 'USER: {question}'.*with <video> and {question} in it"):
        answers(video_llava, prompt="USER: {question}")
    blind = changed(llava_onevision, tmp_path / "blind", "chat_template.jinja", "'<video>'", "''")
    with pytest.raises(VideoModelError, match="without one place for the video"):
        answers(blind)
    (blind / "chat_template.jinja").unlink()
    with pytest.raises(VideoModelError, match="has no chat template; set `prompt`"):
        answers(blind)
    if not torch.cuda.is_available():
        with pytest.raises(VideoModelError, match=r"`device: cuda`.*set it to auto"):
            answers(video_llava, device="cuda")


def test_memory_that_runs_out_is_told(video_llava):
    """Of a process that may take half a gigabyte more than it has."""
    big = {"a": Frames(np.zeros((8, 9000, 9000, 3), np.uint8), np.arange(8.0))}
    answers(video_llava)  # everything is imported
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 29), before[1]))
    try:
        with pytest.raises(VideoModelError, match=r"1 video\(s\) of 8 frames of 9000 × 9000 pixels: memory ran out\. Lower"):
            answers(video_llava, [asked("a", "what happens?")], big)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_pickled_weights_and_code_of_a_model_are_not_used(tmp_path, video_llava):
    import torch

    code = changed(video_llava, tmp_path / "code", "config.json", '"model_type": "video_llava"', '"model_type": "evil"')
    auto_map = '{"auto_map": {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.M", "AutoProcessor": "evil.P"},'
    changed_config = (code / "config.json").read_text().replace("{", auto_map, 1)
    (code / "config.json").write_text(changed_config)
    (code / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass M: ...\nclass C: ...\nclass P: ...\n")
    with pytest.raises(VideoModelError, match="no video-text model"):
        answers(code)
    assert not (tmp_path / "ran").exists()
    pickled = shutil.copytree(video_llava, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled weights are not read"):
        answers(pickled)

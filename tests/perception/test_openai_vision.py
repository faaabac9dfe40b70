"""Against a server on the loopback that keeps what arrives: what leaves is compared with the clips, picture by picture."""

import json
import logging
import time
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest
from pydantic import SecretStr, ValidationError

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.llm import SpendingLimit
from hawk_pipelines.language.llm_server import LlmError
from hawk_pipelines.perception import openai_vision
from hawk_pipelines.perception.captioner import CaptionError, Seen
from hawk_pipelines.perception.captioning import caption_all
from hawk_pipelines.perception.parameters import CaptionParameters
from hawk_pipelines.pipelines.caption.nodes import caption_clips
from hawk_pipelines.video.content import content_id
from tests.conftest import ROOT
from tests.perception import face_model
from tests.perception.clips import clip, video
from tests.perception.vision_server import VisionServer, says

KEY = "sk-made-up-0123456789abcdef"
WIDTH, HEIGHT, FRAMES, LENGTH = 320, 240, 40, 20
FACE = slice(80, 120), slice(140, 180)
"""Rows and columns of something red, in every frame."""


def picture(number):
    """A frame that tells which one it is: fine checks for what is sharp, and a bar that is as long as the number is large."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] // 8
    frame = np.where((rows + columns) % 2, 90, 150).astype(np.uint8)[..., None].repeat(3, axis=2)
    frame[200:, : 8 * number] = (20, 60, 220)
    frame[FACE] = (250, 5, 5)
    return frame


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """A video whose name and place nobody must learn."""
    folder = tmp_path_factory.mktemp("secret") / "backdoor-of-smith"
    folder.mkdir()
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:04d}.png"), cv2.cvtColor(picture(number), cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture
def server():
    running = VisionServer()
    yield running
    running.close()


@pytest.fixture
def own(tmp_path, server, footage):
    return World(tmp_path, server, footage)


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """A function that does something within an MLflow run: the metrics that are in it afterwards."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
    mlflow.set_experiment("caption")

    def of(do):
        with mlflow.start_run() as run:
            do()
        return mlflow.MlflowClient().get_run(run.info.run_id).data.metrics

    yield of
    mlflow.set_tracking_uri(None)


class World:
    """A video of clips, and where everything is kept."""

    def __init__(self, folder, server, footage, length=LENGTH):
        self.folder, self.server = folder, server
        self.video = video(footage, FRAMES, video_id=content_id(footage), width=WIDTH, height=HEIGHT)
        self.clips = [clip(start, start + length, video_id=self.video.id) for start in range(0, FRAMES, length)]
        self.prices = folder / "prices.yml"
        self.prices.write_text("tiny-vision: {input: 2.5, output: 10}\nbig: {input: 100, output: 100}\n")

    def parameters(self, openai=None, **settings):
        model = {
            "base_url": self.server.url, "model": "tiny-vision", "prices": self.prices, "first_wait_s": 0.01, "timeout_s": 10,
            "replies": self.folder / "llm" / "replies.sqlite",
        } | (openai or {})  # fmt: skip
        given = {"allow_frames_to_leave": True, "prompts": ROOT / "conf" / "prompts"} | settings
        return openai_vision.Parameters(openai=model, **given)

    def caption(self, store="captions", retry_failed=False, **settings):
        """Without the node: captions, rejections and the clips that were asked about."""
        parameters = self.parameters(**settings)
        client = openai_vision.open_client(parameters, SecretStr(KEY))
        with client:
            return caption_all(
                openai_vision, parameters, [Seen(one, self.video) for one in self.clips], {}, ItemStore(self.folder / "signals"),
                ItemStore(self.folder / store), EngineParameters(retry_failed=retry_failed),
                openai_vision.open_captioner(parameters, client),
            )  # fmt: skip

    def node(self, captioners=("openai_vision",), **settings):
        parameters = CaptionParameters(captioners=list(captioners), openai_vision=self.parameters(**settings))
        stores = ItemStore(self.folder / "signals"), ItemStore(self.folder / "captions")
        return caption_clips(self.clips, [self.video], [], [], parameters, EngineParameters(), SecretStr(KEY), *stores)


def nearest(arrived):
    """The frame that an arrived picture is, and how far it is from it: the mean difference, of 255."""
    assert arrived.shape == (HEIGHT, WIDTH, 3)
    apart = [float(np.abs(arrived.astype(float) - picture(number)).mean()) for number in range(FRAMES)]
    return int(np.argmin(apart)), min(apart)


# --- what leaves -----------------------------------------------------------------------------------------------------------


def test_what_arrives_are_the_clips_frames_in_order_and_nothing_else(own, server):
    made = own.caption(frames=4, quality=95)
    assert [(said.clip_id, said.text, said.start_s, said.end_s) for said in made.captions] == [
        (own.clips[0].id, "A man walks.", 0.0, 2.0),
        (own.clips[1].id, "A man walks.", 2.0, 4.0),
    ]
    assert len(server.got) == 2
    for one, start in zip(sorted(server.got, key=lambda got: nearest(got.pictures[0])[0]), (0, 20), strict=True):
        found = [nearest(arrived) for arrived in one.pictures]
        assert [number for number, _ in found] == [start, start + 5, start + 10, start + 15]
        assert max(apart for _, apart in found) < 5  # JPEG; colours in the wrong order would be far off
        assert b"Exif" not in b"".join(one.files)
        assert "These 4 pictures are taken in order from 2.0 seconds" in one.text
        assert one.body["response_format"]["json_schema"]["schema"]["required"] == ["caption"]
        for name in ("backdoor", "smith", "secret", own.video.id, own.video.name, ".png"):
            assert name.encode() not in one.raw


def test_pictures_are_made_smaller_never_larger(own, server):
    own.caption(frames=2, longest=160)
    assert {one.shape for got in server.got for one in got.pictures} == {(120, 160, 3)}
    server.got.clear()
    own.caption("other", frames=3, longest=1024, quality=60)
    assert {one.shape for got in server.got for one in got.pictures} == {(HEIGHT, WIDTH, 3)}
    assert [len(got.pictures) for got in server.got] == [3, 3]


def test_the_quality_is_that_of_the_jpegs(own, server):
    own.caption("fine", frames=1, quality=95)
    own.caption("coarse", frames=1, quality=20)
    sizes = [len(got.files[0]) for got in server.got]
    assert max(sizes[2:]) < 0.6 * min(sizes[:2])


def test_the_log_says_what_leaves_before_it_does(own, server, caplog):
    with caplog.at_level(logging.INFO):
        said_before = []
        server.reply = lambda _: said_before.append(caplog.text) or says("A man walks.")
        own.caption(frames=3, longest=200)
    told = (
        "up to 3 pictures (at most 200 × 200 pixels, faces not blurred) of each of 2 clips, 6 pictures in all, go to "
        f"{server.host}"
    )
    assert len(said_before) == 2
    assert all(told in before for before in said_before)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        own.caption(frames=3, longest=200)
    assert "go to" not in caplog.text  # nothing does


# --- leave -----------------------------------------------------------------------------------------------------------------


def test_without_leave_nothing_leaves_and_no_captioner_works(own, server):
    with pytest.raises(CaptionError) as told:
        own.node(["motion", "openai_vision"], allow_frames_to_leave=False)
    assert f"up to 4 pictures (at most 512 × 512 pixels, faces not blurred) of every clip to {server.host}" in str(told.value)
    assert "`caption.openai_vision.allow_frames_to_leave: true`" in str(told.value)
    assert server.connections == len(server.got) == 0
    assert not (own.folder / "captions").exists()
    assert not (own.folder / "llm").exists()
    assert openai_vision.Parameters().allow_frames_to_leave is False


def test_a_sum_above_the_limit_asks_for_leave(own, server):
    dear = {"model": "big", "ask_above_usd": 0.1, "check_model": False}
    with pytest.raises(SpendingLimit, match=r"estimated at 0\.\d\d US dollars \(2 requests to big.*openai_vision\.openai\.leave"):
        own.caption(openai=dear)
    assert server.connections == len(server.got) == 0
    assert len(own.caption(openai=dear | {"leave_to_spend": True}).captions) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"blur_faces": True}, r"`caption\.openai_vision\.blur_faces` needs a model that finds faces: set .*face_model"),
        ({"blur_faces": True, "face_model": "package:nobody/yunet.onnx"}, "face_model` is not there"),
        ({"openai": {"batch": True}}, r"set `caption\.openai_vision\.openai\.batch: false`"),
        ({"openai": {"model": "unknown"}}, "has no price for the model 'unknown'"),
        ({"prompts": ROOT / "nowhere"}, "The prompt .* cannot be read"),
    ],
)
def test_what_is_wrong_is_told_before_any_captioner_works(own, server, settings, said):
    with pytest.raises(HawkError, match=said):
        own.node(["motion", "openai_vision"], **settings)
    assert server.connections == len(server.got) == 0
    assert not (own.folder / "captions").exists()


def test_another_file_than_a_face_detector_is_refused(own, server, tmp_path):
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no network")
    with pytest.raises(CaptionError, match=r"OpenCV cannot find faces with .*wrong\.onnx \(`caption\.openai_vision\.face"):
        own.node(blur_faces=True, face_model=str(wrong))
    assert not server.got


def test_other_captioners_need_no_key_and_connect_to_nothing(own, server):
    parameters = CaptionParameters(captioners=["existing"], openai_vision=own.parameters())
    stores = ItemStore(own.folder / "signals"), ItemStore(own.folder / "captions")
    made = caption_clips(own.clips, [own.video], [], [], parameters, EngineParameters(), None, *stores)
    assert made == ([], [], [])
    assert server.connections == len(server.got) == 0
    assert not (own.folder / "llm").exists()


# --- faces -----------------------------------------------------------------------------------------------------------------


def test_found_faces_are_blurred_before_they_leave_and_nothing_else_is(own, server, tmp_path, caplog):
    red = str(face_model.write(tmp_path / "red.onnx"))  # 64 of the detector's pixels: up to 80 of ours, and the margin
    own.clips = own.clips[:1]
    plain = own.caption("plain", frames=1, quality=95)
    with caplog.at_level(logging.INFO):
        blurred = own.caption("blurred", frames=1, quality=95, blur_faces=True, face_model=red)
    assert "the faces that are found in them blurred" in caplog.text
    sharp, soft = (got.pictures[0].astype(float) for got in server.got)
    inside = slice(65, 135), slice(125, 195)  # what is red, and a margin
    near = slice(80, 120), slice(126, 138)  # of that, checks beside the red
    assert sharp[near].std(axis=(0, 1)).mean() > 25
    assert soft[near].std(axis=(0, 1)).mean() < 12
    assert np.abs(np.diff(sharp[inside][..., 0], axis=1)).max() > 60
    assert np.abs(np.diff(soft[inside][..., 0], axis=1)).max() < 25
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[15:185, 75:245] = False
    assert np.abs(sharp - soft)[outside].mean() < 3
    assert plain.captions[0].version != blurred.captions[0].version


def test_blurring_leaves_sixteen_patches_of_a_box():
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    done = openai_vision.blur(noise, [(20, 30, 60, 90), (-0, 0, 3, 2), (98, 98, 100, 100), (50, 50, 50, 60)])
    mask = np.zeros((100, 100), bool)
    mask[30:90, 20:60] = mask[:2, :3] = mask[98:, 98:] = True
    assert (done[~mask] == noise[~mask]).all()
    assert noise[30:90, 20:60].std() > 70
    assert done[30:90, 20:60].std() < 15
    other = noise.copy()
    other[30:90, 20:60] = other[30:90, 20:60].reshape(4, 15, 4, 10, 3)[:, ::-1].reshape(60, 40, 3)  # within its patches
    again = openai_vision.blur(other, [(20, 30, 60, 90)])
    assert (again[30:90, 20:60] == done[30:90, 20:60]).all()  # so what it was cannot be known


@pytest.mark.parametrize(("width", "height"), [(200, 150), (640, 360), (1500, 900), (900, 2000)])
def test_faces_are_found_in_small_and_large_pictures_and_at_their_borders(tmp_path, width, height):
    """The detector sees nothing that fills less than half of 8 × 8 of its pixels, which in a large picture a scaled spot does."""
    found = cv2.FaceDetectorYN.create(str(face_model.write(tmp_path / "red.onnx")), "", (640, 640), 0.5)
    for x, y in [(0, 0), ((width - 12) // 8 * 8, (height - 12) // 8 * 8), (width // 16 * 8, height // 24 * 8)]:
        shown = np.full((height, width, 3), 128, np.uint8)
        shown[y : y + 12, x : x + 12] = (255, 0, 0)
        covered = np.zeros((height, width), bool)
        for left, top, right, bottom in openai_vision.find_faces(found, shown):
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            covered[top:bottom, left:right] = True
        assert covered[y : y + 12, x : x + 12].all()
    blue = np.full((height, width, 3), (0, 0, 255), np.uint8)
    assert openai_vision.find_faces(found, blue) == []


# --- what comes back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "reason", "asked"),
    [
        ((200, {"content": None, "refusal": "I can't help with that."}), "refused to caption it: “I can't help with that.”", 2),
        (says("I'm sorry, I cannot describe people."), "refused to caption it: “I'm sorry, I cannot describe people.”", 2),
        ((200, {"content": ""}), "tiny-vision-1 gave an empty reply.", 2),
        (says("  "), "tiny-vision-1 gave an empty reply.", 2),
        (says("word " * 400), "a caption has at most 1,000", 1),
    ],
)
def test_what_is_no_caption_costs_its_clip_and_is_paid_once(own, server, reply, reason, asked):
    """What is refused or empty is asked for once more, in other words."""
    server.reply = lambda got: reply if got.pictures[0][220, 100, 2] < 200 else says("A man walks.")
    for _ in range(2):
        made = own.caption()
        assert [said.clip_id for said in made.captions] == [own.clips[1].id]
        (refused,) = made.rejections
        assert refused.reason.startswith("Clip 0.00 to 2.00 s: ")
        assert reason in refused.reason
    assert len(server.got) == 1 + asked
    assert not [said for said in own.caption(retry_failed=True).captions if said.clip_id == own.clips[0].id]
    assert len(server.got) == 1 + asked  # the replies are kept


@pytest.mark.parametrize("reply", [says("I'm sorry, I cannot describe people."), says("")])
def test_a_server_that_refuses_every_clip_ends_the_run_each_time(own, server, reply):
    server.reply = lambda _: reply
    for retry_failed in (False, False, True):
        with pytest.raises(CaptionError, match=r"caption none of 2 clips.*change `caption\.openai_vision\.prompts`"):
            own.caption(retry_failed=retry_failed)
        assert len(server.got) == 4  # each clip in both wordings, once


def test_pictures_are_not_kept_with_the_replies(own, server):
    assert len(own.caption().captions) == 2
    (kept,) = own.folder.rglob("replies.sqlite")
    held = kept.read_bytes()
    assert b"A man walks." in held
    assert b"sha256:" in held
    assert b"base64" not in held


def test_other_words_may_bring_a_caption(own, server):
    own.clips = own.clips[:1]
    server.reply = lambda _: says("A man walks.") if len(server.got) == 2 else (200, {"content": None, "refusal": "No."})
    made = own.caption()
    assert [said.text for said in made.captions] == ["A man walks."]
    assert not made.rejections
    assert len({got.text for got in server.got}) == 2


def test_a_server_that_fails_is_asked_again_by_the_next_run(own, server):
    server.reply = lambda got: (503, {"message": "busy"}) if got.pictures[0][220, 100, 2] < 200 else says("A man walks.")
    made = own.caption(openai={"attempts": 2})
    assert len(made.captions) == 1
    (refused,) = made.rejections
    assert "status 503 (busy)" in refused.reason
    assert len(server.got) == 3
    server.reply = lambda _: says("A dog runs.")
    again = own.caption(openai={"attempts": 2})
    assert [said.text for said in again.captions] == ["A dog runs.", "A man walks."]
    assert not again.rejections
    assert again.asked == [own.clips[0].id]
    assert len(server.got) == 4


def test_a_server_that_always_fails_ends_the_run_and_nothing_sticks(own, server):
    server.reply = lambda _: (500, {"message": "broken"})
    with pytest.raises(CaptionError, match=r"could caption none of 2 clips\. The first reason: .*status 500"):
        own.caption(openai={"attempts": 1})
    with pytest.raises(LlmError, match=r"2 requests .* failed one after the other"):
        own.caption(openai={"attempts": 1, "give_up_after": 2})
    server.reply = lambda _: (401, {"message": f"Incorrect API key provided: {KEY}"})
    with pytest.raises(LlmError, match="does not accept the key") as told:
        own.caption()
    assert KEY not in str(told.value)
    server.reply = lambda _: says("A man walks.")
    assert len(own.caption().captions) == 2


def test_a_video_that_cannot_be_read_costs_its_clips_and_sends_nothing(own, server, tmp_path):
    own.video = own.video.model_copy(update={"path": str(tmp_path / "gone.mp4")})
    made = own.caption()
    assert not made.captions
    assert len(made.rejections) == 2
    assert "has changed since it was listed" in made.rejections[0].reason
    assert not server.got


def test_the_limit_ends_the_run_and_the_next_goes_on(own, server):
    own.clips = [clip(start, start + 4, video_id=own.video.id) for start in range(0, FRAMES, 4)]
    with pytest.raises(SpendingLimit, match=r"raise `caption\.openai_vision\.openai\.limit_usd`"):
        own.caption(openai={"concurrency": 1, "limit_usd": 0.006})  # a request costs 0.0026
    assert len(server.got) == 3
    assert len(own.caption().captions) == 10
    assert len(server.got) == 10


# --- what is reused --------------------------------------------------------------------------------------------------------


def test_only_what_decides_a_caption_makes_it_anew(own, server, tmp_path):
    first = own.caption()
    same = {"base_url": server.url + "/", "limit_usd": None, "concurrency": 3, "timeout_s": 5, "ask_above_usd": 9, "attempts": 3}
    elsewhere = tmp_path / "prompts"
    elsewhere.mkdir()
    frames = (ROOT / "conf" / "prompts" / "frames.md").read_text()
    (elsewhere / "frames.md").write_text(frames)
    (elsewhere / "frames_again.md").write_text((ROOT / "conf" / "prompts" / "frames_again.md").read_text())
    other_store = {"replies": tmp_path / "other.sqlite"}  # so that nothing is answered from there
    again = own.caption(openai=same | other_store, prompts=elsewhere)
    assert (again.captions, again.asked) == (first.captions, [])
    assert len(server.got) == 2
    (elsewhere / "frames.md").write_text(frames.replace("one or two", "three"))
    red = str(face_model.write(tmp_path / "red.onnx"))
    changes = [
        {"openai": {"model": "big", "check_model": False}}, {"openai": {"temperature": 0.5}}, {"openai": {"max_tokens": 99}},
        {"frames": 3}, {"longest": 100}, {"quality": 50}, {"prompts": elsewhere}, {"blur_faces": True, "face_model": red},
    ]  # fmt: skip
    for number, change in enumerate(changes, start=2):
        assert len(own.caption(**change).asked) == 2, change
        assert len(server.got) == 2 * number, change
    assert not own.caption(blur_faces=True, face_model=str(face_model.write(elsewhere / "the_same.onnx"))).asked


def test_a_killed_run_pays_for_nothing_twice(own, server):
    own.caption()
    made = own.caption("lost")  # the captions are gone, the replies are not
    assert len(made.captions) == len(made.asked) == 2
    assert len(server.got) == 2


def test_requests_are_on_their_way_at_the_same_time(own, server):
    own.clips = [clip(start, start + 1, video_id=own.video.id) for start in range(FRAMES)]
    server.delay_s = 0.25
    begun = time.monotonic()
    assert len(own.caption(frames=1, openai={"concurrency": 8}).captions) == FRAMES
    took_s = time.monotonic() - begun
    assert 6 <= server.most_at_once <= 8
    assert took_s < 0.5 * FRAMES * 0.25  # 10 s one after the other, 1.25 s at best


# --- the node --------------------------------------------------------------------------------------------------------------


def test_the_node_tells_what_was_asked_and_spent_and_the_key_is_nowhere(own, server, tmp_path, monkeypatch, caplog, metrics):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    server.reply = lambda got: (
        (200, {"content": None, "refusal": f"No. {KEY}"}) if got.pictures[0][220, 100, 2] < 200 else says("A man walks.")
    )
    made = []
    logged = metrics(lambda: made.extend(own.node()))
    captions, rejections, calls = made
    assert [(said.tool, said.text) for said in captions] == [("openai_vision", "A man walks.")]
    assert captions[0].version.startswith("2 tiny-vision ")
    assert [refused.step for refused in rejections] == ["caption-openai_vision"]
    assert [(call.item_id, call.purpose, call.outcome, call.attempts) for call in calls] == [
        (own.clips[0].id, "caption", "refused", 1),
        (own.clips[0].id, "caption", "refused", 1),
        (own.clips[1].id, "caption", "answered", 1),
    ]
    assert {call.model for call in calls} == {"tiny-vision-1"}
    assert [(call.input_tokens, call.output_tokens, call.cost_usd) for call in calls] == [(1000, 10, pytest.approx(0.0026))] * 3
    assert logged["caption.llm.requests"] == 3
    assert logged["caption.llm.refused"] == 2
    assert logged["caption.llm.spent_usd"] == pytest.approx(0.0078)
    assert {got.headers["authorization"] for got in server.got} == {f"Bearer {KEY}"}
    database = mlflow.get_tracking_uri().removeprefix("sqlite:///")
    everything = [Path(database), *(path for path in tmp_path.rglob("*") if path.is_file())]
    assert {"mlflow.db", "replies.sqlite", "index.parquet"} <= {path.name for path in everything}
    assert not [path for path in everything if KEY.encode() in path.read_bytes()]
    assert KEY not in caplog.text
    assert KEY not in json.dumps([one.model_dump() for one in [*captions, *rejections, *calls]])


def test_what_was_spent_is_told_where_the_run_ends_at_its_limit(own, server, metrics):
    def run():
        with pytest.raises(SpendingLimit):
            own.node(openai={"concurrency": 1, "limit_usd": 0.002})

    assert metrics(run)["caption.llm.spent_usd"] == pytest.approx(0.0026)


def test_what_captions_took_is_told_by_later_runs_too(own, server, metrics):
    made = []
    metrics(lambda: made.append(own.node()))
    own.clips += [clip(5, 15, video_id=own.video.id)]
    own.clips.sort(key=lambda one: one.start_frame)
    logged = metrics(lambda: made.append(own.node()))
    (_, _, first), (captions, _, calls) = made
    assert [call.item_id for call in calls] == [one.id for one in own.clips]
    assert [call.attempts for call in calls] == [0, 1, 0]
    assert [calls[0], calls[2]] == [call.model_copy(update={"attempts": 0}) for call in first]
    assert len(captions) == len(server.got) == 3
    assert logged["caption.llm.requests"] == 1


def test_settings_are_checked():
    for wrong in [{"frames": 0}, {"quality": 101}, {"longest": 8}, {"key": "x"}, {"openai": {"base_url": "x"}}]:
        with pytest.raises(ValidationError):
            openai_vision.Parameters(**wrong)

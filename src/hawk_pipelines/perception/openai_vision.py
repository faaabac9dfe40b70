"""Captions by a vision model behind any OpenAI-compatible server, which is sent frames of every clip.

Footage leaves the machine here and nowhere else: only with `allow_frames_to_leave: true`, and after the log has said what
leaves and where to. What leaves of a clip are JPEGs of some frames, how long it is, and the prompt: no name, no place, no sound,
no EXIF. Replies are kept by the client for language models (`language/llm.py`), which also limits what is spent.
"""

import base64
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from hawk_pipelines.errors import HawkError
from hawk_pipelines.language.llm import Client, Failed, Reply, Request, Script
from hawk_pipelines.language.llm_estimate import Estimate, insist_on_leave
from hawk_pipelines.language.llm_parameters import LlmParameters
from hawk_pipelines.language.llm_server import about_tokens
from hawk_pipelines.language.prices import Tokens, cost_usd, price_of
from hawk_pipelines.language.prompts import FOLDER, Prompt, messages, read_prompt
from hawk_pipelines.language.refusals import is_refusal
from hawk_pipelines.perception.captioner import (
    EMPTY,
    REFUSED,
    Answer,
    CaptionError,
    LooksAt,
    RemoteCaptioner,
    Said,
    Seen,
    Undescribed,
)
from hawk_pipelines.perception.checking import plain, shortened
from hawk_pipelines.perception.frames import read_frames
from hawk_pipelines.schema import LlmCall

logger = logging.getLogger(__name__)

TOOL = "openai_vision"
LOOKS_AT: LooksAt = "pictures"
VERSION = 2
SECTION = f"caption.{TOOL}"
PROMPTS, PURPOSE = ("frames", "frames_again"), "caption"
"""The second prompt is for what was refused after the first."""
TYPICAL_CAPTION = 200
"""Characters, for estimates."""

DECIDING = {"model", "temperature", "seed", "max_tokens", "structured", "extra"}
"""What of the language model's settings decides a caption. Another server, limit or price makes none anew."""

FACE_SIDE = 640
"""Width and height of what the face detector is shown: some models take no other size."""
FACE_SIDES = (256, FACE_SIDE)
"""Longer sides at which it looks at a picture: it finds faces of about 10 to 300 pixels."""
FACE_SCORE = 0.5
"""From which on something counts as a face. What is blurred for nothing costs little."""
FACE_MARGIN = 0.25
"""Share of a face's box by which it is widened on every side."""
COARSE = 4
"""What is left of a blurred face: so many patches of colour in each direction."""


class Parameters(BaseModel):
    """Whether frames may leave, which, and the model that they go to."""

    model_config = ConfigDict(extra="forbid")

    allow_frames_to_leave: bool = Field(default=False, exclude=True)
    """Without it the captioner refuses to work."""
    frames: int = Field(default=4, ge=1, le=32)
    """Of a clip, spread evenly."""
    longest: int = Field(default=512, ge=32, le=2048)
    """Pixels of the longer side of what is sent; smaller videos are sent as they are."""
    quality: int = Field(default=85, ge=1, le=100)
    """Of the JPEGs."""
    blur_faces: bool = False
    """Blur the faces that are found before a picture leaves."""
    face_model: str | None = Field(default=None, exclude=True)
    """What finds them, an ONNX file for `cv2.FaceDetectorYN` (YuNet): a path, or `package:NAME/PATH`."""
    prompts: Path = Field(default=FOLDER, exclude=True)
    """The folder of `frames.md`, which says what is asked, and of `frames_again.md`, which asks again after a refusal."""
    openai: LlmParameters = LlmParameters()
    """The model and its server, as in `annotate.openai`."""

    @field_serializer("openai")
    def _what_decides(self, openai: LlmParameters) -> dict[str, Any]:
        return openai.model_dump(mode="json", include=DECIDING)


class Description(BaseModel):
    """What the model is asked for."""

    model_config = ConfigDict(extra="forbid")

    caption: str


Faces = Callable[[np.ndarray], list[tuple[int, int, int, int]]]
"""Finds the faces in a picture (uint8 [H, W, 3], RGB): left, top, right, bottom of each in pixels."""


def check(parameters: Parameters) -> None:
    """Look at everything that needs no server, so that it can be told before anything is done.

    Raises:
        CaptionError: frames may not leave, or faces cannot be blurred.
        PriceError: the model has no price.
        PromptError: the prompt cannot be used.
    """
    if not parameters.allow_frames_to_leave:
        msg = (
            f"The captioner `{TOOL}` would send {_pictures(parameters)} of every clip to {_host(parameters)}, which footage may "
            f"only leave for with `{SECTION}.allow_frames_to_leave: true`; nothing was sent."
        )
        raise CaptionError(msg)
    if parameters.openai.batch:
        msg = f"Pictures are not handed in as batches, which would have to hold all of them: set `{SECTION}.openai.batch: false`."
        raise CaptionError(msg)
    _face_finder(parameters)
    _prompts(parameters)
    price_of(parameters.openai.prices, parameters.openai.model)


def open_client(parameters: Parameters, key: SecretStr | None) -> Client:
    """The client that asks the model.

    Args:
        parameters: the captioner's settings, which are checked.
        key: for the server; None where there is none.

    Raises:
        HawkError: as `check`, or the store of replies cannot be used.
    """
    check(parameters)
    return Client(parameters.openai, key, f"{SECTION}.openai")


@contextmanager
def open_captioner(parameters: Parameters, client: Client | None = None) -> Iterator[RemoteCaptioner]:
    """Make ready to ask. No connection is made before a clip has to be sent.

    Args:
        parameters: the settings.
        client: from `open_client`; None opens one without a key, for servers on this machine.

    Raises:
        HawkError: as `open_client`.
    """
    if client is None:
        with open_client(parameters, None) as own, open_captioner(parameters, own) as captioner:
            yield captioner
        return
    faces, hashed = _face_finder(parameters)
    prompts = _prompts(parameters)
    told = " ".join(prompt.sha256[:8] for prompt in prompts)
    version = f"{VERSION} {parameters.openai.model} {told}" + (f" faces blurred {hashed}" if faces else "")
    sender = _Sender(parameters, client, prompts, faces)
    yield RemoteCaptioner(version, sender.describe_all)


class _Sender:
    """What is needed to ask about a clip."""

    def __init__(self, parameters: Parameters, client: Client, prompts: Sequence[Prompt], faces: Faces | None) -> None:
        self._parameters, self._client, self._prompts, self._faces = parameters, client, prompts, faces
        self._looking = threading.Lock()
        """Held while pictures are made: the detector cannot be shared, and the index of a video is made once."""

    def describe_all(self, clips: Sequence[Seen]) -> Iterator[tuple[int, Answer | Undescribed]]:
        if not clips:
            return
        insist_on_leave(self._client, self._estimate(len(clips)))
        self._say_what_leaves(len(clips))
        for position, outcome in self._client.run([partial(self._ask, seen) for seen in clips], f"caption-{TOOL}"):
            yield position, Undescribed(outcome.reason, for_good=False) if isinstance(outcome, Failed) else outcome

    def _say_what_leaves(self, clips: int) -> None:
        parameters = self._parameters
        msg = "%s: %s of each of %d clips, %d pictures in all, go to %s now. What was answered before is not sent again."
        logger.info(msg, TOOL, _pictures(parameters), clips, parameters.frames * clips, _host(parameters))

    def _estimate(self, clips: int) -> Estimate:
        """Of so many clips, as if none of them had been asked about before: to know that, all would have to be decoded."""
        client, parameters = self._client, self._parameters
        read = about_tokens(_messages(self._prompts[0], ["data:"] * parameters.frames, 0.0))
        written = about_tokens([{"content": _TYPICAL.model_dump_json()}])
        usd, most_usd = (
            cost_usd(client.price, Tokens(clips * read, clips * each)) for each in (written, parameters.openai.max_tokens)
        )
        return Estimate(clips, clips, 0, Tokens(clips * read, clips * written), usd, most_usd)

    def _ask(self, seen: Seen) -> Script[Answer | Undescribed]:
        try:
            pictures = self._pictures_of(seen)
        except HawkError as error:
            return Undescribed(str(error), for_good=True)
        urls = [_data_url(one, self._parameters.quality) for one in pictures]
        reason = ""
        for prompt in self._prompts:
            reply = yield Request(PURPOSE, _messages(prompt, urls, _seconds(seen)), Description, _TYPICAL)
            words = plain(reply.said if reply.value is None else reply.value.caption)
            if reply.value is not None and words and not is_refusal(words):
                return Answer([Said(seen.clip.start_s, seen.clip.end_s, reply.value.caption)], _call(seen, reply))
            model = reply.kept.model or self._parameters.openai.model
            reason = f"{model} {REFUSED}: “{shortened(words)}”" if words else f"{model} {EMPTY}."
        return Undescribed(reason, for_good=True)

    def _pictures_of(self, seen: Seen) -> list[np.ndarray]:
        """The pictures that are sent, uint8 [H, W, 3] each, RGB."""
        parameters = self._parameters
        longest = min(parameters.longest, max(seen.video.width, seen.video.height))
        with self._looking:
            pictures = read_frames(seen, parameters.frames, longest).pictures
            if self._faces is None:
                return pictures
            return [blur(picture, self._faces(picture)) for picture in pictures]


def _prompts(parameters: Parameters) -> list[Prompt]:
    return [read_prompt(parameters.prompts, name, ("count", "seconds")) for name in PROMPTS]


_TYPICAL = Description(caption="x" * TYPICAL_CAPTION)


def _call(seen: Seen, reply: Reply) -> LlmCall:
    kept = reply.kept
    return LlmCall(
        item_id=seen.clip.id,
        purpose=PURPOSE,
        outcome="answered",
        attempts=0,
        model=kept.model,
        input_tokens=kept.input_tokens,
        output_tokens=kept.output_tokens,
        cost_usd=kept.cost_usd,
        latency_s=kept.latency_s,
        key=reply.key,
    )


def _seconds(seen: Seen) -> float:
    return seen.clip.end_s - seen.clip.start_s


def _messages(prompt: Prompt, urls: Sequence[str], seconds: float) -> list[dict[str, Any]]:
    """The prompt, and behind its words the pictures."""
    system, user = messages(prompt, count=len(urls), seconds=f"{seconds:.1f}")
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [system, {"role": "user", "content": [{"type": "text", "text": user["content"]}, *shown]}]


def _data_url(picture: np.ndarray, quality: int) -> str:
    """A picture as JPEG, with nothing in the file but the picture."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _pictures(parameters: Parameters) -> str:
    """What leaves of a clip, in words."""
    many = "one picture" if parameters.frames == 1 else f"up to {parameters.frames} pictures"
    faces = "the faces that are found in them blurred" if parameters.blur_faces else "faces not blurred"
    return f"{many} (at most {parameters.longest} × {parameters.longest} pixels, {faces})"


def _host(parameters: Parameters) -> str:
    return urlsplit(parameters.openai.base_url or "").netloc or "a server that is not named yet"


def _face_finder(parameters: Parameters) -> tuple[Faces | None, str]:
    """What finds faces, and a hash of its model; None where faces are not blurred.

    Raises:
        CaptionError: no model is named, it is not there, or OpenCV cannot find faces with it.
    """
    from hawk_pipelines.model.errors import CheckpointError
    from hawk_pipelines.model.sources import locate, sha256

    if not parameters.blur_faces:
        return None, ""
    if parameters.face_model is None:
        msg = (
            f"`{SECTION}.blur_faces` needs a model that finds faces: set `{SECTION}.face_model` to the ONNX file of an OpenCV "
            "face detector (YuNet); nothing was sent."
        )
        raise CaptionError(msg)
    try:
        path = locate(parameters.face_model)
    except CheckpointError as error:
        msg = f"`{SECTION}.face_model` is not there, so nothing was sent ({error})"
        raise CaptionError(msg) from error
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", (FACE_SIDE, FACE_SIDE), FACE_SCORE)
        find_faces(detector, np.zeros((FACE_SIDE, FACE_SIDE, 3), np.uint8))
    except cv2.error as error:
        words = " ".join(str(error).split())[:200]
        msg = f"OpenCV cannot find faces with {path} (`{SECTION}.face_model`), so nothing was sent ({words})."
        raise CaptionError(msg) from error
    return partial(find_faces, detector), sha256([path])[:8]


def find_faces(detector: "cv2.FaceDetectorYN", picture: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Boxes around the faces in a picture, widened and cut at its border; the same face may have several.

    Args:
        detector: for pictures of `FACE_SIDE` × `FACE_SIDE`.
        picture: uint8 [H, W, 3], RGB.

    Returns:
        Left, top, right, bottom in pixels.
    """
    height, width = picture.shape[:2]
    own = max(height, width)
    boxes = []
    for side in sorted({*FACE_SIDES, max(own, FACE_SIDE)}):
        scale = side / own
        size = max(1, round(width * scale)), max(1, round(height * scale))
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for left, top in _tiles(*size):
            part = scaled[top : top + FACE_SIDE, left : left + FACE_SIDE]
            shown = np.zeros((FACE_SIDE, FACE_SIDE, 3), np.uint8)
            shown[: part.shape[0], : part.shape[1]] = cv2.cvtColor(part, cv2.COLOR_RGB2BGR)
            found = detector.detect(shown)[1]
            for x, y, w, h in [] if found is None else found[:, :4].tolist():
                edges = (x - FACE_MARGIN * w, y - FACE_MARGIN * h, x + (1 + FACE_MARGIN) * w, y + (1 + FACE_MARGIN) * h)
                at = [(edge + offset) / scale for edge, offset in zip(edges, (left, top, left, top), strict=True)]
                boxes.append(_within(at, width, height))
    return boxes


def _tiles(width: int, height: int) -> list[tuple[int, int]]:
    """Left and top of the squares in which a picture is looked at; they overlap by half, so that no face is cut by all."""
    step = FACE_SIDE // 2
    return [(left, top) for top in range(0, max(1, height - step), step) for left in range(0, max(1, width - step), step)]


def _within(edges: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = edges
    return max(0, int(left)), max(0, int(top)), min(width, int(np.ceil(right))), min(height, int(np.ceil(bottom)))


def blur(picture: np.ndarray, boxes: Sequence[tuple[int, int, int, int]]) -> np.ndarray:
    """A copy of a picture in which nothing but a few patches of colour is left of what lies in the boxes.

    Args:
        picture: uint8 [H, W, 3].
        boxes: left, top, right, bottom in pixels.
    """
    blurred = picture.copy()
    for left, top, right, bottom in boxes:
        part = blurred[top:bottom, left:right]
        if part.size:
            coarse = cv2.resize(part, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(coarse, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)
    return blurred

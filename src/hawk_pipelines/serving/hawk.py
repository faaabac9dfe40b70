"""A model that is asked about video files: what `hawk_pipelines.load` returns."""

from pathlib import Path

from hawk_pipelines.model.answering import answer
from hawk_pipelines.model.checkpoint import Parts, load
from hawk_pipelines.model.frame_encoder import encode_streams
from hawk_pipelines.model.prompting import request_of
from hawk_pipelines.schema import DESCRIBE
from hawk_pipelines.video.streams import read_streams


class Hawk:
    """A loaded model.

    Example::

        hawk = hawk_pipelines.load()
        hawk.describe("camera.mp4")
        hawk.ask("camera.mp4", "Who is involved?")
    """

    def __init__(self, parts: Parts, max_new_tokens: int = 64) -> None:
        self._parts = parts
        self._max_new_tokens = max_new_tokens

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Hawk":
        """Load a `save_pretrained` folder."""
        return cls(load(Path(folder)))

    def ask(self, video: str | Path, question: str) -> str:
        """Answer a question about a video.

        Raises:
            UnreadableVideo: the video cannot be decoded.
            PromptError: the question is empty or too long.
        """
        return self._answer(video, request_of(question))

    def describe(self, video: str | Path) -> str:
        """Say what is unusual in a video.

        Raises:
            UnreadableVideo: the video cannot be decoded.
        """
        return self.ask(video, DESCRIBE)

    def _answer(self, video: str | Path, request: str) -> str:
        model, tokenizer, encoder = self._parts
        config = model.config
        streams = read_streams(Path(video), config.frames, config.frame_size)
        appearance, motion = encode_streams(encoder, streams.frames, streams.magnitude, config.mask)
        # Training read its tokens from the store, in half precision.
        stored = [appearance.half()], [motion.half()]
        return answer(model, tokenizer, stored[0], stored[1], [request], self._max_new_tokens)[0]

"""A model that is asked about video files: what `hawk_pipelines.load` returns."""

from pathlib import Path

from hawk_pipelines.model.answering import answer
from hawk_pipelines.model.checkpoint import Parts, load
from hawk_pipelines.model.frame_encoder import encode_streams
from hawk_pipelines.model.prompting import request_of
from hawk_pipelines.schema import DESCRIBE
from hawk_pipelines.video.streams import StreamParameters, read_streams


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

    def ask(self, video: str | Path, question: str, span: tuple[float, float] | None = None) -> str:
        """Answer a question about a video.

        Args:
            video: a file, or a folder of numbered pictures.
            question: in words.
            span: seconds [start, end) to look at; None for the whole video.

        Raises:
            UnreadableVideo: the video cannot be decoded.
            PromptError: the question is empty or too long.
        """
        return self._answer(Path(video), request_of(question), span)

    def describe(self, video: str | Path, span: tuple[float, float] | None = None) -> str:
        """Say what is unusual in a video. Arguments as for `ask`.

        Raises:
            UnreadableVideo: the video cannot be decoded.
        """
        return self.ask(video, DESCRIBE, span)

    def _answer(self, video: Path, request: str, span: tuple[float, float] | None) -> str:
        model, tokenizer, encoder = self._parts
        config = model.config
        parameters = StreamParameters(frames=config.frames, flow=config.flow)
        streams = read_streams(video, parameters, config.frame_size, span)
        appearance, motion = encode_streams(encoder, streams.frames, streams.magnitude, config.mask)
        # Training read its tokens from the store, in half precision.
        stored = [appearance[0].half()], [motion[0].half()]
        return answer(model, tokenizer, stored[0], stored[1], [request], self._max_new_tokens)[0]

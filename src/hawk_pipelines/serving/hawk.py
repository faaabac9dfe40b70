"""A model that is asked about video files: what `hawk_pipelines.load` returns."""

from collections.abc import Iterator
from pathlib import Path

from hawk_pipelines.model.answering import Query, answer, stream, turns_with_room, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts, load, load_frame_encoder
from hawk_pipelines.model.frame_encoders import FrameEncoder
from hawk_pipelines.model.frame_encoders.streams import encode_streams
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import DESCRIBE
from hawk_pipelines.video.streams import StreamParameters, read_streams


class Hawk:
    """A loaded model.

    Example::

        hawk = hawk_pipelines.load()
        hawk.describe("camera.mp4")
        hawk.ask("camera.mp4", "Who is involved?")

        talk = hawk.watch("camera.mp4")  # watched once, asked as often as you like
        talk.ask("Who is involved?")
        talk.ask("What does that person do?")
    """

    def __init__(self, parts: Parts, frame_encoder: FrameEncoder) -> None:
        self._parts = parts
        self._frame_encoder = frame_encoder

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Hawk":
        """Load a `save_pretrained` folder.

        Raises:
            CheckpointError: it holds no HAWK model, or a frozen part is not the one it was trained with.
        """
        parts = load(Path(folder))
        return cls(parts, load_frame_encoder(parts.model))

    def watch(self, video: str | Path, span: tuple[float, float] | None = None) -> "Conversation":
        """Look at a video, once; the answer to every question about it comes from that look.

        Args:
            video: a file, or a folder of numbered pictures.
            span: seconds [start, end) to look at; None for the whole video.

        Raises:
            UnreadableVideo: the video cannot be decoded.
        """
        config = self._parts.model.config
        parameters = StreamParameters(frames=config.frames, flow=config.flow)
        streams = read_streams(video, parameters, config.frame_size, span)
        appearance, motion = encode_streams(self._frame_encoder, streams.frames, streams.magnitude, config.mask)
        seen = FrameTokens(appearance[0], motion[0], tuple(streams.times_s[0].tolist()))
        return Conversation(self._parts, seen)

    def ask(
        self,
        video: str | Path,
        question: str,
        span: tuple[float, float] | None = None,
        generation: GenerationSettings | None = None,
    ) -> str:
        """Answer a question about a video.

        Args:
            video, span: see `watch`.
            question: in words.
            generation: how the answer is drawn; greedily by default.

        Raises:
            UnreadableVideo: the video cannot be decoded.
            PromptError: the question is empty or too long.
        """
        return self.watch(video, span).ask(question, generation)

    def describe(
        self, video: str | Path, span: tuple[float, float] | None = None, generation: GenerationSettings | None = None
    ) -> str:
        """Say what is unusual in a video. Arguments and errors as for `ask`."""
        return self.ask(video, DESCRIBE, span, generation)


class Conversation:
    """A video that has been watched, and what was said about it so far."""

    def __init__(self, parts: Parts, seen: FrameTokens) -> None:
        self._parts = parts
        self._times_s = seen.times_s
        self.max_earlier_turns = parts.model.config.conversation_turns - 1 if parts.model.config.conversation_turns else 0
        """So many of the last turns the model is shown with a question, as in its training; 0: each question is asked afresh."""
        self._watched = watch(parts.model, [seen])
        self.turns: list[Turn] = []
        """What was asked and answered, oldest first; empty it to begin anew."""
        self.turns_without_room = 0
        """So many of the turns that the model would have been shown with the last question found no room beside it."""

    def _query(self, question: str, generation: GenerationSettings | None) -> Query:
        wanted = Query(question, tuple(self.turns[-self.max_earlier_turns :]) if self.max_earlier_turns else ())
        earlier = turns_with_room(self._parts, wanted, self._times_s, generation)
        self.turns_without_room = len(wanted.earlier) - len(earlier)
        return Query(question, earlier)

    def ask(self, question: str, generation: GenerationSettings | None = None) -> str:
        """Answer a question in the light of the last ones, as many as the model was trained to follow (`max_earlier_turns`).

        Where they are too long together, the oldest of them are left out (`turns_without_room`).

        Raises:
            PromptError: the question is empty, or too long by itself.
        """
        said = answer(self._parts, self._watched, [self._query(question, generation)], [self._times_s], generation)[0]
        self.turns.append(Turn(question, said))
        return said

    def stream(self, question: str, generation: GenerationSettings | None = None) -> Iterator[str]:
        """The same, piece by piece as it is found. The turn counts when the last piece has been taken.

        Raises:
            PromptError: see `ask`.
            ModelError: beams are searched.
        """
        pieces = []
        for piece in stream(self._parts, self._watched, self._query(question, generation), self._times_s, generation):
            pieces.append(piece)
            yield piece
        self.turns.append(Turn(question, "".join(pieces).strip()))

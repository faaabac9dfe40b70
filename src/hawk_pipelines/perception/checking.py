"""What a captioner says is held against its clip. Words are data: nothing in them is obeyed, and nothing is cut silently."""

import math
import unicodedata

from hawk_pipelines.perception.captioner import CaptionError, Said
from hawk_pipelines.schema import Caption, Clip

LONGEST = 1000
"""Characters of a caption. What is longer is no sentence about a few seconds."""
SLACK_S = 1e-6
"""Two ways to compute the same moment may differ in the last digits."""


def check_caption(said: Said, clip: Clip, tool: str, version: str) -> Caption:
    """A caption of its clip.

    Control characters and line ends become spaces. HTML, instructions and the like stay as they are.

    Raises:
        CaptionError: it has no text, too much text, impossible times or score, or is about another stretch of the video.
    """
    text = plain(said.text)
    quoted = f"The caption “{shortened(text)}” by {tool}"
    if not any(character.isalnum() for character in text):
        msg = f"{quoted} holds no word."
        raise CaptionError(msg)
    if len(text) > LONGEST:
        msg = f"{quoted} has {len(text):,} characters, and a caption has at most {LONGEST:,}."
        raise CaptionError(msg)
    if not (math.isfinite(said.start_s) and math.isfinite(said.end_s)) or said.start_s < 0 or said.end_s <= said.start_s:
        msg = f"{quoted} is said to hold from {said.start_s:g} to {said.end_s:g} s, which is no stretch of time."
        raise CaptionError(msg)
    middle = (said.start_s + said.end_s) / 2
    if not clip.start_s - SLACK_S <= middle <= clip.end_s + SLACK_S:
        where = f"is about {said.start_s:.2f} to {said.end_s:.2f} s of the video"
        msg = f"{quoted} {where}, but its clip goes from {clip.start_s:.2f} to {clip.end_s:.2f} s."
        raise CaptionError(msg)
    if not 0 <= said.score <= 1:
        msg = f"{quoted} has the score {said.score:g}, and a score lies between 0 and 1."
        raise CaptionError(msg)
    return Caption(
        clip_id=clip.id,
        video_id=clip.video_id,
        start_s=said.start_s,
        end_s=said.end_s,
        text=text,
        tool=tool,
        version=version,
        score=said.score,
    )


def plain(text: str) -> str:
    """Text without control characters and halves of characters, its white space made single spaces."""
    kept = "".join(" " if unicodedata.category(character) in {"Cc", "Cs"} else character for character in text)
    return " ".join(kept.split())


def shortened(text: str, longest: int = 80) -> str:
    """The beginning of a text, to be quoted in a sentence."""
    return text if len(text) <= longest else text[: longest - 1] + "…"

"""Sentences: parsing them, the motion text of the motion-language loss, and describing a video by rules."""

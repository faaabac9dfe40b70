"""Captioners: a clip in, timed sentences out."""

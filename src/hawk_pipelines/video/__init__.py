"""Pixels and nothing else: what a video file is, which frames to look at, and how much moves in them."""

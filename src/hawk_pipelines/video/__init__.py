"""Pixels and nothing else: what a video is, which frames to look at, and how much moves in them.

A video is a file, or a folder of numbered pictures. `probe` says what it is; `streams` is the one pass that gives both
streams. No torch is imported here, so that a worker stays small.
"""

import cv2

cv2.setNumThreads(1)  # videos are spread over processes; threads inside each would only get in each other's way

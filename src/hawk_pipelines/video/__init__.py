"""Pixels and nothing else: what a video file is, which frames to look at, and how much moves in them."""

import cv2

cv2.setNumThreads(1)  # videos are spread over processes; threads inside each would only get in each other's way

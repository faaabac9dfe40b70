"""How a frame is to be turned before it is shown: cameras and telephones write that beside the pixels."""

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


def turned(frame: VideoFrame, pixels: np.ndarray) -> np.ndarray:
    """The pixels of a frame [H, W, ...] as they are to be shown."""
    matrix = _display_matrix(frame)
    if matrix is None:
        return pixels
    (a, b), (c, d) = matrix
    if a == 0:  # across the diagonal: what was a row becomes a column
        pixels = np.swapaxes(pixels, 0, 1)
        a, d = c, b
    return pixels[:: int(d), :: int(a)]


def shown_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of a frame as it is to be shown."""
    matrix = _display_matrix(frame)
    swapped = matrix is not None and matrix[0][0] == 0
    return (frame.height, frame.width) if swapped else (frame.width, frame.height)


def _display_matrix(frame: VideoFrame) -> np.ndarray | None:
    """[[a, b], [c, d]] of x' = a·x + c·y, y' = b·x + d·y, each −1, 0 or 1; None where nothing is to be turned.

    Angles that are no multiple of 90° are not applied.
    """
    side = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if side is None:
        return None
    matrix = np.frombuffer(bytes(side), "<i4").reshape(3, 3)[:2, :2] / 65536
    if not np.isin(np.abs(matrix), (0, 1)).all() or abs(np.linalg.det(matrix)) != 1:
        return None
    return None if (matrix == np.eye(2)).all() else matrix.astype(int)

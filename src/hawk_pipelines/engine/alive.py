"""Is a process still there? Light: workers, too, ask it, and must not wait for libraries."""

import os


def alive(process: int) -> bool:
    """Whether a process of this machine runs, or has ended and nobody asked how."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""MLflow finds the programs that it starts by their names (`uvicorn`, `uv`), also where its environment is not activated.

`mlflow models serve` and `mlflow models predict` look for them in PATH, where those beside this Python are only in an activated
environment. MLflow has no place to hook this in but plugins that it loads at its start: this is one, and says nothing of runs.
"""

import os
import sys
from pathlib import Path


class ProgramsBesidePython:
    """A run context provider that puts the programs of a virtual environment in front of PATH, as activating it does."""

    def __init__(self) -> None:
        beside = str(Path(sys.executable).parent)
        places = os.environ.get("PATH", os.defpath).split(os.pathsep)
        if sys.prefix != sys.base_prefix and beside not in places:
            os.environ["PATH"] = os.pathsep.join([beside, *places])

    def in_context(self) -> bool:
        """Whether there is something to say of a run."""
        return False

    def tags(self) -> dict[str, str]:
        """Of a run."""
        return {}

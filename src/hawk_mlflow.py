"""MLflow finds the programs that it starts by their names (`uvicorn`, `uv`), also where its environment is not activated.

`mlflow models serve` and `mlflow models predict` look for them in PATH, where those beside this Python are only in an activated
environment. MLflow has no place to hook this in but plugins that it loads at its start: this is one, and says nothing of runs.

It lies outside the package: a registered version brings the package along, and would not be asked for it if this had imported the
installed one before.
"""

import os
import sys
from pathlib import Path


class ProgramsBesidePython:
    """A run context provider that puts the programs of a virtual environment in front of PATH, as activating it does.

    The Python that the environment was made from comes last: of it uv makes the environment of a model.
    """

    def __init__(self) -> None:
        if sys.prefix == sys.base_prefix:
            return
        places = os.environ.get("PATH", os.defpath).split(os.pathsep)
        first, last = str(Path(sys.executable).parent), str(Path(sys.base_prefix) / "bin")
        os.environ["PATH"] = os.pathsep.join(dict.fromkeys(places if first in places else [first, *places]) | {last: None})

    def in_context(self) -> bool:
        """Whether there is something to say of a run."""
        return False

    def tags(self) -> dict[str, str]:
        """Of a run."""
        return {}

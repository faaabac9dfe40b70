"""Run by test_standing_alone.py in an interpreter of its own: loads a version where nothing but its requirements can be imported.

Arguments: the version's folder, a video, a question. It prints as JSON what was answered, by which code, and what was imported.
"""

import builtins
import json
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

FOLDER, VIDEO, QUESTION = sys.argv[1:]


def _closure(names):
    """These distributions and all that they need."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found, todo = set(), [canonicalize_name(name) for name in names]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        needs = [Requirement(line) for line in distribution(name).requires or []]
        todo += [canonicalize_name(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def _blocked():
    """Modules of distributions that the version does not ask for."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (Path(FOLDER) / "requirements.txt").read_text().split()
    there = _closure(Requirement(line).name for line in lines)
    owners = packages_distributions().items()
    return {module for module, names in owners if not there & {canonicalize_name(name) for name in names}} - {"hawk_pipelines"}


BLOCKED = _blocked()


class OnlyRequirements(PathFinder):
    """Finds nothing else."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else super().find_spec(name, path, target)


imported, real_import = set(), builtins.__import__


def _recording(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
    """What the version's own code imports."""
    if level == 0 and str((globals or {}).get("__file__", "")).startswith(FOLDER):
        imported.add(name.partition(".")[0])
    return real_import(name, globals, locals, fromlist, level)


for name in [name for name in sys.modules if name.partition(".")[0] in BLOCKED]:
    del sys.modules[name]
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, OnlyRequirements]
builtins.__import__ = _recording

import mlflow  # noqa: E402
import pandas as pd  # noqa: E402

model = mlflow.pyfunc.load_model(FOLDER)
answers = model.predict(pd.DataFrame({"video": [VIDEO, "no.mp4", VIDEO], "question": [QUESTION, QUESTION, None]}))

import hawk_pipelines  # noqa: E402

result = {
    "answers": answers.to_dict("records"),
    "code": hawk_pipelines.__file__,
    "imported": sorted(imported - sys.stdlib_module_names - {"hawk_pipelines"}),
    "blocked": sorted(BLOCKED),
}
sys.stdout.write(f"{json.dumps(result)}\n")

"""How a run ends where nothing is left to train on or to test on: after the last step that had something to do.

| samples | what a run of all steps does | exit status |
|---|---|---|
| of a subset that has videos none is accepted, but some wait for review | ends after `validate` | 0 |
| of a subset that has videos none is accepted, and none waits | ends after `validate` | 1 |
| no training video | ends after `encode` | 0 |
| no test video | trains, and ends after `finetune` | 0 |

Where the later steps were asked for by name, that they cannot be run is an error.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pluggy import PluginManager

from hawk_pipelines.curation.admission import NothingLeft, check_subsets, empty_subset
from hawk_pipelines.datasets.saved_model import SavedModelDataset
from hawk_pipelines.errors import HawkError
from hawk_pipelines.pipelines.runner import ReusingRunner

logger = logging.getLogger(__name__)

ALWAYS_RUN = {"admit_annotations", "write_samples"}
"""These nodes run whether or not anything was accepted; what follows them needs samples."""
TRAINING_STARTS = ("pretrain_model", "finetune_model")
"""These nodes and what follows them need training samples."""
EVALUATION_START = "ask_test_items"
"""This node and what follows it need test samples."""
WRITTEN_BESIDE = {"ask_test_items": "questions_to_answer"}
"""A file that a node writes to a path that it is given, so that Kedro does not know it as an output."""
_VERBS = {"train": "trained on", "test": "tested on"}


class Interrupted(HawkError):
    """Somebody pressed Ctrl-C. Kedro closes what it has opened only after an error, and Python counts an interruption as none."""


class Ending(NamedTuple):
    """Why the later steps of a run have nothing to do."""

    reason: str
    """One sentence or two, for people."""
    is_orderly: bool
    """Whether the run has done all that it can, and it is for a person to go on; otherwise something must be mended."""


class StagedRunner(ReusingRunner):
    """Runs what is not finished yet, and looks before training and before the evaluation whether there are samples.

    Tables and reports of steps that are not run are removed where their samples were written anew: they were made from others.
    """

    def __init__(self, is_async: bool = False, runs_all: bool = False) -> None:
        """Args:
        is_async: Kedro's.
        runs_all: whether nobody asked for steps by name.
        """
        super().__init__(is_async=is_async)
        self._runs_all = runs_all

    def _run(
        self, pipeline: Pipeline, catalog: CatalogProtocol, hook_manager: PluginManager | None = None, run_id: str | None = None
    ) -> None:
        preparation, features, training, evaluation = stages(pipeline)
        writes_samples = "write_samples" in _names(preparation)
        endings = [
            ending_before_features if writes_samples else None,
            ending_before_training if writes_samples and training.nodes else None,
            ending_before_evaluation if evaluation.nodes else None,
        ]
        later = [features, training, evaluation]
        self._run_stage(preparation, catalog, hook_manager, run_id)
        for place, (stage, why) in enumerate(zip(later, endings, strict=True)):
            if why and (ending := why(catalog)):
                self._end(ending, later[place:], catalog, writes_samples)
                return
            self._run_stage(stage, catalog, hook_manager, run_id)

    def _run_stage(
        self, stage: Pipeline, catalog: CatalogProtocol, hook_manager: PluginManager | None, run_id: str | None
    ) -> None:
        try:
            if stage.nodes:
                super()._run(stage, catalog, hook_manager, run_id)
        except KeyboardInterrupt as error:
            msg = "The run was interrupted. What was finished is kept, and the same command goes on from there."
            raise Interrupted(msg) from error

    def _end(self, ending: "Ending", stages_left: Sequence[Pipeline], catalog: CatalogProtocol, writes_samples: bool) -> None:
        """Remove what the steps that are left made from other samples; an error where they were asked for by name.

        Raises:
            NothingLeft: see there.
        """
        left = sum(stages_left, Pipeline([]))
        if writes_samples:
            remove_outputs(left, catalog)
        if not (ending.is_orderly and (self._runs_all or not left.nodes)):
            raise NothingLeft(ending.reason)


def stages(pipeline: Pipeline) -> tuple[Pipeline, Pipeline, Pipeline, Pipeline]:
    """What needs no samples; what needs any; what needs those of training; and the evaluation. Each may be empty."""
    names = _names(pipeline)
    evaluation = _names(pipeline.from_nodes(EVALUATION_START)) if EVALUATION_START in names else set()
    after_samples = _names(pipeline.from_nodes("admit_annotations")) if names >= ALWAYS_RUN else set()
    starts = [name for name in TRAINING_STARTS if name in names]
    training = (_names(pipeline.from_nodes(*starts)) if starts else set()) & after_samples
    preparation = names - (after_samples - ALWAYS_RUN) - evaluation
    features = after_samples - ALWAYS_RUN - training - evaluation
    parts = (preparation, features, training - evaluation, evaluation)
    return tuple(_only(pipeline, part) for part in parts)  # type: ignore[return-value]


def reached_nodes(pipeline: Pipeline, executed: Iterable[str]) -> set[str]:
    """Names of the nodes that a run came to which ended early: of each stage of which a node was executed, all.

    Those among them that were not executed had nothing to do.
    """
    done = set(executed)
    return {name for stage in stages(pipeline) if _names(stage) & done for name in _names(stage)}


def why_ended(pipeline: Pipeline, completed: Iterable[str], catalog: CatalogProtocol) -> str | None:
    """Why a run that went well did not run all of its nodes, or cannot go on to training; None where neither is so.

    Args:
        pipeline: what was to be run.
        completed: names of the nodes that were executed.
        catalog: where the tables are.
    """
    done = set(completed)
    _, features, training, evaluation = stages(pipeline)
    ending = None
    if done >= ALWAYS_RUN and not done & _names(features):
        ending = ending_before_features(catalog)
    if ending is None and done >= ALWAYS_RUN and not done & _names(training):
        ending = ending_before_training(catalog)
    if ending is None and evaluation.nodes and not done & _names(evaluation):
        ending = ending_before_evaluation(catalog)
    return ending.reason if ending else None


def ending_before_features(catalog: CatalogProtocol) -> Ending | None:
    """Why nothing can be made of what was accepted, or None."""
    judged, videos = catalog.load("judged_drafts"), catalog.load("videos")
    try:
        check_subsets(judged, videos)
    except NothingLeft as error:
        review, subset = catalog.load("validation")["review"], empty_subset(judged, videos)
        if not review["waiting_by_split"].get(subset):
            return Ending(str(error), is_orderly=False)
        nothing = f"Nothing can be {_VERBS[subset]} yet: no description of a {subset} video is accepted." if subset else ""
        waiting = f"{review['waiting']:,} wait for you: `hawk review next`, then `kedro run` goes on."
        return Ending(f"{nothing} {waiting}", is_orderly=True)
    return None


def ending_before_training(catalog: CatalogProtocol) -> Ending | None:
    """Why nothing can be trained on, or None."""
    if not catalog.load("train_samples"):
        what = "Nothing can be trained on: there is no training video. The annotations and samples of the test videos are kept."
        return Ending(f"{what} Add training videos, then `kedro run` goes on.", is_orderly=True)
    return None


def ending_before_evaluation(catalog: CatalogProtocol) -> Ending | None:
    """Why nothing can be evaluated, or None."""
    if catalog.load("test_samples"):
        return None
    what = "Nothing can be tested on: there is no annotation of a test video, so nothing was evaluated or registered."
    how = "Put some videos on the test side (`split` in captions.csv), then `kedro run` goes on."
    return Ending(f"{what} {how}", is_orderly=True)


def remove_outputs(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """Remove the tables and reports that these nodes made in an earlier run. Models and stores of items stay."""
    names = pipeline.all_outputs() | {WRITTEN_BESIDE[name] for name in _names(pipeline) & WRITTEN_BESIDE.keys()}
    datasets = [catalog.get(name) for name in sorted(names)]
    paths = [Path(str(getattr(dataset, "_filepath", ""))) for dataset in datasets if not isinstance(dataset, SavedModelDataset)]
    files = [path for path in paths if path.is_file()]
    for path in files:
        path.unlink()
    if files:
        logger.info("%d table(s) and report(s) of an earlier run, made from other samples, were removed.", len(files))


def _names(pipeline: Pipeline) -> set[str]:
    return {node.name for node in pipeline.nodes}


def _only(pipeline: Pipeline, names: set[str]) -> Pipeline:
    return pipeline.only_nodes(*names) if names else Pipeline([])

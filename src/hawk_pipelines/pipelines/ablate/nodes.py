import os
from pathlib import Path

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.ablate.parameters import AblateParameters
from hawk_pipelines.pipelines.ablate.variants import variants
from hawk_pipelines.pipelines.encode.nodes import encode_frames
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.pipelines.stage import annotated_samples, check_trained_on, groups_of, job_of
from hawk_pipelines.schema import Ablated, AblationRow, Annotation, Pair, Sample, StoredItem, Truth, Video
from hawk_pipelines.training.parameters import FinetuneParameters
from hawk_pipelines.video.streams import StreamParameters


def train_variants(
    train_samples: list[Sample],
    test_samples: list[Sample],
    pairs: list[Pair],
    annotations: list[Annotation],
    videos: list[Video],
    truths: list[Truth],
    frames: list[StoredItem],
    frame_store: ItemStore,
    features: list[StoredItem],
    feature_store: ItemStore,
    other_features: ItemStore,
    trainings: Path,
    pretrained: Path | None,
    motion: StreamParameters,
    encode: EncodeParameters,
    model: ModelSettings,
    finetune: FinetuneParameters,
    evaluate: EvaluateParameters,
    parameters: AblateParameters,
    engine: EngineParameters,
    seed: int,
) -> list[Ablated]:
    """Train every variant with every seed and ask it everything about the test items; what is there already is taken.

    Variants that see other features than the run's (another mask) have them encoded from the same frames, once.
    """
    import mlflow

    from hawk_pipelines.evaluation.asked import asked
    from hawk_pipelines.evaluation.scores import flat_scores, metrics, score
    from hawk_pipelines.model.settings import GenerationSettings
    from hawk_pipelines.training.ablation import Cell, run_cells
    from hawk_pipelines.training.features import Features, with_features
    from hawk_pipelines.training.tracking import flat

    samples = annotated_samples(train_samples, pairs)
    check_trained_on("train_samples", samples, annotations, videos)
    cells = []
    seen_by_all = {item.item_id for item in features}
    for name, variant in variants(parameters, model, finetune, encode).items():
        seen, store = features, feature_store
        if variant.encode != encode:
            seen, _ = encode_frames(frames, frame_store, variant.encode, seed, engine, other_features)
            store = other_features
        seen_by_all &= {item.item_id for item in seen}
        settings = flat({"finetune": variant.finetune, "model": variant.model, "encode": variant.encode, "motion": motion})
        told = _shared(variant.finetune, parameters.at_a_time)
        for number in parameters.seeds:
            job = job_of("finetune", variant.model, told, pretrained, motion, variant.encode, store, number)
            cells.append(Cell(name, job, seen, settings | {"seed": number}))
    usable = with_features(test_samples, Features([item for item in features if item.item_id in seen_by_all], feature_store))
    questions = asked(usable, annotations, videos)
    parent = mlflow.active_run()
    assert parent is not None  # noqa: S101 (kedro-mlflow begins one)
    cells.sort(key=lambda cell: parameters.seeds.index(cell.job.seed))  # a whole comparison of one seed first
    done = run_cells(
        trainings,
        cells,
        samples,
        groups_of(annotations, videos),
        questions,
        parent,
        mlflow.get_tracking_uri(),
        parameters.at_a_time,
        evaluate.batch_size,
        GenerationSettings(max_new_tokens=evaluate.max_new_tokens),
    )
    for one in done.answered:
        mlflow.log_metrics(flat_scores(metrics(score(one.predictions, train_samples, truths))), run_id=one.run_id)
    if done.failed:
        mlflow.log_dict(done.failed, "failed_cells.json")
    return [Ablated(**prediction.model_dump(), seed=one.cell.job.seed) for one in done.answered for prediction in one.predictions]


def _shared(parameters: FinetuneParameters, at_a_time: int) -> FinetuneParameters:
    """Trainings beside each other share the cores: threads that wait for each other would stop all of them."""
    if parameters.launch.threads or at_a_time == 1:
        return parameters
    threads = max(1, (os.cpu_count() or 1) // at_a_time)
    return parameters.model_copy(update={"launch": parameters.launch.model_copy(update={"threads": threads})})


def compare_variants(
    ablated: list[Ablated], train_samples: list[Sample], truths: list[Truth], parameters: AblateParameters
) -> tuple[list[AblationRow], str, object]:
    """Every variant's figures, and what it has over the reference: as rows, as a Markdown table, as a plot."""
    from hawk_pipelines.evaluation import ablation

    rows = ablation.compare_variants(ablated, train_samples, truths, parameters.reference)
    wanted = dict.fromkeys(parameters.variants, len(parameters.seeds))
    return rows, ablation.table(rows, parameters.reference, wanted), ablation.plot(rows, parameters.reference)

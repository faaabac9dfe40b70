import logging
import shutil
import subprocess
from contextlib import suppress

import pytest
import torch

from hawk_pipelines.model.settings import LanguageModelSettings, TinyDecoderSettings
from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.errors import TrainingError
from tests.file_sizes import no_file_above
from tests.training.made import MODEL, given, journal, losses, the_folder


def _save(folder, step, **facts):
    """What a trainer would write, and its finish."""
    written = checkpoints.staging(folder) / f"checkpoint-{step}"
    (written / "global_step").mkdir(parents=True)
    (written / "model.safetensors").write_bytes(bytes([step]) * 1000)
    (written / "global_step" / "optimizer.pt").write_bytes(bytes([step]) * 3000)
    return checkpoints.finish(folder, step, {"mlflow_run_id": "r"} | facts)


def test_a_state_is_there_whole_with_what_is_kept_beside_it(tmp_path):
    place = _save(tmp_path, 3, processes=2)
    assert place == tmp_path / "checkpoint-3"
    assert checkpoints.fault_of(place) is None
    facts = checkpoints.facts_of(place)
    assert (facts["step"], facts["mlflow_run_id"], facts["processes"]) == (3, "r", 2)
    assert set(facts["files"]) == {"model.safetensors", "global_step/optimizer.pt"}


def _truncate(place):
    with (place / "model.safetensors").open("r+b") as file:
        file.truncate(500)


def _garble(place):
    (place / "global_step" / "optimizer.pt").write_bytes(bytes(3000))


def _lose(place):
    (place / "model.safetensors").unlink()


def _unlist(place):
    (place / "complete.json").unlink()


def _half_list(place):
    listed = (place / "complete.json").read_text()
    (place / "complete.json").write_text(listed[: len(listed) // 2])


def _list_of_nothing(place):
    (place / "complete.json").write_text("[]")


DAMAGE = {
    _truncate: "model.safetensors is not as it was written",
    _garble: "global_step/optimizer.pt is not as it was written",
    _lose: "it lacks model.safetensors",
    _unlist: "it has no list of its files",
    _half_list: "it has no list of its files",
    _list_of_nothing: "it has no list of its files",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_the_newest_that_is_whole_wins_and_what_is_damaged_is_said(tmp_path, caplog, damage):
    for step in (4, 10, 8):
        _save(tmp_path, step)
    damage(tmp_path / "checkpoint-10")
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-8"
    assert checkpoints.steps(tmp_path) == [4, 8]
    assert f"checkpoint-10 is passed over and removed: {DAMAGE[damage]}" in caplog.text
    assert _save(tmp_path, 10) == checkpoints.newest(tmp_path)  # it is written again in its place


def test_the_newest_is_that_of_the_largest_number(tmp_path):
    for step in (9, 10, 100):
        _save(tmp_path, step)
    (tmp_path / "checkpoint-notes").mkdir()
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-100"
    assert checkpoints.steps(tmp_path) == [9, 10, 100]


def test_what_was_being_written_is_never_taken(tmp_path):
    _save(tmp_path, 2)
    half = checkpoints.staging(tmp_path) / "checkpoint-4"
    half.mkdir(parents=True)
    shutil.copytree(tmp_path / "checkpoint-2", half, dirs_exist_ok=True)  # all but its name is there
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-2"
    assert not half.exists()


def test_without_any_there_is_none(tmp_path):
    assert checkpoints.newest(tmp_path) is None
    _truncate(_save(tmp_path, 1))
    assert checkpoints.newest(tmp_path) is None


@pytest.mark.parametrize(("best", "left"), [(None, [6, 8]), (2, [2, 6, 8]), (8, [6, 8])])
def test_the_last_and_the_best_are_kept(tmp_path, best, left):
    for step in (2, 4, 6, 8):
        _save(tmp_path, step)
    checkpoints.keep(tmp_path, 2, best)
    assert checkpoints.steps(tmp_path) == left


# --- in a training -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory, database):
    """A training with states of the steps 3, 6 and 8, and the job that made it."""
    made = given(tmp_path_factory.mktemp("saved"))
    job = made.job(optimizer="muon", checkpoints={"every": 3, "keep": 3})  # the states of both its optimizers are gone on with
    made.train(job, database)
    return made, job


@pytest.fixture
def unfinished(saved, tmp_path):
    """The same, as if it had been stopped before it left its model."""
    made, job = saved
    shutil.copytree(made.folder / "trainings", tmp_path / "trainings")
    folder = the_folder(made._replace(folder=tmp_path))
    shutil.rmtree(folder / "model")
    (folder / "finished").unlink()
    return made._replace(folder=tmp_path), job, folder


def test_a_training_keeps_the_last_so_many(saved):
    assert checkpoints.steps(the_folder(saved[0])) == [3, 6, 8]


def test_a_training_goes_on_from_the_newest_that_is_whole(unfinished, saved, database, caplog):
    """Two are damaged in ways that loading alone would not notice; what comes out is the same."""
    made, job, folder = unfinished
    weights = folder / "checkpoint-8" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4:] = b"\0\0\0\0"
    weights.write_bytes(content)
    state = torch.load(folder / "checkpoint-6" / "scheduler.pt", weights_only=True)
    torch.save(state | {"last_epoch": 2}, folder / "checkpoint-6" / "scheduler.pt")
    with caplog.at_level("INFO"):
        model = made.train(job, database)
    assert "checkpoint-8 is passed over and removed: model.safetensors is not as it was written" in caplog.text
    assert "checkpoint-6 is passed over and removed: scheduler.pt is not as it was written" in caplog.text
    assert "goes on from" in caplog.text
    assert "checkpoint-3." in caplog.text
    whole = the_folder(saved[0])
    assert journal(folder) == journal(whole)
    assert (model / "model.safetensors").read_bytes() == (whole / "model" / "model.safetensors").read_bytes()
    assert [checkpoints.fault_of(folder / f"checkpoint-{step}") for step in (3, 6, 8)] == [None] * 3


# --- a full disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A disk of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_while_saving_is_said_and_nothing_half_written_is_taken(made, database, disk, caplog):
    """The second state does not fit beside the first; with more room the training goes on from the first."""
    (made.folder / "trainings").symlink_to(disk)
    job = made.job(steps=12, checkpoints={"every": 4})
    said = r"The checkpoint of step 12 could not be saved in .*space.*; is the disk full\? The checkpoint of step 8 is as it was"
    with pytest.raises(TrainingError, match=said):
        made.train(job, database)
    folder = the_folder(made)
    assert checkpoints.steps(folder) == [4, 8]
    assert checkpoints.fault_of(folder / "checkpoint-8") is None
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    with caplog.at_level("INFO"):
        model = made.train(job, database)
    assert "checkpoint-8." in caplog.text
    assert [step["step"] for step in journal(folder)] == list(range(1, 13))
    assert not list(checkpoints.staging(folder).glob("*"))
    _insist_on_undisturbed(made, job, database, model)


class _Fill(logging.Handler):
    """Fill a disk when the log comes to a step."""

    def __init__(self, disk, step):
        super().__init__()
        self.disk, self.step = disk, step

    def emit(self, record):
        if f"step {self.step} of" in record.getMessage():
            with (self.disk / "ballast").open("ab", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(1024))


@pytest.mark.slow
def test_a_disk_that_is_full_while_measurements_are_written_is_said_and_nothing_is_repeated(made, database, disk, caplog):
    (made.folder / "trainings").symlink_to(disk)
    job = made.job(steps=20, checkpoints={"every": 18})  # many a step is written down before a state is
    fill = _Fill(disk, 5)
    caplog.set_level("INFO")
    logger = logging.getLogger("hawk_pipelines")
    logger.addHandler(fill)
    try:
        with pytest.raises(TrainingError, match=r"No space left on device.*; is the disk full\? What was saved is as it was\.$"):
            made.train(job, database)
    finally:
        logger.removeHandler(fill)
    (disk / "ballast").unlink()
    folder = the_folder(made)
    assert checkpoints.newest(folder) is None
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    _insist_on_undisturbed(made, job, database, made.train(job, database))


def _insist_on_undisturbed(made, job, database, model):
    whole = made.train(job, database, "undisturbed")
    assert journal(model.parent) == journal(whole.parent)
    assert (model / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_state_that_cannot_be_written_whole_is_said_too(made, database):
    """The weights can, but the optimizer's state, which is twice as large, cannot."""
    tiny = TinyDecoderSettings(width=256, heads=2, vocabulary=400)
    job = made.job(steps=3, model=MODEL.model_copy(update={"language_model": LanguageModelSettings(tiny=tiny)}))
    said = r"^The checkpoint of step 3 could not be saved in .*; is the disk full\? No checkpoint was saved yet\.$"
    with no_file_above(9_000_000), pytest.raises(TrainingError, match=said):
        made.train(job, database)
    folder = the_folder(made)
    assert checkpoints.newest(folder) is None
    assert len(losses(folder)) == 3
    model = made.train(job, database)
    assert 4_500_000 < (model / "model.safetensors").stat().st_size < 9_000_000
    assert len(losses(folder)) == 3

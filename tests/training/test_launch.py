import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch

from hawk_pipelines.training import checkpoints
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.launch import _command, _environment, _threads, _watched, check_launch, read_hostfile
from hawk_pipelines.training.parameters import FinetuneParameters, LaunchParameters
from tests.conftest import ROOT
from tests.training.made import elsewhere, losses, the_folder

TWO = {"processes": 2, "device": "cpu"}


def _check(**told):
    launch = told.pop("launch", {})
    return check_launch("finetune", FinetuneParameters(**told, launch=launch))


# --- how many ------------------------------------------------------------------------------------------------------------


def test_one_process_unless_more_are_asked_for():
    assert not torch.cuda.is_available()
    assert _check() == 1
    assert _check(launch={"processes": 4}) == 4
    assert _check(launch=TWO, batch_size=6, accumulation=3) == 2


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"batch_size": 6, "launch": {"processes": 4}}, r"`finetune.batch_size` = 6 cannot be shared by 4 process\(es\) × 1 acc"),
        ({"batch_size": 8, "accumulation": 3}, r"`finetune.batch_size` = 8 cannot be shared by 1 process\(es\) × 3 acc"),
        ({"batch_size": 2, "launch": {"processes": 4}}, "change `batch_size`, `accumulation` or `launch.processes`"),
        ({"launch": {"device": "cuda"}}, "`finetune.launch.device` is cuda, but there is no GPU here; set it to auto or cpu"),
        ({"launch": {"deepspeed": "gone.json"}}, "There is no DeepSpeed file gone.json"),
        ({"launch": {"hostfile": "gone", "launcher": "deepspeed"}}, "The hostfile gone cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_begin_is_refused_before_anything_is_made(made, database, told, said):
    with pytest.raises(TrainingError, match=said):
        made.train(made.job(**told), database)
    assert not (made.folder / "trainings").exists()


def test_fewer_gpus_than_asked_for_are_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(TrainingError, match=r"`finetune.launch.processes` is 4, but there are 2 GPU\(s\) here; lower it, or set"):
        _check(launch={"processes": 4})
    assert _check() == 2  # one for each
    assert _check(launch={"processes": 1}) == 1
    assert _check(launch={"processes": 4, "device": "cpu"}) == 4


# --- several machines ----------------------------------------------------------------------------------------------------


def test_a_hostfile_says_which_machines_and_how_many_processes(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("# ours\nworker-1 slots=4\n\n  worker-2   slots=8  # the big one\n10.0.0.3 slots=1\n")
    assert read_hostfile(file) == {"worker-1": 4, "worker-2": 8, "10.0.0.3": 1}
    launch = {"hostfile": str(file), "launcher": "deepspeed"}
    assert _check(batch_size=26, launch=launch) == 13
    with pytest.raises(TrainingError, match=r"= 32 cannot be shared by 13 process\(es\)"):
        _check(launch=launch)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("worker-2", "Line 2 of the hostfile .* is `worker-2`, but it is `HOST slots=N`, each machine once"),
        ("worker-2 slots=", "Line 2"),
        ("worker-2 slots=0", "Line 2"),
        ("worker-2 slots=-1", "Line 2"),
        ("worker-2 slots=two", "Line 2"),
        ("worker-2 gpus=2", "Line 2"),
        ("worker-2 slots=2 more", "Line 2"),
        ("worker-1 slots=2", "Line 2 .* each machine once"),
        ("worker-2 slots=1000000", "Line 2"),
        ("worker-2 slots=²", "Line 2"),
        ("-oProxyCommand=x slots=2", "Line 2"),  # it would be an option of ssh
        ("worker-2;reboot slots=2", "Line 2"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, line, said):
    file = tmp_path / "hosts"
    file.write_text(f"worker-1 slots=4\n{line}\n")
    with pytest.raises(TrainingError, match=said):
        read_hostfile(file)


def test_a_hostfile_of_nothing_is_refused(tmp_path):
    (tmp_path / "hosts").write_text("# nobody\n")
    with pytest.raises(TrainingError, match="names no machine"):
        read_hostfile(tmp_path / "hosts")
    (tmp_path / "hosts").write_bytes(b"worker-1 slots=\xff\n")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_hostfile(tmp_path / "hosts")


def test_what_starts_the_processes(tmp_path):
    """Torchrun's and DeepSpeed's own commands; threads are shared, and nothing is left to an outer hostfile."""
    torchrun = _command(LaunchParameters(processes=3), 3, tmp_path)
    assert torchrun[1:3] == ["-m", "torch.distributed.run"]
    assert "--nproc-per-node=3" in torchrun
    assert torchrun[-3:] == ["--module", "hawk_pipelines.training.run", str(tmp_path)]
    alone = _command(LaunchParameters(processes=3, launcher="deepspeed"), 3, tmp_path)
    assert {"--num_gpus=3", "--hostfile=/dev/null"} <= set(alone)
    several = _command(LaunchParameters(launcher="deepspeed", hostfile=Path("hosts")), 13, tmp_path)
    assert "--hostfile=hosts" in several
    assert not [word for word in several if word.startswith("--num_gpus")]
    assert _environment(LaunchParameters(device="cpu"), 2)["DS_ACCELERATOR"] == "cpu"
    assert _environment(LaunchParameters(threads=1), 2)["OMP_NUM_THREADS"] == "1"
    cores = len(os.sched_getaffinity(0))
    assert _environment(LaunchParameters(threads=64 * cores), 2)["OMP_NUM_THREADS"] == str(max(1, cores // 2))
    machines = LaunchParameters(threads=3, launcher="deepspeed", hostfile=tmp_path / "hosts")
    assert _environment(machines, 64 * cores)["OMP_NUM_THREADS"] == "3"  # processes of other machines share no cores with ours


def test_a_training_in_this_process_leaves_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    with _threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with _threads(None):
        assert torch.get_num_threads() == before


# --- a launcher that is watched ------------------------------------------------------------------------------------------


def _program(text, folder):
    _watched([sys.executable, "-c", text, str(folder)], dict(os.environ), folder)


def test_its_output_goes_to_the_log_and_its_sentence_to_the_caller(tmp_path, caplog):
    caplog.set_level("INFO")
    _program("print('step 1'); print(); print('step 2')", tmp_path)
    assert [record.getMessage() for record in caplog.records] == ["step 1", "step 2"]
    fault = "import json, sys; json.dump({'rank': 1, 'fault': 'The loss is no number.'}, open(sys.argv[1] + '/fault.json', 'w'))"
    with pytest.raises(TrainingError, match=r"^The loss is no number\.$"):
        _program(f"{fault}; print('Traceback'); sys.exit(1)", tmp_path)


@pytest.mark.parametrize(
    ("end", "how"), [("os.kill(os.getpid(), 9)", "SIGKILL"), ("os._exit(7)", "status 7"), ("os.abort()", "SIGABRT")]
)
def test_without_a_sentence_its_last_words_are_told(tmp_path, end, how):
    (tmp_path / "fault.json").write_text('{"rank"')  # half-written
    text = f"import os\nfor n in range(50): print('word', n, b'\\xff', flush=True)\n{end}"
    with pytest.raises(TrainingError, match=rf"ended with {how}; its last words: word 38 .* \| word 49 .*\.$"):
        _program(text, tmp_path)


@pytest.fixture
def interruptible():
    """What is started in the background of a shell has SIGINT ignored, and would wait for its interruption for ever."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_launcher_is_ended_where_its_caller_is_interrupted(tmp_path):
    """With what it started, which would otherwise go on."""
    text = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path(sys.argv[1], 'child').write_text(str(child.pid))\n"
        "print('started', flush=True); time.sleep(600)"
    )

    def interrupt():
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        _program(text, tmp_path)
    assert _ends(int((tmp_path / "child").read_text()), 10)


def _ends(pid, within_s):
    try:
        process = psutil.Process(pid)
        until = time.monotonic() + within_s
        while time.monotonic() < until and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# --- real processes ------------------------------------------------------------------------------------------------------


def _workers(folder):
    """Processes of a training, of which there are two."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if str(folder) in words and "hawk_pipelines.training.run" in words and "torch.distributed.run" not in words:
            found.append(process)
    return found


def _at_step(made, step, within_s=120):
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        folders = list((made.folder / "trainings").glob("*-*"))
        if folders and (folders[0] / "journal.jsonl").exists() and len(_lines(folders[0])) >= step:
            return folders[0]
        time.sleep(0.01)
    pytest.fail("the training does not begin")


def _lines(folder):
    return (folder / "journal.jsonl").read_bytes().splitlines()


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside_ends_the_training_with_its_last_words(made, database):
    """The other one ends, too, and what was saved is good: one process can go on from it."""
    job = made.job(steps=2000, launch=TWO, checkpoints={"every": 5})

    def kill():
        folder = _at_step(made, 8)
        _workers(folder)[-1].kill()

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(TrainingError, match=r"A process of the training ended with status 1; its last words: .*SIGKILL"):
        made.train(job, database)
    folder = the_folder(made)
    assert _workers(folder) == []
    good = checkpoints.newest(folder)
    assert good is not None


@pytest.mark.slow
def test_a_fault_in_one_of_several_processes_reaches_the_caller_as_its_sentence(made, database):
    """Of the process that had the bad item."""
    (feature,) = (one for one in made.features if one.item_id == "v3")
    arrays = made.store.read(feature.key)
    arrays["motion"] = arrays["motion"] * float("nan")
    told = made.store.facts(feature.key)
    made.store.pack(4, drop=[feature.key])
    made.store.write(feature.key, arrays, told)
    made.store.pack(4)
    with pytest.raises(TrainingError, match=r"^The loss is no number at step \d+: .*v3"):
        made.train(made.job(launch=TWO), database)
    assert _workers(the_folder(made)) == []


@pytest.mark.slow
def test_processes_end_when_their_caller_is_killed(made, database):
    caller = elsewhere(made.train, made.job(steps=5000, launch=TWO), database)
    folder = _at_step(made, 5)
    workers = _workers(folder)
    assert len(workers) == 2
    caller.kill()
    caller.join()
    assert all(_ends(worker.pid, 20) for worker in workers)


@pytest.mark.slow
def test_another_number_of_processes_goes_on_without_deepspeed_and_is_refused_with_it(made, database):
    """States of ZeRO are spread over the processes that wrote them."""
    zero = {"deepspeed": str(ROOT / "conf/deepspeed/zero2.json"), "device": "cpu"}
    job = made.job(steps=4, checkpoints={"every": 2}, launch=zero | {"processes": 2})
    model = made.train(job, database)
    _unfinish(model.parent)
    with pytest.raises(TrainingError, match=r"checkpoint-2 was saved by 2 process\(es\) under ZeRO-2, but now there are 1 under"):
        made.train(made.job(steps=4, checkpoints={"every": 2}, launch=zero | {"processes": 1}), database)
    with pytest.raises(
        TrainingError, match=r"checkpoint-2 was saved by 2 process\(es\) under ZeRO-2, but now there are 1 without"
    ):
        made.train(made.job(steps=4, checkpoints={"every": 2}), database)
    made.train(job, database)
    assert len(losses(model.parent)) == 4


def _unfinish(folder):
    """As if it had been killed after its second step."""
    shutil.rmtree(folder / "model")
    shutil.rmtree(folder / "checkpoint-4")
    (folder / "finished").unlink()

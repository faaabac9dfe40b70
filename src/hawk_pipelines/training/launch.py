"""Starting a training: in this process on one device, otherwise as many processes that a launcher starts and watches."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.job import FAULT, Job, Stage
from hawk_pipelines.training.parameters import LaunchParameters, TrainingParameters

logger = logging.getLogger(__name__)

_HOST = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Devices of the drivers of NVIDIA and AMD, and of Windows' subsystem for Linux; where there is none, there is no GPU."""
_LAST_WORDS = 12
"""Lines that are told where a process ends without a sentence."""


def launch(folder: Path, job: Job, *, apart: bool = False) -> None:
    """Train, and come back when the model is in the folder.

    Args:
        folder: of the training.
        job: what is in it.
        apart: where one process is enough, not in this one.

    Raises:
        TrainingError: the training cannot begin, or one of its processes ended.
    """
    (folder / FAULT).unlink(missing_ok=True)
    told = job.parameters.launch
    count = check_launch(job.stage, job.parameters)
    alone = count == 1 and told.deepspeed is None and told.hostfile is None
    if alone and apart:
        command = [sys.executable, "-m", "hawk_pipelines.training.run", str(folder.resolve())]
        _watched(command, _environment(told, count), folder)
        return
    if alone:
        from hawk_pipelines.training.run import run

        with _threads(told.threads and min(told.threads, _cores_each(1))):
            run(folder)
        return
    _watched(_command(told, count, folder), _environment(told, count), folder)


def _cores_each(processes: int) -> int:
    """Cores of this machine for each of so many processes: threads beyond them would take them from each other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // processes)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads in torch; as before, afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_launch(stage: Stage, parameters: TrainingParameters) -> int:
    """How many processes a training has on all machines.

    Raises:
        TrainingError: there are not so many GPUs, the batch cannot be shared between them, or a file is missing or wrong.
    """
    told = parameters.launch
    gpus = gpu_count()
    if not gpus:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # so that DeepSpeed, which is imported along, does not look for one
    if told.device == "cuda" and not gpus:
        msg = f"`{stage}.launch.device` is cuda, but there is no GPU here; set it to auto or cpu."
        raise TrainingError(msg)
    if told.device != "cpu" and gpus and (told.processes or 0) > gpus:
        what = f"`{stage}.launch.processes` is {told.processes}, but there are {gpus} GPU(s) here"
        msg = f"{what}; lower it, or set `launch.device` to cpu."
        raise TrainingError(msg)
    if told.deepspeed:
        from hawk_pipelines.training.deepspeed_file import read_deepspeed

        read_deepspeed(told.deepspeed)
    alone = gpus if told.device != "cpu" and gpus else 1
    count = sum(read_hostfile(told.hostfile).values()) if told.hostfile else told.processes or alone
    if parameters.batch_size % (count * parameters.accumulation):
        shared = f"{count} process(es) × {parameters.accumulation} accumulated parts"
        what = f"`{stage}.batch_size` = {parameters.batch_size} cannot be shared by {shared}"
        msg = f"{what}; change `batch_size`, `accumulation` or `launch.processes`."
        raise TrainingError(msg)
    return count


def gpu_count() -> int:
    """GPUs of this machine. torch, which takes seconds to import, is asked only where there is a driver at all."""
    if "torch" not in sys.modules and not any(Path(driver).exists() for driver in _DRIVERS):
        return 0
    import torch

    return torch.cuda.device_count()


def read_hostfile(path: Path) -> dict[str, int]:
    """Machines and how many processes each has: lines of `HOST slots=N`.

    Raises:
        TrainingError: it is missing, or a line is of another form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The hostfile {path} cannot be read ({error}); it has a line `HOST slots=N` for each machine."
        raise TrainingError(msg) from error
    hosts: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        host, slots = words[0], words[1].removeprefix("slots=") if len(words) == 2 else ""
        if not _HOST.fullmatch(host) or not re.fullmatch("[1-9][0-9]{0,4}", slots) or host in hosts:
            msg = f"Line {number} of the hostfile {path} is `{line}`, but it is `HOST slots=N`, each machine once."
            raise TrainingError(msg)
        hosts[host] = int(slots)
    if not hosts:
        msg = f"The hostfile {path} names no machine; it has a line `HOST slots=N` for each."
        raise TrainingError(msg)
    return hosts


def _command(told: LaunchParameters, count: int, folder: Path) -> list[str]:
    started = ["--module", "hawk_pipelines.training.run", str(folder.resolve())]
    if told.launcher == "torchrun":
        each = ["--standalone", f"--nproc-per-node={count}", "--max-restarts=0"]
        return [sys.executable, "-m", "torch.distributed.run", *each, *started]
    where = [f"--hostfile={told.hostfile}"] if told.hostfile else [f"--num_gpus={count}", "--hostfile=/dev/null"]
    return [sys.executable, "-m", "deepspeed.launcher.runner", *where, f"--master_port={_free_port()}", *started]


def _environment(told: LaunchParameters, count: int) -> dict[str, str]:
    environment = dict(os.environ)
    if told.device == "cpu" or not gpu_count():
        environment["DS_ACCELERATOR"] = "cpu"
    cores = _cores_each(count)
    if told.threads:  # with a hostfile the processes are those of all machines, whose cores nobody knows here
        environment["OMP_NUM_THREADS"] = str(told.threads if told.hostfile else min(told.threads, cores))
    elif told.hostfile is None:
        environment.setdefault("OMP_NUM_THREADS", str(cores))
    environment.setdefault("PYTHONWARNINGS", "ignore::FutureWarning")  # of torch, in every process
    environment["TOKENIZERS_PARALLELISM"] = "false"  # the loader forks
    return environment


def _watched(command: list[str], environment: dict[str, str], folder: Path) -> None:
    """Run a launcher; its output goes to the log, and its end is ours."""
    last: deque[str] = deque(maxlen=_LAST_WORDS)
    with subprocess.Popen(  # noqa: S603 (our own module, no shell)
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as launcher:
        assert launcher.stdout is not None  # noqa: S101 (it is piped)
        try:
            for line in launcher.stdout:
                if words := line.rstrip():
                    logger.info("%s", words)
                    last.append(words)
            status = launcher.wait()
        except BaseException:
            _end(launcher)
            raise
    if status:
        raise TrainingError(_fault(folder, status, list(last)))


def _end(launcher: subprocess.Popen) -> None:
    """Ask all of its processes to end, then insist."""
    for what, wait_s in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        try:
            os.killpg(launcher.pid, what)
            launcher.wait(wait_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _fault(folder: Path, status: int, last: list[str]) -> str:
    try:
        told = json.loads((folder / FAULT).read_text(encoding="utf-8"))
        return str(told["fault"])
    except (OSError, ValueError, KeyError):
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"A process of the training ended with {how}; its last words: {' | '.join(last) or 'none'}."


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])

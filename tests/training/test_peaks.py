import subprocess
import sys

import pytest
import torch

from hawk_pipelines.training.peaks import mfu, peak
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756.5e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("A100-SXM4-40GB", 312e12),  # as older drivers say it
        ("NVIDIA RTX A6000", 154.8e12),  # the reference was trained on it
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),  # a seventh of a card has not its peak
        ("Tesla V100-SXM2-16GB", None),  # it has no bfloat16
        ("NVIDIA H1000", None),
    ],
)
def test_a_card_is_known_by_its_whole_name(name, operations):
    assert peak(name) == operations


def test_mfu_counts_four_operations_a_parameter_and_token(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "NVIDIA A100-SXM4-80GB")
    assert mfu(7_000_000_000, 5_000.0, torch.device("cuda", 0)) == pytest.approx(4 * 7e9 * 5e3 / 312e12)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Something else")
    assert mfu(7_000_000_000, 5_000.0, torch.device("cuda", 0)) is None


def test_a_processor_has_no_mfu():
    assert mfu(7_000_000_000, 5_000.0, torch.device("cpu")) is None


@pytest.mark.slow
def test_the_benchmark_needs_nothing_that_a_bare_machine_has_not():
    """Also at paper size, whose encoder is read when it is wanted: torch, transformers, numpy and safetensors are enough."""
    lacking = ("accelerate", "av", "cv2", "deepspeed", "kedro", "mlflow", "peft", "pyarrow", "pydantic")
    code = (
        f"import sys; sys.modules |= dict.fromkeys({lacking}); sys.argv[1:] = ['--help']\n"
        "import hawk_pipelines.model.frame_encoders.blip2, runpy\n"
        "runpy.run_path('benchmarks/training.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--size {paper,smol,tiny}" in done.stdout

import json

import pytest

from hawk_pipelines.training.deepspeed_file import KEYS, read_deepspeed
from hawk_pipelines.training.errors import TrainingError
from tests.conftest import ROOT


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_our_own_files_are_good(stage):
    assert read_deepspeed(ROOT / f"conf/deepspeed/zero{stage}.json")["zero_optimization"]["stage"] == stage


def test_what_deepspeed_says_of_its_keys_is_known():
    """Each of its sections that has a name of its own in its configuration."""
    from deepspeed.runtime import constants

    named = {
        getattr(constants, name)
        for name in ("BFLOAT16", "FP16", "GRADIENT_ACCUMULATION_STEPS", "GRADIENT_CLIPPING", "OPTIMIZER", "SCHEDULER")
    } | {constants.TRAIN_BATCH_SIZE, constants.TRAIN_MICRO_BATCH_SIZE_PER_GPU, constants.ZERO_ALLOW_UNTESTED_OPTIMIZER}
    assert named <= KEYS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"zero_optimisation": {"stage": 2}}', "`zero_optimisation` is unknown to DeepSpeed; did you mean `zero_optimization`?"),
        ('{"zero_optimization": {"stages": 2}}', "`zero_optimization.stages` is unknown to DeepSpeed; did you mean `stage`?"),
        ('{"zero_optimization": {"overlap_com": true}, "bf15": {}}', "`bf15` is .* `bf16`.; `zero_optimization.overlap_com`"),
        ('{"whatever": 1}', "`whatever` is unknown to DeepSpeed."),
        ('{"zero_optimization": {"stage": 4}}', "`zero_optimization.stage` in .* is 4, but it is 0, 1, 2 or 3"),
        ('{"zero_optimization": 2}', "`zero_optimization` in .* is 2, but it is an object with `stage`"),
        ('{"zero_optimization": {"overlap_comm": "perhaps"}}', "`zero_optimization.overlap_comm` in .* is not as"),
        ('{"zero_optimization": {"offload_optimizer": {"device": "moon"}}}', ".offload_optimizer.device` in .* is not"),
        ('{"zero_optimization": {"offload_param": {"devise": "cpu"}}}', "optimization.offload_param.devise` in .* is not as"),
        ('{"zero_optimization": {', "cannot be read as a DeepSpeed file .*; it is a JSON object"),
        ("[1, 2]", "is no DeepSpeed file; it is a JSON object"),
        ("", "cannot be read as a DeepSpeed file"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, content, said):
    file = tmp_path / "ds.json"
    file.write_text(content)
    with pytest.raises(TrainingError, match=said) as told:
        read_deepspeed(file)
    assert str(file) in str(told.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TrainingError, match=f"There is no DeepSpeed file {tmp_path}/none.json; conf/deepspeed has some"):
        read_deepspeed(tmp_path / "none.json")
    with pytest.raises(TrainingError, match="cannot be read as a DeepSpeed file"):
        read_deepspeed(tmp_path)


def test_older_names_of_a_key_are_known(tmp_path):
    """DeepSpeed's aliases."""
    told = {"zero_optimization": {"stage": 3, "stage3_prefetch_bucket_size": 1}, "bfloat16": {"enabled": True}}
    (tmp_path / "ds.json").write_text(json.dumps(told))
    assert read_deepspeed(tmp_path / "ds.json") == told

import pytest
from pydantic import ValidationError

from hawk_pipelines.model.settings import ModelSettings
from hawk_pipelines.pipelines.ablate.parameters import AblateParameters
from hawk_pipelines.pipelines.ablate.variants import variants
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.parameter_check import ParameterError
from hawk_pipelines.training.parameters import FinetuneParameters


def _variants(**told):
    given = ModelSettings(), FinetuneParameters(steps=7), EncodeParameters()
    return given, variants(AblateParameters(**told), *given)


def test_a_variant_changes_what_it_names_and_nothing_else():
    given, found = _variants(
        common={"finetune.steps": 9},
        variants={
            "full": {},
            "other": {"finetune.losses.video_motion": 0, "model.branches.motion": False, "encode.mask": "hard"},
        },
    )
    assert (found["full"].model, found["full"].encode) == (given[0], given[2])
    assert found["full"].finetune == given[1].model_copy(update={"steps": 9})
    other = found["other"]
    assert (other.finetune.steps, other.finetune.losses.video_motion, other.encode.mask) == (9, 0, "hard")
    assert not other.model.branches.motion
    assert other.finetune.losses.motion_language == given[1].losses.motion_language


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"finetune.stepz": 1}, "`finetune.stepz` is unknown; did you mean `steps`?"),
        ({"encode.mask": "furry"}, "`encode.mask` is 'furry'"),
        ({"finetune.steps.x": 1}, r"It sets `finetune.steps.x`, but `finetune.steps` is \d+ and has nothing in it."),
    ],
)
def test_a_setting_that_is_none_is_told_with_its_variant(changes, said):
    with pytest.raises(ParameterError, match=f"(?s)`odd`.*{said}"):
        _variants(variants={"full": {}, "odd": changes})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"variants": {"full": {"motion.frames": 4}}}, "variants set what begins with model., finetune., encode."),
        ({"reference": "fool", "variants": {"full": {}}}, "reference is fool, which is none of the variants"),
        ({"seeds": [1, 1]}, "name each once"),
        ({"variants": {"../full": {}}}, "should match pattern"),
        ({"seeds": []}, "at least 1 item"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(told, said):
    with pytest.raises(ValidationError, match=said):
        AblateParameters(**told)

import pytest
from pydantic import ValidationError

from hawk_pipelines.training.parameters import FinetuneParameters, LaunchParameters, PretrainParameters, ValidationParameters


@pytest.mark.parametrize(
    ("kind", "told", "said"),
    [
        (ValidationParameters, {"share": 0, "take": "best"}, "nothing is held out .* give a share"),
        (ValidationParameters, {"share": 0, "patience": 3}, "nothing is held out"),
        (ValidationParameters, {"share": 1}, "less than 1"),
        (LaunchParameters, {"hostfile": "hosts"}, "set launcher to deepspeed"),
        (LaunchParameters, {"hostfile": "hosts", "launcher": "deepspeed", "processes": 2}, "set processes to null"),
        (PretrainParameters, {"description_share": 0.5}, "Extra inputs are not permitted"),
        (PretrainParameters, {"init_from": "pretrained_model"}, "pretraining makes the pretrained model; set it to null or to"),
        (FinetuneParameters, {"learning_rte": 0.5}, "Extra inputs are not permitted"),
        (FinetuneParameters, {"exploding": 1}, "greater than 1"),
        (FinetuneParameters, {"losses": {"video_language": 0, "video_motion": 0, "motion_language": 0}}, "nothing to learn"),
    ],
)
def test_what_makes_no_sense_is_refused(kind, told, said):
    with pytest.raises(ValidationError, match=said):
        kind(**told)

import pytest
import yaml
from kedro.io import DataCatalog

from hawk_pipelines.datasets.saved_model import SavedModelDataset
from hawk_pipelines.pipelines.training_preflight import look_ahead_to_training
from hawk_pipelines.training.errors import TrainingError
from tests.conftest import ROOT


@pytest.fixture
def ahead(tmp_path):
    """Look ahead with some settings of the finetune section, to a catalog whose pretrained model is in `pretrained`."""
    catalog = DataCatalog({"pretrained_model": SavedModelDataset(filepath=str(tmp_path / "pretrained"), needed=False)})
    settings = {
        stage: yaml.safe_load((ROOT / f"conf/base/parameters_{stage}.yml").read_text())[stage]
        for stage in ("pretrain", "finetune")
    }

    def look(nodes=("finetune_model",), **changes):
        look_ahead_to_training(set(nodes), settings | {"finetune": settings["finetune"] | changes}, catalog)

    return look


def test_the_settings_of_a_fresh_checkout_can_begin(ahead):
    ahead()
    ahead(("pretrain_model", "finetune_model"))


def test_a_pretrained_model_has_to_be_there_or_to_be_made(ahead, tmp_path):
    with pytest.raises(TrainingError, match=r"there is no pretrained model yet; run `kedro run --pipelines=pretrain` first"):
        ahead(init_from="pretrained_model")
    ahead(("pretrain_model", "finetune_model"), init_from="pretrained_model")
    ahead(("encode_frames",), init_from="pretrained_model")
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained/config.json").touch()
    ahead(init_from="pretrained_model")


def test_a_folder_without_a_model_is_named(ahead, tmp_path):
    with pytest.raises(TrainingError, match=r"`finetune.init_from` is .*nowhere, but that folder holds no saved model"):
        ahead(init_from=str(tmp_path / "nowhere"))


def test_a_batch_that_cannot_be_shared_is_refused(ahead):
    with pytest.raises(TrainingError, match=r"`finetune.batch_size` = 32 cannot be shared by 3 process"):
        ahead(launch={"processes": 3})


def test_a_deepspeed_file_is_read_before_anything_runs(ahead, tmp_path):
    file = tmp_path / "zero.json"
    with pytest.raises(TrainingError, match=r"There is no DeepSpeed file .*zero\.json"):
        ahead(launch={"deepspeed": str(file)})
    file.write_text('{"zero_optimisation": {"stage": 2}}')
    with pytest.raises(TrainingError, match=r"`zero_optimisation` is unknown to DeepSpeed; did you mean `zero_optimization`\?"):
        ahead(launch={"deepspeed": str(file)})

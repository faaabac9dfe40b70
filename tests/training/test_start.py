import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hawk_pipelines.language.requests import DESCRIPTION_REQUESTS
from hawk_pipelines.model.checkpoint import load
from hawk_pipelines.model.errors import CheckpointError
from hawk_pipelines.model.settings import BranchSettings, LanguageModelSettings, LoraSettings, LossSettings, PromptSettings
from hawk_pipelines.model.settings import TinyDecoderSettings as Tiny
from hawk_pipelines.training.data import Collator
from hawk_pipelines.training.errors import TrainingError
from hawk_pipelines.training.features import Features
from hawk_pipelines.training.samples import SampleFile, write_samples
from hawk_pipelines.training.start import start
from tests.training.made import FACTS, MODEL, WIDTH, draws_of, given, journal, layout_of

LORA = LoraSettings(rank=2, alpha=4, dropout=0.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, database):
    """A first stage, and what it was trained on."""
    made = given(tmp_path_factory.mktemp("trained"))
    return made, made.train(made.job("pretrain", steps=4, validation={"share": 0}), database)


def _start(made, folder, model=MODEL, facts=FACTS, losses=None, width=WIDTH, seed=0):
    write_samples(made.folder / "samples.jsonl", made.samples)
    file = SampleFile(made.folder / "samples.jsonl")
    return start(folder, file, DESCRIPTION_REQUESTS, model, losses or LossSettings(), facts, width, seed)


def _model(**changes):
    return MODEL.model_copy(update=changes)


def test_a_training_begins_with_the_weights_of_the_model_that_is_named(trained, made, database):
    """The first step's loss, before anything was learned, is what that model gives for the first batch, sample by sample."""
    model = trained[1]
    began = made.train(made.job(init_from=model, steps=2, warmup_steps=2, seed=5), database)
    parts = load(model, "cpu")
    features = Features(made.features, made.store)
    draws = draws_of(made.folder, made.samples, features, layout_of(parts), 2, 8, seed=5)
    terms = {"video_language_loss": [], "video_motion_loss": [], "motion_language_loss": []}
    for number in range(8):
        batch = Collator(0)([draws[number]])
        batch.pop("item_ids")
        shares = batch.pop("learned")[0] / batch.pop("whole")[0]
        with torch.no_grad():
            found = parts.model(**batch).sample_losses
        for name, share in zip(terms, shares, strict=True):
            terms[name].append(float(found[name][0]) * float(share))
    first = journal(began.parent)[0]
    assert {name: first[name] for name in terms} == pytest.approx({name: sum(parts) for name, parts in terms.items()}, abs=1e-5)


def test_only_the_settings_that_may_change_change(trained):
    made, model = trained
    prompt = PromptSettings(system_prompt="You watch.")
    parts = _start(made, model, _model(prompt=prompt), losses=LossSettings(motion_language=0.5))
    before = load(model, "cpu")
    assert parts.prompt == prompt
    assert (before.prompt.system_prompt, before.model.config.motion_language_weight) == ("", 0.1)
    assert parts.model.config.motion_language_weight == 0.5
    assert parts.model.training
    weights = before.model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in parts.model.state_dict().items())
    assert len(parts.tokenizer) == len(before.tokenizer)


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("branches", {"queries": 3}, "model.branches.queries is 2 there and 3 in the settings"),
        ("branches", {"width": 32}, "hidden_size is 16 there and 32 in"),
        ("branches", {"heads": 4}, "num_attention_heads is 2 there and 4 in"),
        ("branches", {"layers": 3}, "num_hidden_layers is 2 there and 3 in"),
        ("branches", {"compression_width": 5}, "model.branches.compression_width is 4 there and 5 in"),
        ("branches", {"motion": False}, "model.branches.motion is True there and False in"),
        ("language_model", {"tiny": Tiny(width=64, heads=2)}, "model.language_model.tiny.width is 32 there and 64 in"),
        ("language_model", {"tiny": Tiny(width=32, heads=2, layers=1)}, "model.language_model.tiny.layers is 2 there and 1 in"),
        ("language_model", {"source": "somewhere"}, "model.language_model.source is None there and somewhere in"),
    ],
)
def test_other_sizes_are_named_with_both_values(trained, part, changes, said):
    made, model = trained
    with pytest.raises(TrainingError, match=said) as told:
        _start(made, model, _model(**{part: getattr(MODEL, part).model_copy(update=changes)}))
    assert str(told.value).startswith(f"The training cannot start from {model}: ")
    assert str(told.value).endswith("Set `model` as it was, or start from another model (`init_from`).")


def test_all_that_differs_is_named_at_once(trained):
    made, model = trained
    branches = BranchSettings(queries=3, width=32, heads=2, compression_width=4)
    with pytest.raises(TrainingError, match=r"hidden_size is 16 .*; model.branches.queries is 2"):
        _start(made, model, _model(branches=branches))
    with pytest.raises(TrainingError, match=f"encoder_hidden_size is {WIDTH} there and {2 * WIDTH} in"):
        _start(made, model, width=2 * WIDTH)


def test_another_encoder_is_refused(trained):
    made, model = trained
    for facts, said in (
        (FACTS._replace(mask="hard"), "mask was soft, now hard"),
        (FACTS._replace(frames=8), "frames was 4, now 8"),
        (
            FACTS._replace(frame_encoder=FACTS.frame_encoder.model_copy(update={"seed": 1})),
            "frame_encoder was .*'seed': 0.*, now",
        ),
    ):
        with pytest.raises(CheckpointError, match=f"The features are not those the model was trained on: {said}"):
            _start(made, model, facts=facts)


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", None])
def test_a_folder_without_a_model_is_refused(trained, tmp_path, lost):
    made, model = trained
    if lost:
        shutil.copytree(model, tmp_path / "there")
        (tmp_path / "there" / lost).unlink()
    with pytest.raises(CheckpointError, match=f"{tmp_path}/there"):
        _start(made, tmp_path / "there")


def test_weights_of_another_shape_are_refused(trained, tmp_path):
    made, model = trained
    shutil.copytree(model, tmp_path / "there")
    weights = load_file(model / "model.safetensors")
    name = next(name for name in weights if name.startswith("appearance.") and weights[name].ndim == 2)
    save_file(weights | {name: weights[name][:1].clone()}, tmp_path / "there" / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=name):
        _start(made, tmp_path / "there")


# --- with a pretrained language model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def over_llama(tmp_path_factory, database, llama):
    """First stages over a small Llama: without adapters, and with."""
    made = given(tmp_path_factory.mktemp("over_llama"))
    usual = {"steps": 2, "warmup_steps": 0, "learning_rate": 1e-2}
    models = {}
    for name, lora in (("without", None), ("with", LORA)):
        model = _model(language_model=LanguageModelSettings(source=str(llama), lora=lora))
        models[name] = made.train(made.job("pretrain", model=model, **usual), database, name)
    return made, models


def test_a_model_without_adapters_gets_new_ones(over_llama, llama):
    made, models = over_llama
    model = _model(language_model=LanguageModelSettings(source=str(llama), lora=LORA))
    parts, again, other = (_start(made, models["without"], model, seed=seed) for seed in (0, 0, 1))
    adapters = {name: value for name, value in parts.model.named_parameters() if "lora_" in name}
    assert adapters
    assert all(value.requires_grad for value in adapters.values())
    assert all(bool((value == 0).all()) == ("lora_B" in name) for name, value in adapters.items())  # they change nothing yet
    assert all(torch.equal(value, again.model.get_parameter(name)) for name, value in adapters.items())
    assert not all(torch.equal(value, other.model.get_parameter(name)) for name, value in adapters.items())
    saved = load_file(models["without"] / "model.safetensors")
    assert all(torch.equal(value, parts.model.state_dict()[name]) for name, value in saved.items())


def test_adapters_are_kept_where_there_are_some(over_llama, llama):
    made, models = over_llama
    model = _model(language_model=LanguageModelSettings(source=str(llama), lora=LORA))
    saved = load_file(models["with"] / "model.safetensors")
    assert any(name.endswith("lora_B.default.weight") and value.abs().max() > 0 for name, value in saved.items())
    parts = _start(made, models["with"], model)
    assert all(torch.equal(value, parts.model.state_dict()[name]) for name, value in saved.items())
    assert {name for name, value in parts.model.named_parameters() if value.requires_grad} == {
        name for name in saved if not name.endswith("position_ids")
    }


def test_adapters_of_another_rank_or_none_are_refused(over_llama, llama):
    """What was trained is not thrown away silently."""
    made, models = over_llama
    for lora in (None, LORA.model_copy(update={"rank": 4})):
        with pytest.raises((CheckpointError, TrainingError), match="lora_"):
            _start(made, models["with"], _model(language_model=LanguageModelSettings(source=str(llama), lora=lora)))


def test_another_language_model_in_the_same_place_is_refused(over_llama, llama, tmp_path):
    made, models = over_llama
    copied = shutil.copytree(llama, tmp_path / "llama")
    weights = load_file(copied / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, copied / "model.safetensors", {"format": "pt"})
    model = shutil.copytree(models["without"], tmp_path / "model")
    config = (model / "config.json").read_text(encoding="utf-8")
    (model / "config.json").write_text(config.replace(str(llama), str(copied)), encoding="utf-8")
    with pytest.raises(CheckpointError, match="language model"):
        _start(made, model, _model(language_model=LanguageModelSettings(source=str(copied))))

"""Settings of several environments: each default stands once, and a part of a section leaves the rest as it is."""

from pathlib import Path

import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, TypeAdapter

from hawk_pipelines.config_loader import CONFIG_LOADER_ARGS, ConfigLoader
from hawk_pipelines.pipeline_registry import register_pipelines
from tests.conftest import ROOT

TYPES = {
    name: kind
    for name, kind in TypeExtractor(register_pipelines()).extract_types_from_pipelines().items()
    if isinstance(kind, type) and issubclass(kind, BaseModel)
}
OF_ONES_OWN = {"ablate": ("variants",)}
"""Lists that conf/base fills with examples."""


def _settings(conf: Path, env: str | None = None) -> dict:
    return ConfigLoader(conf_source=str(conf), env=env, **CONFIG_LOADER_ARGS)["parameters"]


@pytest.mark.parametrize("section", TYPES)
def test_a_setting_that_is_not_given_is_as_in_conf_base(section):
    kind = TypeAdapter(TYPES[section])
    left_out = set(OF_ONES_OWN.get(section, ()))
    base = kind.validate_python(_settings(ROOT / "conf")[section]).model_dump(exclude=left_out)
    assert kind.validate_python({}).model_dump(exclude=left_out) == base


def _conf(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yml").write_text(text)
    (folder / "local").mkdir(exist_ok=True)
    return folder


BASE = "finetune: {steps: 1200, launch: {threads: 1, processes: 2}}\nencode: {frame_encoder: {kind: patches, grid: 6}}\n"


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("finetune: {steps: 7}", {"steps": 7, "launch": {"threads": 1, "processes": 2}}),
        ("finetune: {launch: {threads: null}}", {"steps": 1200, "launch": {"threads": None, "processes": 2}}),
    ],
)
def test_a_part_of_a_section_leaves_the_rest_as_it_is(tmp_path, local, expected):
    conf = _conf(tmp_path, base__parameters=BASE, local__parameters=local)
    assert _settings(conf)["finetune"] == expected


def test_a_section_of_another_kind_replaces_the_one_of_conf_base(tmp_path):
    conf = _conf(tmp_path, base__parameters=BASE, mine__parameters="encode: {frame_encoder: {kind: blip2, size: 224}}")
    assert _settings(conf, "mine")["encode"] == {"frame_encoder": {"kind": "blip2", "size": 224}}
    conf = _conf(tmp_path, mine__parameters="encode: {frame_encoder: {grid: 4}}")
    assert _settings(conf, "mine")["encode"] == {"frame_encoder": {"kind": "patches", "grid": 4}}


@pytest.mark.parametrize("env", ["local_llm", "paper", "smol"])
def test_the_environments_that_come_along_are_whole(env):
    """What they chose before sections were joined is still what they choose."""
    settings = _settings(ROOT / "conf", env)
    for section, kind in TYPES.items():
        TypeAdapter(kind).validate_python(settings[section])
    if env != "local_llm":
        assert settings["finetune"]["group_by_length"]
        assert settings["finetune"]["launch"]["threads"] is None


def test_every_layer_but_the_raw_one_lies_in_the_data_root():
    """Otherwise one environment's run writes over another's results."""
    catalog = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text())
    places = {name: entry.get("filepath") or entry.get("path", "") for name, entry in catalog.items() if isinstance(entry, dict)}
    assert [name for name, place in places.items() if str(place).startswith("data/") and "/01_raw/" not in place] == []


def test_places_in_settings_lie_in_the_data_root_of_the_environment(tmp_path):
    base = "ingest: {synthetic: {folder: <data_root>/01_raw/synthetic}, own: [<data_root>/a, b<data_root>/c]}"
    conf = _conf(tmp_path, base__parameters=base, base__globals="data_root: data", mine__globals="data_root: data/mine")
    assert _settings(conf)["ingest"]["synthetic"]["folder"] == "data/01_raw/synthetic"
    assert _settings(conf, "mine")["ingest"] == {
        "synthetic": {"folder": "data/mine/01_raw/synthetic"},
        "own": ["data/mine/a", "b<data_root>/c"],
    }


def test_yes_and_no_are_words_where_words_are_meant(tmp_path):
    """DVC writes them without quotation marks, and so do people."""
    conf = _conf(tmp_path, base__parameters="when: {unusual: [Yes], usual: [No, Not at all]}")
    when = TypeAdapter(TYPES["when"]).validate_python(_settings(conf)["when"])
    assert (when.unusual, when.usual) == (["Yes"], ["No", "Not at all"])

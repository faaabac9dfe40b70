import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog

from tests.conftest import ROOT

KEY = "sk-made-up-1234567890"


def _catalog(monkeypatch, key):
    """The project's own entry, with the project's own credentials."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    loader = OmegaConfigLoader(str(ROOT / "conf"), base_env="base", default_run_env="local")
    return DataCatalog.from_config({"llm_key": loader["catalog"]["llm_key"]}, loader["credentials"])


def test_the_key_comes_from_the_environment_and_shows_no_character_of_it(monkeypatch):
    catalog = _catalog(monkeypatch, KEY)
    assert catalog.load("llm_key").get_secret_value() == KEY
    shown = f"{catalog} {catalog['llm_key']!r} {catalog['llm_key']} {catalog.load('llm_key')!r} {vars(catalog['llm_key'])}"
    assert KEY not in shown
    assert "made-up" not in shown


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_is_none(monkeypatch, key):
    assert _catalog(monkeypatch, key).load("llm_key") is None


def test_a_key_is_never_saved(monkeypatch):
    with pytest.raises(Exception, match="set in the environment"):
        _catalog(monkeypatch, KEY).save("llm_key", "sk-other")

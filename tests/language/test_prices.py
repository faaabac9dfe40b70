from pathlib import Path

import pytest
import yaml

from hawk_pipelines.language.prices import Price, PriceError, Tokens, cost_usd, price_of

CONF = Path(__file__).parents[2] / "conf"
PRICE = Price(input=2.5, output=10, cached_input=1.25)


def _written(folder, text):
    path = folder / "prices.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("price", "tokens", "batch", "usd"),
    [
        (PRICE, Tokens(1_000_000, 0), False, 2.5),
        (PRICE, Tokens(0, 1_000_000), False, 10),
        (PRICE, Tokens(1_000_000, 0, 400_000), False, 0.6 * 2.5 + 0.4 * 1.25),
        (PRICE, Tokens(1_000_000, 1_000_000), True, 6.25),
        (Price(input=1, output=1, batch=0.2), Tokens(1_000_000, 0), True, 0.2),
        (Price(input=2, output=2), Tokens(1_000_000, 0, 1_000_000), False, 2),
        (Price(input=0, output=0), Tokens(10**9, 10**9), False, 0),
        (PRICE, Tokens(), False, 0),
    ],
)
def test_what_tokens_cost(price, tokens, batch, usd):
    assert cost_usd(price, tokens, batch) == pytest.approx(usd)


def test_tokens_are_added_by_kind():
    assert Tokens(1, 2, 3) + Tokens(10, 20, 30) == Tokens(11, 22, 33)


def test_the_table_of_the_project_has_a_price_for_every_model_of_its_settings():
    for path in CONF.glob("*/parameters_*.yml"):
        text = path.read_text()
        for section in yaml.safe_load(text.replace("${globals:llm_url, null}", "null")).values():
            if isinstance(section, dict) and isinstance(section.get("openai"), dict):
                price_of(CONF / "prices.yml", section["openai"]["model"])
    assert price_of(CONF / "prices.yml", "gpt-4o").output == 10
    assert price_of(CONF / "prices.yml", "SmolLM2-135M-Instruct") == Price(input=0, output=0)


def test_a_model_without_a_price(tmp_path):
    path = _written(tmp_path, "a: {input: 1, output: 2}\nb: {input: 1, output: 2}\n")
    with pytest.raises(PriceError) as raised:
        price_of(path, "c")
    assert (
        str(raised.value) == f"{path} has no price for the model 'c' (it has a, b); add a line for it, with 0 where it is free."
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {input: -1, output: 2}", "has a fault at a.input: Input should be greater than or equal to 0"),
        ("a: {input: .nan, output: 2}", "has a fault at a.input"),
        ("a: {input: .inf, output: 2}", "has a fault at a.input"),
        ("a: {input: 1}", "has a fault at a.output: Field required"),
        ("a: {input: 1, output: 2, outptu: 3}", "has a fault at a.outptu"),
        ("a: {input: 1, output: 2, batch: 2}", "has a fault at a.batch"),
        ("a: {input: cheap, output: 2}", "has a fault at a.input"),
        ("a: 5", "has a fault at a"),
        ("- a", "has a fault at its top"),
        ("", "has a fault at its top"),
        ("1: {input: 1, output: 2}", "has a fault at 1"),
        ("a: {input: 1", "cannot be read as YAML"),
        ("a: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        ("[" * 1500, "cannot be read as YAML"),
    ],
)
def test_a_table_with_a_fault(tmp_path, text, told):
    path = _written(tmp_path, text)
    with pytest.raises(PriceError) as raised:
        price_of(path, "a")
    assert str(raised.value).startswith(f"{path} {told}")
    assert "\n" not in str(raised.value)


def test_no_table(tmp_path):
    with pytest.raises(PriceError, match=r"There is no price table .*put it there or name another \(`prices`\)"):
        price_of(tmp_path / "prices.yml", "a")
    with pytest.raises(PriceError, match="cannot be read"):
        price_of(tmp_path, "a")

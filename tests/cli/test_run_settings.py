"""`--params`: what is typed is what is read."""

import json
import shlex
import subprocess

import pytest
from omegaconf import OmegaConf

from hawk_pipelines.cli.run_settings import SettingsTextError, read_settings, written


def _as_a_node_gets_it(text):
    return OmegaConf.to_container(OmegaConf.create(read_settings(text)), resolve=True)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("p=videos/gate #1", "videos/gate #1"),
        ("p=a: b", "a: b"),
        ("p=@home", "@home"),
        ("p=`x`", "`x`"),
        ("p=0412", "0412"),
        ("p=010.5", "010.5"),
        ("p=1:30", "1:30"),
        ("p=1_000", "1_000"),
        ("p=0x10", "0x10"),
        ("p=2026-01-31", "2026-01-31"),
        ("p=yes", "yes"),
        ("p=off", "off"),
        ("p=*x", "*x"),
        ("p=!x", "!x"),
        ("p=- x", "- x"),
        ("p=it's", "it's"),
        ("p=a=b", "a=b"),
        ("p=${HOME}", "${HOME}"),
        (r"p=a\${b}", r"a\${b}"),
        ("p= x ", "x"),
        ("p=3", 3),
        ("p=-3", -3),
        ("p=0", 0),
        ("p=0.5", 0.5),
        ("p=.5", 0.5),
        ("p=1e-5", 1e-5),
        ("p=2E3", 2000.0),
        ("p=true", True),
        ("p=False", False),
        ("p=null", None),
        ('p="null"', "null"),
        ("p='it''s'", "it's"),
        ('p="a,b=c"', "a,b=c"),
        ("p=[a, b, 3]", ["a", "b", 3]),
        ('p=[010, yes, it\'s, "x,]"]', ["010", "yes", "it's", "x,]"]),
        ("p={a: 1, b: [0.5, null]}", {"a": 1, "b": [0.5, None]}),
    ],
)
def test_a_value(typed, read):
    value = _as_a_node_gets_it(typed)["p"]
    assert (type(value), value) == (type(read), read)


def test_several_settings_by_their_sections():
    assert read_settings('a.b=1,a.c="x,y", d=[{e: [1,2]},3],a.b=1,') == {
        "a": {"b": 1, "c": "x,y"},
        "d": [{"e": [1, 2]}, 3],
    }
    assert read_settings("") == {}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("p=", """`p=` is not certain: it has no value. Write --params p=null or --params 'p=""'."""),
        ("p=~", """Write --params p=null or --params 'p="~"'."""),
        ("p=None", "`None` is Python's word."),
        ("p", "`p` has no `=`."),
        ("p=a,b", "`b` has no `=`."),
        ("=5", "`=5` does not begin with the name of a setting"),
        ("a..b=3", "`a..b=3` does not begin with the name of a setting"),
        ("p=1,p=2", "`p` is given twice, as 1 and as 2; leave one."),
        ("p=1,p.q=2", "`p.q` is given beside settings above or below it"),
        ("p.q=1,p=2", "`p` is given beside settings above or below it"),
        ("p={x: 1},p.x=2", "`p.x` is given beside settings above or below it"),
        ("p={x: 1},p.y=2", "`p.y` is given beside settings above or below it"),
        ("p={x: 0, x: 1}", "`p={x: 0, x: 1}` cannot be read: the { that it begins with is not closed at its end, or"),
        ("p={[x]: 0}", "`p={[x]: 0}` cannot be read"),
        ('p="a', 'As text it is --params \'p="\\"a"\'.'),
        ("p=[a", "`p=[a` cannot be read: the [ that it begins with is not closed at its end"),
        ("p=[old] gate", """As text it is --params 'p="[old] gate"'."""),
        ("p=[a #b, c]", "cannot be read"),
        ("p='a' # b", "cannot be read"),
        ("p=" + "[" * 5000, "As text it is in double quotes."),
    ],
)
def test_what_is_not_certain_is_refused_with_what_to_write(typed, sentence):
    with pytest.raises(SettingsTextError) as refusal:
        read_settings(typed)
    assert sentence in str(refusal.value)
    assert len(str(refusal.value)) < 500


ODD = (
    "a b",
    "a,b",
    "a,b=c",
    "a=b",
    "it's",
    'say "x"',
    "$HOME",
    "a${b}",
    "010",
    "7",
    "null",
    "~",
    "",
    "a #b",
    "[x]",
    "x]",
    "a: b",
)


@pytest.mark.parametrize("value", [*ODD, "a: b", "C:\\x", " x "])
def test_a_setting_that_is_printed_can_be_copied_into_a_shell(value):
    printed = f"printf %s {shlex.quote(written('p', value))}"
    typed = subprocess.run(["/bin/sh", "-c", printed], capture_output=True, text=True, check=True).stdout
    assert _as_a_node_gets_it(typed) == {"p": value}, json.dumps(typed)

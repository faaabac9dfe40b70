"""Settings on the command line, `--params NAME=VALUE,…`: what is typed is what is read.

YAML 1.1, which Kedro reads them with, cuts a value off at ` #`, makes a mapping of `: `, 8 of `010`, 90 of `1:30`, true of `yes`.
Here only numbers, `true`, `false` and `null` are more than text; quotes and brackets are those of YAML.
"""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import yaml

from hawk_pipelines.plain_text import plain

_NUMBER = re.compile(r"[-+]?(?P<whole>0|[1-9][0-9]*)?(?P<part>\.[0-9]*)?(?P<power>[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None}
_UNSURE = {"": "it has no value", "~": "`~` is nothing in YAML and a sign elsewhere", "None": "`None` is Python's word"}
LONGEST_SHOWN = 200
"""Characters of a value that a sentence repeats."""
_CLOSING = {"[": "]", "{": "}"}
_LONGEST_NUMBER = 100
"""Characters; Python itself refuses to read numbers of some thousands."""


class SettingsTextError(ValueError):
    """Text that is no list of settings; the message is a sentence."""


def read_settings(text: str) -> dict[str, Any]:
    """Settings by the sections that their names give: `a.b=1,a.c=[x, y]` is `{"a": {"b": 1, "c": ["x", "y"]}}`.

    A comma ends a value, unless it is inside quotes or brackets that begin the value.

    Raises:
        SettingsTextError: what is typed can be read in two ways, or in none.
    """
    if re.search("[\ud800-\udfff]", text):
        msg = f"--params `{plain(text)[:LONGEST_SHOWN]}` holds bytes that are no UTF-8, which nothing can record; write it anew."
        raise SettingsTextError(msg)
    settings: dict[str, Any] = {}
    typed: dict[str, str] = {}
    for name, value in _items(text):
        if typed.setdefault(name, value) != value:
            msg = f"`{name}` is given twice, as {typed[name]} and as {value}; leave one."
            raise SettingsTextError(msg)
        if any(f"{name}.".startswith(f"{other}.") != f"{other}.".startswith(f"{name}.") for other in typed):
            msg = f"`{name}` is given beside settings above or below it; leave one of them."
            raise SettingsTextError(msg)
        section = settings
        *above, last = name.split(".")
        for part in above:
            section = section.setdefault(part, {})
        section[last] = _read(name, value)
    return settings


def written(name: str, value: str) -> str:
    """A setting of a text as `read_settings` reads it back; it may still need the shell's quotes."""
    try:
        as_it_is = read_settings(f"{name}={value}") == read_settings(f"{name}={json.dumps(value)}")
    except SettingsTextError:
        as_it_is = False
    return f"{name}={value if as_it_is else json.dumps(value, ensure_ascii=False)}"


def _items(text: str) -> Iterator[tuple[str, str]]:
    """Names and values as they are typed, without the blanks around them."""
    place = 0
    while place < len(text):
        item = re.compile(r"\s*(?:(?P<name>[^=,]*?)\s*=)?\s*").match(text, place)
        assert item is not None  # noqa: S101 (it matches nothing, too)
        end = _end_of_value(text, item.end())
        name, value = item["name"], text[item.end() : end].strip()
        if name is None and value:
            msg = (
                f"`{plain(value)}` has no `=`. Settings are NAME=VALUE, with commas between them; "
                "a value with a comma stands in double quotes, inside the quotes of the shell."
            )
            raise SettingsTextError(msg)
        if name is not None and not all(re.fullmatch(r"[^\s.\[\]{}'\"]+", part) for part in name.split(".")):
            msg = f"`{plain(name)}={plain(value)}` does not begin with the name of a setting, such as `finetune.steps`."
            raise SettingsTextError(msg)
        if name is not None:
            yield name, value
        place = end + 1


def _end_of_value(text: str, start: int) -> int:
    """The place of the comma that ends a value, or the end of the text."""
    open_: list[str] = []
    place = start
    quoting = text[start : start + 1] in ("'", '"', *_CLOSING)
    while place < len(text):
        sign = text[place]
        if quoting and sign in "'\"" and (place == start or (open_ and re.search(r"[\[{,:]\s*$", text[start:place]))):
            place = _end_of_quotes(text, place)
            quoting = bool(open_)
            continue
        if quoting and sign in _CLOSING:
            open_.append(_CLOSING[sign])
        elif open_ and sign == open_[-1]:
            open_.pop()
            quoting = bool(open_)
        elif sign == "," and not open_:
            return place
        place += 1
    return place


def _end_of_quotes(text: str, start: int) -> int:
    """The place behind a text in quotes; the end where they are not closed."""
    pattern = r'"(?:\\.|[^"\\])*"' if text[start] == '"' else r"'(?:''|[^'])*'"
    quoted = re.compile(pattern, re.DOTALL).match(text, start)
    return quoted.end() if quoted else len(text)


def _read(name: str, value: str) -> Any:
    if value in _UNSURE:
        quoted = f'{name}="{value}"'
        msg = f"`{name}={value}` is not certain: {_UNSURE[value]}. Write {_as_params(f'{name}=null')} or {_as_params(quoted)}."
        raise SettingsTextError(msg)
    if value[0] not in ("'", '"', *_CLOSING):
        return _escaped(_plain(value))
    try:
        return _escaped(_of_yaml(value))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = f"the {value[0]} that it begins with is not closed at its end, or what is inside is no YAML with each name once"
        quoted = f"{name}={json.dumps(value, ensure_ascii=False)}"
        shown = _as_params(quoted) if len(quoted) < LONGEST_SHOWN else "in double quotes"
        msg = f"`{name}={plain(value)[:LONGEST_SHOWN]}` cannot be read: {why}. As text it is {shown}."
        raise SettingsTextError(msg) from error


def _of_yaml(text: str) -> Any:
    node = yaml.compose(text, _AsTyped)
    if node.end_mark.index != len(text):  # the rest would be a comment
        msg = "something stands behind it"
        raise ValueError(msg)
    return yaml.load(text, _AsTyped)  # noqa: S506 (a safe loader)


def _as_params(setting: str) -> str:
    return f"--params {shlex.quote(setting)}"


def _plain(text: str) -> Any:
    """What a word without quotes is."""
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if not number or not (number["whole"] or len(number["part"] or "") > 1):
        return text
    return float(text) if number["part"] or number["power"] else int(text)


def _escaped(value: Any) -> Any:
    """`${` is what it is, and no reference to another setting."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda found: f"{found[1] * 2}\\${{", value)
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return {_escaped(key): _escaped(one) for key, one in value.items()} if isinstance(value, dict) else value


class _AsTyped(yaml.SafeLoader):
    """YAML whose words without quotes are read as `_plain` does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    names = [loader.construct_object(name, deep=True) for name, _ in node.value]
    if not all(isinstance(name, str | int | float | None) for name in names) or len(names) > len(set(map(str, names))):
        msg = "a name is none, or is given twice"
        raise ValueError(msg)
    return dict(zip(names, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    return node.value if node.style else _plain(str(node.value))


_AsTyped.add_constructor("tag:yaml.org,2002:str", _scalar)
_AsTyped.add_constructor("tag:yaml.org,2002:map", _mapping)


class RepeatedOption(click.Option):
    """An option with commas that may be given several times: all of it counts. Settings in a file are given as they are."""

    def type_cast_value(self, context: click.Context, value: Any) -> Any:
        """All of it in one."""
        if value is None or isinstance(value, dict):
            return value
        return ",".join(map(str, value) if isinstance(value, list | tuple) else [str(value)])


def _settings(context: click.Context, parameter: click.Parameter, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    try:
        return read_settings(value or "")
    except SettingsTextError as error:
        raise click.UsageError(plain(str(error)), context) from error


settings_option = click.option(
    "--params",
    cls=RepeatedOption,
    multiple=True,
    metavar="NAME=VALUE,…",
    callback=_settings,
    help="Settings for this run, such as finetune.steps=20. A value with a comma stands in double quotes, a list in brackets.",
)

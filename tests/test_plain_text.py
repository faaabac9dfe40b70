"""Texts from anywhere in each medium: shown as they are, without control characters, and nothing in them is taken for markup."""

import html
import io
import logging
import re
import unicodedata
from html.parser import HTMLParser

import click
import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt
from markupsafe import Markup
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from hawk_pipelines import logs
from hawk_pipelines.cli import main
from hawk_pipelines.cli.options import say
from hawk_pipelines.evaluation.report.page import _printable
from hawk_pipelines.plain_text import html_text, markdown, markdown_code, markdown_table, plain, printable
from hawk_pipelines.terminal import Terminal
from tests.conftest import ROOT

HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "link of the terminal": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "C1": "a\x9b31mb\x85c",
    "back": "rm -rf\x08\x08\x08ls\rok\x00\x7f",
    "direction": "gate\u202e4pm.exe\u2066\u200f",
    "separators": "one\u2028two\u2029three",
    "lines": "one\ntwo\r\nthree\x0b",
    "surrogate": "bad\udcffname",
    "markup of rich": "[red]gate[/red] [/x] :smile: [link=http://evil]y[/link]",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)> &lt;b&gt; \"'",
    "link": "[click](javascript:alert(1)) ![x](http://evil/x.png) <http://evil>",
    "bare link": "see https://evil.example www.evil.example me@evil.example",
    "table": "a | b || c \\| d",
    "code": "`a` ``b` ```c",
    "emphasis": "**a** _b_ ~~c~~ *d",
    "heading": "# a",
    "list": "- a",
    "numbered": "1. a",
    "quote": "> a",
    "rule": "---",
    "reference": "[a]: http://evil",
    "formula": "$x$ \\(y\\)",
    "entity": "&amp; &#60; &copy",
}
CONTROL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _is_clean(text):
    return not [c for c in text if unicodedata.category(c) in CONTROL and c not in "\n\t"]


def _words(text):
    return " ".join(text.split())


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE)
def hostile(request):
    return request.param


def test_a_line(hostile):
    assert _is_clean(plain(hostile))
    assert "\n" not in plain(hostile)
    assert _is_clean(printable(hostile))


def test_on_a_terminal(hostile):
    written = io.StringIO()
    terminal = Terminal(file=written, width=400, force_terminal=True, color_system="truecolor")
    table = Table("what", box=None)
    table.add_row(plain(hostile))
    terminal.print(table)
    terminal.print(hostile)
    cell = written.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")  # of the title
    assert _is_clean(cell)
    assert _words(cell) == _words(f"what {plain(hostile)} {printable(hostile)}")


def test_a_line_of_a_command(hostile):
    said = CliRunner().invoke(click.Command("x", callback=lambda: say(hostile))).stdout
    assert _is_clean(said)
    assert said.count("\n") == 1


def test_in_what_click_itself_says(hostile, tmp_path):
    refused = CliRunner().invoke(main, ["store", "ls", str(tmp_path / hostile.replace("\x00", ""))])
    assert refused.exit_code == 2
    assert _is_clean(refused.output)


def _without_handlers_of_pytest(monkeypatch):
    """What they keep goes from process to process, and a lone surrogate cannot."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


def test_in_a_log(hostile, tmp_path, monkeypatch):
    _without_handlers_of_pytest(monkeypatch)
    logs.set_up(tmp_path / "a.log", verbose=False, quiet=False)
    try:
        logging.getLogger("hawk_pipelines.test").warning("%s", hostile)
    finally:
        logs.set_up(None, verbose=False, quiet=False)
    first, *rest = (tmp_path / "a.log").read_text().splitlines()
    assert "WARNING hawk_pipelines.test: " in first
    assert all(line.startswith("    ") for line in rest)
    assert _is_clean("".join((first, *rest)))


def test_in_what_a_run_tells_on_the_terminal(hostile, monkeypatch):
    _without_handlers_of_pytest(monkeypatch)
    how = yaml.safe_load((ROOT / "conf" / "logging.yml").read_text())["handlers"]["rich"]
    written = io.StringIO()
    handler = RichHandler(
        console=Console(file=written, width=400), show_time=False, show_path=False, show_level=False, markup=how["markup"]
    )
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        logs.set_up(None, verbose=False, quiet=False)
        logging.getLogger("hawk_pipelines.test").warning("%s", hostile)
    finally:
        root.removeHandler(handler)
    assert _is_clean(written.getvalue())
    assert _words(written.getvalue()) == plain(hostile)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def _shown(page):
    read = _Page()
    read.feed(page)
    return read.tags, _words(read.text)


def test_in_html(hostile):
    assert _shown(html_text(hostile)) == ([], plain(hostile))
    assert _is_clean(_printable(hostile))
    assert _is_clean(_printable(Markup(f"<svg>{html.escape(hostile)}</svg>")))  # noqa: S704


def test_in_markdown(hostile):
    """As GitHub's kind of Markdown shows it, in a paragraph and in a table, with addresses made into links."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    assert _shown(reader.render(markdown(hostile))) == (["p"], plain(hostile))
    table = markdown_table(["what", "else"], [[markdown(hostile), "b"]])
    tags, text = _shown(reader.render(table))
    assert tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert text == _words(f"what else {plain(hostile)} b")
    assert not re.search(r"https?:|www\.|\w@", markdown(hostile))


def test_between_backticks(hostile):
    tags, text = _shown(MarkdownIt("commonmark").render(f"In {markdown_code(hostile)}."))
    assert tags == ["p", "code"]
    assert text == f"In {plain(hostile)}."

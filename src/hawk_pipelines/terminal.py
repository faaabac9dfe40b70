"""Texts from anywhere on a terminal: without control characters, and nothing in them is taken for markup."""

from typing import Any

from rich.console import Console
from rich.text import Text

from hawk_pipelines.plain_text import printable


class Terminal(Console):
    """Where tables and lines are printed: every text in them, and in their cells, is shown as it is."""

    def __init__(self, **how: Any) -> None:
        """Args: those of rich's own."""
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **how})

    def render_str(self, text: str, **how: Any) -> Text:
        """Rich asks here for every text that it is given."""
        return super().render_str(printable(text), **how)

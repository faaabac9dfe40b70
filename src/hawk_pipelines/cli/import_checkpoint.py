"""`hawk import-checkpoint FILE OUT`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import one_sentence, say

if TYPE_CHECKING:
    from hawk_pipelines.model.account import Account


@click.command("import-checkpoint")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--language-model", metavar="SOURCE", help="A hub id or folder; Llama-2-7B-chat by default, looked at when needed.")
@click.option("--frame-encoder", metavar="SOURCE", help="A hub id or folder of BLIP-2's frame encoder.")
def import_checkpoint(file: Path, out: Path, language_model: str | None, frame_encoder: str | None) -> None:
    """Turn a published FILE into the folder OUT, and say what became of each of its tensors.

    FILE is a checkpoint of HAWK or Video-LLaMA (OUT can then be asked: `hawk ask --model OUT`), or one of the two files of their
    frame encoder, eva_vit_g.pth and blip2_pretrained_*.pth (both go into the same OUT). Nothing in FILE is run: it is read as
    tensors or refused.
    """
    from hawk_pipelines.model.errors import CheckpointError
    from hawk_pipelines.model.importing import import_checkpoint as import_file
    from hawk_pipelines.model.settings import LanguageModelSettings

    speaks = LanguageModelSettings(source=language_model, dtype="bfloat16") if language_model else None
    with one_sentence():
        try:
            report = import_file(file, out, speaks, frame_encoder)
        except CheckpointError as refusal:
            if refusal.account:
                _show(refusal.account)
            raise
    say(f"{file} is a checkpoint of {report.kind}.")
    _show(report.account)
    for note in report.notes:
        say(f"Note: {note}")
    say(f"Written to {out}.")


def _show(account: "Account") -> None:
    from rich.table import Table

    from hawk_pipelines.terminal import Terminal

    table = Table(box=None, pad_edge=False)
    for title in ("tensors", "how many", "which"):
        table.add_column(title, justify="right" if title == "how many" else "left", overflow="fold")
    table.add_row("used", str(len(account.used)), "")
    for reason in sorted(set(account.ignorable.values())):
        names = [name for name, why in account.ignorable.items() if why == reason]
        table.add_row(f"ignored: {reason}", str(len(names)), _some(names))
    table.add_row("missing", str(len(account.missing)), _some(account.missing))
    table.add_row("of another shape", str(len(account.wrong_shape)), _some(list(account.wrong_shape)))
    table.add_row("unknown, not used", str(len(account.unexpected)), ", ".join(account.unexpected))
    Terminal().print(table)


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:3])} …" if len(names) > 3 else ", ".join(names)

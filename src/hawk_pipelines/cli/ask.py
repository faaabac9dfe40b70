"""`hawk ask VIDEO QUESTION`."""

from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import generation_options, model_option, one_sentence, registry_env_option, span_option
from hawk_pipelines.plain_text import printable

if TYPE_CHECKING:
    from hawk_pipelines.model.settings import GenerationSettings


@click.command()
@click.argument("video", type=click.Path())
@click.argument("question")
@model_option
@registry_env_option
@span_option
@generation_options
def ask(
    video: str, question: str, model: str, env: str | None, span: tuple[float, float] | None, generation: "GenerationSettings"
) -> None:
    """Answer QUESTION about VIDEO."""
    import hawk_pipelines

    with one_sentence():
        click.echo(printable(hawk_pipelines.load(model, env).ask(video, question, span, generation)))

"""`hawk ask VIDEO QUESTION`."""

import click

from hawk_pipelines.cli.options import model_option, one_sentence, span_option


@click.command()
@click.argument("video", type=click.Path())
@click.argument("question")
@model_option
@span_option
def ask(video: str, question: str, model: str, span: tuple[float, float] | None) -> None:
    """Answer QUESTION about VIDEO."""
    import hawk_pipelines

    with one_sentence():
        click.echo(hawk_pipelines.load(model).ask(video, question, span))

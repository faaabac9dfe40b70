"""`hawk describe VIDEO`."""

import click

from hawk_pipelines.cli.options import model_option, one_sentence, span_option


@click.command()
@click.argument("video", type=click.Path())
@model_option
@span_option
def describe(video: str, model: str, span: tuple[float, float] | None) -> None:
    """Say what is unusual in VIDEO."""
    import hawk_pipelines

    with one_sentence():
        click.echo(hawk_pipelines.load(model).describe(video, span))

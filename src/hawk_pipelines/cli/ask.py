"""`hawk ask VIDEO QUESTION`."""

import click

from hawk_pipelines.cli.options import generation_options, model_option, one_sentence, span_option


@click.command()
@click.argument("video", type=click.Path())
@click.argument("question")
@model_option
@span_option
@click.option("--beams", type=click.IntRange(min=1), default=1, show_default=True, help="Answers that are searched side by side.")
@generation_options
def ask(
    video: str,
    question: str,
    model: str,
    span: tuple[float, float] | None,
    beams: int,
    max_new_tokens: int,
    temperature: float,
    seed: int,
) -> None:
    """Answer QUESTION about VIDEO."""
    import hawk_pipelines
    from hawk_pipelines.model.settings import GenerationSettings

    generation = GenerationSettings(max_new_tokens=max_new_tokens, beams=beams, temperature=temperature, seed=seed)
    with one_sentence():
        click.echo(hawk_pipelines.load(model).ask(video, question, span, generation))

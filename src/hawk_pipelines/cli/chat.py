"""`hawk chat VIDEO`."""

from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import generation_options, model_option, one_sentence, span_option
from hawk_pipelines.errors import HawkError

if TYPE_CHECKING:
    from hawk_pipelines.model.settings import GenerationSettings


@click.command()
@click.argument("video", type=click.Path())
@model_option
@span_option
@generation_options
def chat(video: str, model: str, span: tuple[float, float] | None, generation: "GenerationSettings") -> None:
    """Ask about VIDEO as often as you like.

    It is watched once, and an answer knows the last turns, as many as the model was trained to follow. Words are shown as they
    are found. An empty question or the end of the input ends the conversation.
    """
    import hawk_pipelines

    with one_sentence():
        talk = hawk_pipelines.load(model).watch(video, span)
    if not talk.max_earlier_turns:
        click.echo("This model was trained on single questions, so each one is asked afresh: it knows no earlier turn.", err=True)
    while question := _next_question():
        try:
            pieces = [talk.ask(question, generation)] if generation.beams > 1 else talk.stream(question, generation)
            for piece in pieces:
                click.echo(piece, nl=False)
            click.echo()
        except HawkError as error:  # one question that cannot be asked does not end the conversation
            click.echo(f"Error: {error}", err=True)


def _next_question() -> str:
    try:
        return str(click.prompt("", prompt_suffix="> ", default="", show_default=False, err=True)).strip()
    except click.Abort:
        return ""

"""`hawk chat VIDEO`."""

from typing import TYPE_CHECKING

import click

from hawk_pipelines.cli.options import generation_options, model_option, one_sentence, registry_env_option, span_option
from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import printable

if TYPE_CHECKING:
    from hawk_pipelines.model.settings import GenerationSettings


@click.command()
@click.argument("video", type=click.Path())
@model_option
@registry_env_option
@span_option
@generation_options
def chat(video: str, model: str, env: str | None, span: tuple[float, float] | None, generation: "GenerationSettings") -> None:
    """Ask about VIDEO as often as you like.

    It is watched once, and an answer knows the last turns, as many as the model was trained to follow and has room for. Words are
    shown as they are found. A question without words or the end of the input ends the conversation.
    """
    import hawk_pipelines

    with one_sentence():
        talk = hawk_pipelines.load(model, env).watch(video, span)
    if not talk.max_earlier_turns:
        click.echo("This model was trained on single questions, so each one is asked afresh: it knows no earlier turn.", err=True)
    while question := _next_question():
        try:
            pieces = [talk.ask(question, generation)] if generation.beams > 1 else talk.stream(question, generation)
            for piece in pieces:
                click.echo(printable(piece), nl=False)
            click.echo()
            if talk.turns_without_room:
                click.echo(
                    f"(The oldest {talk.turns_without_room} of the last turns had no room beside this question.)", err=True
                )
        except HawkError as error:  # one question that cannot be asked does not end the conversation
            click.echo(f"Error: {printable(str(error))}", err=True)


def _next_question() -> str:
    try:
        return str(click.prompt("", prompt_suffix="> ", default="", show_default=False, err=True)).strip()
    except click.Abort:
        click.echo(err=True)  # the shell's prompt begins a line of its own
        return ""

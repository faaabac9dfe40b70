"""What a run asked of a language model: a table row for every request, and the figures that runs are compared by."""

import statistics
from collections import Counter
from collections.abc import Sequence

from hawk_pipelines.language.llm import Call, Client
from hawk_pipelines.language.llm_server import LlmError
from hawk_pipelines.schema import LlmCall


def rows(client: Client, item_ids: Sequence[str]) -> list[LlmCall]:
    """A row for every request, in the order of the items.

    Args:
        client: after its run.
        item_ids: of the scripts, in their order.
    """
    calls = sorted(client.calls, key=lambda call: call.script)  # stable: the requests of a script keep their order
    return [
        LlmCall(
            item_id=item_ids[call.script],
            purpose=call.purpose,
            outcome=call.outcome,
            attempts=call.sent,
            model=call.kept.model,
            input_tokens=call.kept.input_tokens,
            output_tokens=call.kept.output_tokens,
            cost_usd=call.kept.cost_usd,
            latency_s=call.kept.latency_s,
            key=call.key,
        )
        for call in calls
    ]


def figures(client: Client) -> dict[str, float]:
    """Requests, how many were stored, sent, refused, empty or failed, and what this run has spent."""
    calls = client.calls
    latencies_s = [call.kept.latency_s for call in calls if call.sent] or [0.0]
    return {
        "requests": float(len(calls)),
        "stored": float(sum(call.sent == 0 for call in calls)),
        "attempts": float(sum(call.sent for call in calls)),
        "refused": float(sum(call.outcome == "refused" for call in calls)),
        "empty": float(sum(call.outcome == "empty" for call in calls)),
        "failed": float(sum(call.outcome == "failed" for call in calls)),
        "input_tokens": float(client.spent_tokens.input),
        "output_tokens": float(client.spent_tokens.output),
        "spent_usd": round(client.spent_usd, 6),
        "latency_s_median": round(statistics.median(latencies_s), 3),
    }


def insist_on_answers(client: Client) -> None:
    """Refuse to go on where every reply of a run was empty or a refusal. They stay in the store: they were paid for.

    Raises:
        LlmError: how many there were, the first one, and what to change.
    """
    replies = [call for call in client.calls if call.outcome != "failed"]
    counts = Counter(call.outcome for call in replies)
    if not replies or counts["answered"]:
        return
    section, first = client.section, replies[0]
    changes = [f"what it is told (`{section.removesuffix('.openai')}.prompts`)", f"the model (`{section}.model`)"]
    if counts["empty"]:
        changes.append(f"what the server is asked for (`{section}.extra`, as `chat_template_kwargs: {{enable_thinking: false}}`)")
    msg = (
        f"Not one of the {len(replies):,} replies of {first.kept.model} is an answer: {counts['refused']:,} refused, "
        f"{counts['empty']:,} empty ({_shown(first)}). They are kept in {client.parameters.replies} and not paid for again. "
        f"Change {', or '.join(changes)}; `hawk annotate --forget refused empty` has the same asked again."
    )
    raise LlmError(msg)


def _shown(call: Call) -> str:
    """A reply without an answer, in a few words."""
    if call.kept.text:
        return f"the first: “{' '.join(call.kept.text.split())[:160]}”"
    beside = ", ".join(f"{name} {value}" for name, value in call.kept.beside.items())
    return f"the first came with {beside}" if beside else "nothing is known of the first"

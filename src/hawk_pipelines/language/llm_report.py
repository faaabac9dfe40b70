"""What a run asked of a language model: a table row for every request, and the figures that runs are compared by."""

import statistics
from collections.abc import Sequence

from hawk_pipelines.language.llm import Client
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
    """Requests, how many were stored, sent, refused or failed, and what this run has spent."""
    calls = client.calls
    latencies_s = [call.kept.latency_s for call in calls if call.sent] or [0.0]
    return {
        "requests": float(len(calls)),
        "stored": float(sum(call.sent == 0 for call in calls)),
        "attempts": float(sum(call.sent for call in calls)),
        "refused": float(sum(call.outcome == "refused" for call in calls)),
        "failed": float(sum(call.outcome == "failed" for call in calls)),
        "input_tokens": float(client.spent_tokens.input),
        "output_tokens": float(client.spent_tokens.output),
        "spent_usd": round(client.spent_usd, 6),
        "latency_s_median": round(statistics.median(latencies_s), 3),
    }

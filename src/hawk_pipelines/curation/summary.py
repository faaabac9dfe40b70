"""Figures about a validation: how much was accepted, what the checks found, and what people decided."""

from collections import Counter
from collections.abc import Mapping, Sequence

from hawk_pipelines.curation.answers import KINDS, kind_of
from hawk_pipelines.curation.review import summarise
from hawk_pipelines.curation.settling import Settled
from hawk_pipelines.schema import Decision, JudgedDraft, LlmCall, Verdict

VERDICTS = ("accepted", "needs_review", "rejected")


def summary(settled: Settled, decisions: Sequence[Decision], calls: Sequence[LlmCall] = ()) -> dict:
    """Counts and shares that fit in JSON.

    Args:
        settled: drafts with the last word on them.
        decisions: all that were ever made.
        calls: what language models were asked for captions and drafts.

    Returns:
        `items` and `answers` with counts and shares of each verdict; `by_split` and `by_provider`; `findings` by check;
        `question_kinds`; `language_model`: what its labels (descriptions and answers) cost and how many are accepted; `review`:
        what waits, what was decided and how far reviewers agree.
    """
    drafts = settled.drafts
    answers = [_answer_verdict(draft, number) for draft in drafts for number in range(len(draft.QA))]
    decided = {decision.task_id for decision in decisions}
    waiting = [task for task in settled.queue if task.reasons and task.id not in decided]
    subset_of_item = {draft.item_id: draft.split or "none" for draft in drafts}
    return {
        "items": _shares([draft.verdict for draft in drafts]),
        "answers": _shares(answers),
        "by_split": _grouped([(draft.split or "none", draft.verdict) for draft in drafts]),
        "by_provider": _grouped([(draft.provider, draft.verdict) for draft in drafts]),
        "findings": dict(sorted(Counter(finding.check for draft in drafts for finding in draft.findings).items())),
        "question_kinds": _kinds(drafts),
        "language_model": _language_model(drafts, calls),
        "review": {
            "waiting": len(waiting),
            "waiting_by_split": dict(Counter(subset_of_item[task.item_id] for task in waiting if task.item_id)),
            "drawn": sum(not task.reasons and task.kind != "question" for task in settled.queue),
            "stale": len(settled.rulings.stale),
            "gone": len(settled.rulings.gone),
            **summarise(decisions),
        },
    }


def flat_summary(told: Mapping) -> dict[str, float]:
    """The figures that runs are compared by, as MLflow metrics."""
    shares = {f"validate.{what}.{name}_share": told[what][f"{name}_share"] for what in ("items", "answers") for name in VERDICTS}
    agreement = told["review"].get("agreement")
    extra = {} if agreement is None else {"validate.review.agreement": agreement}
    written = told["language_model"]
    if written["labels"]:
        shares |= {f"validate.language_model.{name}": value for name, value in written.items() if value is not None}
    return {**shares, **extra, "validate.review.waiting": float(told["review"]["waiting"])}


def _language_model(drafts: Sequence[JudgedDraft], calls: Sequence[LlmCall]) -> dict[str, float | int | None]:
    written = [draft for draft in drafts if draft.written is not None]
    verdicts = [draft.verdict for draft in written]
    verdicts += [_answer_verdict(draft, number) for draft in written for number in range(len(draft.QA))]
    accepted = verdicts.count("accepted")
    cost_usd = sum({call.key: call.cost_usd for call in calls}.values())
    return {
        "labels": len(verdicts),
        "accepted": accepted,
        "accepted_share": round(accepted / max(1, len(verdicts)), 4),
        "refusals": sum(draft.written.refusals for draft in written if draft.written),
        "failed": sum(call.outcome == "failed" for call in calls),
        "cost_usd": round(cost_usd, 6),
        "cost_usd_per_accepted": round(cost_usd / accepted, 6) if accepted else None,
    }


def _answer_verdict(draft: JudgedDraft, number: int) -> Verdict:
    """An answer of an item that is not accepted goes with its item."""
    own = {finding.verdict for finding in draft.findings if finding.place == f"QA[{number}]"}
    if "rejected" in own or draft.verdict == "rejected":
        return "rejected"
    return "needs_review" if own or draft.verdict == "needs_review" else "accepted"


def _shares(verdicts: Sequence[str]) -> dict[str, float]:
    counts = Counter(verdicts)
    total = max(1, len(verdicts))
    return {
        "count": len(verdicts),
        **{name: counts[name] for name in VERDICTS},
        **{f"{name}_share": round(counts[name] / total, 4) for name in VERDICTS},
    }


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, dict[str, int]]:
    return {name: {verdict: pairs.count((name, verdict)) for verdict in VERDICTS} for name in sorted({name for name, _ in pairs})}


def _kinds(drafts: Sequence[JudgedDraft]) -> dict[str, int]:
    counts = Counter(kind_of(pair.q) for draft in drafts for pair in draft.QA)
    return {kind: counts[kind] for kind in KINDS}

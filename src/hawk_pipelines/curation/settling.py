"""What people decided, laid over what the checks found; and what people are to look at next."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hawk_pipelines.curation.answers import misses
from hawk_pipelines.curation.decisions import task_id
from hawk_pipelines.curation.judging import FINAL, UNUSABLE, verdict
from hawk_pipelines.curation.review import Ruling, Rulings, Text, rule
from hawk_pipelines.schema import QA, Decision, Finding, JudgedDraft, ReviewTask, Video


class Settled(NamedTuple):
    """Drafts with the last word on them, and the queue of tasks."""

    drafts: list[JudgedDraft]
    queue: list[ReviewTask]
    """What needs review, then what was drawn at random, then the questions of the pool; decided tasks stay in it."""
    rulings: Rulings


def settle(
    judged: Sequence[JudgedDraft],
    decisions: Sequence[Decision],
    pool: Sequence[str],
    videos: Sequence[Video],
    share: float,
    seed: int,
) -> Settled:
    """Apply every decision about a text that is still the same, and queue what is to be looked at.

    An accepted text loses its findings, an edited one is replaced, a rejected one is rejected whatever the checks say. Where
    reviewers disagree, or the text of an edit has changed since, it needs review again.

    Args:
        judged: drafts with their findings, and their texts as drafted.
        decisions: all that were ever made.
        pool: the questions of the pool.
        videos: where the drafts' videos are.
        share: of the texts that need no review, what is reviewed all the same.
        seed: decides which those are; a text is drawn or not whatever else there is.
    """
    texts = [text for draft in judged for text in _texts(draft)] + [Text("question", None, None, question) for question in pool]
    rulings = rule(decisions, texts)
    decided = {decision.task_id for decision in decisions}
    paths = {video.id: video.path for video in videos}
    urgent, drawn = [], []
    for draft in judged:
        for place, task in zip(_places(draft), tasks_of(draft), strict=True):
            if _is_final(draft, place):
                continue
            task = _queued(task, draft, place, paths[draft.video_id], rulings)
            if task.reasons:
                urgent.append(task)
            elif task.id in decided or _drawn(task.id, share, seed):
                drawn.append(task)
    asked = [_pool_task(question, rulings) for question in dict.fromkeys(pool)]
    return Settled([_settled(draft, rulings) for draft in judged], [*urgent, *drawn, *asked], rulings)


def tasks_of(draft: JudgedDraft) -> list[ReviewTask]:
    """A task for every text of a draft as it stands, in the queue or not, without reasons."""
    return [
        ReviewTask(
            id=task_id(*text),
            kind=text.kind,
            item_id=draft.item_id,
            video=draft.video,
            path=None,
            question=text.question,
            text=text.text,
            reasons=[],
            sources=draft.sources,
        )
        for text in _texts(draft)
    ]


def _places(draft: JudgedDraft) -> list[str]:
    return ["description", *(f"QA[{number}]" for number in range(len(draft.QA)))]


def _texts(draft: JudgedDraft) -> Iterator[Text]:
    yield Text("description", draft.item_id, None, draft.description)
    for pair in draft.QA:
        yield Text("answer", draft.item_id, pair.q, pair.a)


def _is_final(draft: JudgedDraft, place: str) -> bool:
    """Whether there is nothing to look at: the video is missing, or another draft of the item is used."""
    checks = {finding.check for finding in draft.findings if finding.place in (place, "description")}
    return bool(checks & (FINAL - {"empty"}))


def _queued(task: ReviewTask, draft: JudgedDraft, place: str, path: str, rulings: Rulings) -> ReviewTask:
    ruling = rulings.by_task.get(task.id)
    reasons = [finding.reason for finding in draft.findings if finding.place == place]
    if ruling and ruling.outcome in ("disputed", "stale"):
        reasons.append(ruling.reason)
    return task.model_copy(update={"path": path, "reasons": reasons})


def _pool_task(question: str, rulings: Rulings) -> ReviewTask:
    ruling = rulings.of("question", None, None, question)
    reasons = [ruling.reason] if ruling and ruling.outcome in ("disputed", "stale") else []
    return ReviewTask(
        id=task_id("question", None, None, question),
        kind="question",
        item_id=None,
        video=None,
        path=None,
        question=None,
        text=question,
        reasons=reasons,
        sources=[],
    )


def _drawn(identity: str, share: float, seed: int) -> bool:
    return int(hashlib.sha256(f"{seed}/{identity}".encode()).hexdigest()[:12], 16) < share * 16**12


def _settled(draft: JudgedDraft, rulings: Rulings) -> JudgedDraft:
    if _is_final(draft, "description"):
        return draft
    findings, reviewers, final = list(draft.findings), [], []
    for place, text in zip(_places(draft), _texts(draft), strict=True):
        ruling = rulings.of(*text)
        findings = _applied(place, ruling, findings)
        reviewers += _judges(ruling)
        final.append(ruling.text if ruling and ruling.outcome == "edit" else text.text)
    pairs: list[QA] = []
    for number, (pair, answer) in enumerate(zip(draft.QA, final[1:], strict=True)):
        ruling = rulings.of("question", None, None, pair.q)
        if ruling and ruling.outcome in ("reject", "disputed"):
            findings.append(_finding(f"QA[{number}]", ruling))
        reviewers += _judges(ruling)
        question = ruling.text if ruling and ruling.outcome == "edit" else pair.q
        if question != pair.q and any(question.strip().lower() == other.q.strip().lower() for other in pairs):
            reason = f"As it was edited, the question {question[:60]!r} is asked a second time; it is left out."
            findings.append(Finding(check="repeated", place=f"QA[{number}]", verdict="rejected", reason=reason))
        if question != pair.q and (amiss := misses(question, answer)):
            reason = f"The question was edited, and the answer {answer[:60]!r} {amiss} as it stands now; answer it anew."
            findings.append(Finding(check="question", place=f"QA[{number}]", verdict="needs_review", reason=reason))
        pairs.append(QA(q=question, a=answer))
    changed = {
        "description": final[0],
        "QA": pairs,
        "findings": findings,
        "verdict": verdict(findings),
        "reviewers": sorted(set(reviewers)),
    }
    return draft.model_copy(update=changed)


def _applied(place: str, ruling: Ruling | None, findings: list[Finding]) -> list[Finding]:
    """The findings that stand after a ruling."""
    if ruling is None:
        return findings
    if ruling.outcome in ("reject", "disputed", "stale"):
        return [*findings, _finding(place, ruling)]
    stay = UNUSABLE if ruling.outcome == "accept" else set()
    return [finding for finding in findings if finding.place != place or finding.check in stay]


def _judges(ruling: Ruling | None) -> list[str]:
    return ruling.reviewers if ruling and ruling.outcome in ("accept", "edit") else []


def _finding(place: str, ruling: Ruling) -> Finding:
    rejected = ruling.outcome == "reject"
    return Finding(check="review", place=place, verdict="rejected" if rejected else "needs_review", reason=ruling.reason)

"""Does a conversation hold? The questions about each test item, asked one after another, against the same ones asked alone.

Of every item there are two conversations: one in which each turn asks a full question, and one whose later turns ask in a short
form that needs an earlier one ("And where?"), and at last whether the model is sure. The order is drawn anew for each item, so
that every question is asked at every turn. The history in the prompt is what the model itself said.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hawk_pipelines.curation.follow_ups import CHECKS, can_be_checked, short_forms, without_reply
from hawk_pipelines.engine.progress import progress
from hawk_pipelines.evaluation.answers import rows_of, why_unaskable
from hawk_pipelines.evaluation.asked import HAWK, few, has_reference
from hawk_pipelines.evaluation.bleu import bleu_of, bleu_statistics
from hawk_pipelines.evaluation.slots import answers_slot, slot_values
from hawk_pipelines.evaluation.statistics import Of, figure, mean, plain
from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import FeatureFacts, Parts, check_features, load
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import Asked, ConversationForm, ConversationScore, ConversationTurn, Prediction, Sample, Truth

logger = logging.getLogger(__name__)


class PlannedTurn(NamedTuple):
    """What is going to be asked."""

    asked: Asked
    """What is meant, and the reference."""
    form: ConversationForm
    wording: str


Conversation = list[PlannedTurn]


def plan_conversations(asked: Sequence[Asked], max_turns: int, seed: int) -> list[Conversation]:
    """Two conversations about each item, of at most so many turns; of an item with one question, at most one.

    The same items are asked the same, in whatever order and beside whatever others.
    """
    once = sorted({question.key: question for question in asked}.values(), key=lambda question: question.key)
    conversations = []
    for item_id, questions in groupby(once, lambda question: question.item_id):
        digest = hashlib.sha256(f"{seed}/conversation/{item_id}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        known = [question for question in questions if has_reference(question)]
        conversations += [_full(_shuffled(known, rng), max_turns), _short(_shuffled(known, rng), max_turns, rng)]
    return [conversation for conversation in conversations if len(conversation) > 1]


def select_items(asked: Sequence[Asked], max_items: int, seed: int) -> list[Asked]:
    """What is asked of so many items at most, drawn by the seed; another item more or less changes none of the others' places."""

    def place(item_id: str) -> bytes:
        return hashlib.sha256(f"{seed}/talked about/{item_id}".encode()).digest()

    chosen = set(sorted({question.item_id for question in asked}, key=place)[:max_items])
    return [question for question in asked if question.item_id in chosen]


def _shuffled(questions: Sequence[Asked], rng: np.random.Generator) -> list[Asked]:
    return [questions[place] for place in rng.permutation(len(questions))]


def _full(questions: Sequence[Asked], max_turns: int) -> Conversation:
    return [PlannedTurn(question, "full", question.question) for question in questions[:max_turns]]


def _short(questions: Sequence[Asked], max_turns: int, rng: np.random.Generator) -> Conversation:
    """Begins with a full question; then whatever can be asked in short after the one before; a check comes last."""
    turns = _full(questions, 1)
    left = list(questions[1:])
    while left and len(turns) < max_turns - 1:
        previous = turns[-1].asked
        forms = [(question, short_forms(_sample(question), _sample(previous))) for question in left]
        following = next(((question, wordings) for question, wordings in forms if wordings), None)
        if following is None:
            break
        question, wordings = following
        turns.append(PlannedTurn(question, "short", str(wordings[int(rng.integers(len(wordings)))])))
        left.remove(question)
    if turns and can_be_checked(_sample(turns[-1].asked)):
        turns.append(PlannedTurn(turns[-1].asked, "check", str(rng.choice(CHECKS))))
    return turns


def _sample(question: Asked) -> Sample:
    return Sample(
        item_id=question.item_id, task=question.task, question=question.question, answer=question.reference, motion_text=""
    )


def converse_with(
    folder: Path,
    conversations: Sequence[Conversation],
    read: Callable[[str], FrameTokens],
    features: FeatureFacts,
    batch_size: int,
    generation: GenerationSettings,
    name: str = HAWK,
) -> list[ConversationTurn]:
    """The same with the model in a folder.

    Raises:
        CheckpointError: there is no such model, or it was trained on features that were made in another way.
    """
    parts = load(folder)
    check_features(parts.model, features)
    return hold_conversations(parts, conversations, read, batch_size, generation, name)


def hold_conversations(
    parts: Parts,
    conversations: Sequence[Conversation],
    read: Callable[[str], FrameTokens],
    batch_size: int,
    generation: GenerationSettings,
    name: str,
) -> list[ConversationTurn]:
    """Ask a model turn by turn; its own answers are the history.

    Args:
        parts: model and tokenizer.
        conversations: about items that can be read.
        read: what the frozen encoder saw of an item.
        batch_size: conversations that are held at a time.
        generation: how is answered.
        name: who answers.

    Returns:
        Every turn that could be asked, conversation by conversation. One ends, with a warning, where its history leaves no room
        for another question.
    """
    held: list[ConversationTurn] = []
    ended: dict[str, list[str]] = {}
    for start in progress(range(0, len(conversations), batch_size), f"{name} converses"):
        batch = conversations[start : start + batch_size]
        seen = [read(conversation[0].asked.item_id) for conversation in batch]
        watched = watch(parts.model, seen)
        turns: list[list[ConversationTurn]] = [[] for _ in batch]
        for place in range(max(map(len, batch))):
            rows, queries = [], []
            for row, conversation in enumerate(batch):
                if len(conversation) > place == len(turns[row]):
                    history = tuple(Turn(turn.wording, turn.answer) for turn in turns[row])
                    query = Query(conversation[place].wording, history)
                    if reason := why_unaskable(parts, query, seen[row].times_s, generation):
                        ended.setdefault(reason, []).append(conversation[place].asked.item_id)
                        continue
                    rows.append(row)
                    queries.append(query)
            if not rows:
                break
            answers = answer(parts, rows_of(watched, rows), queries, [seen[row].times_s for row in rows], generation)
            for row, text in zip(rows, answers, strict=True):
                planned = batch[row][place]
                facts = {"turn": place + 1, "form": planned.form, "wording": planned.wording}
                turns[row].append(ConversationTurn.model_validate(planned.asked.answered(name, text).model_dump() | facts))
        held += [turn for conversation in turns for turn in conversation]
    for reason, items in ended.items():
        logger.warning("%s: %d conversation(s) end early, about %s. %s", name, len(items), few(items), reason)
    return held


# --- figures -----------------------------------------------------------------------------------------------------------


class _Pair(NamedTuple):
    """What was said to a question in a conversation, and to the same one by itself."""

    turn: ConversationTurn
    texts: tuple[str, str]
    right: tuple[bool | None, bool | None]
    """In the slot that is asked for; None where that is not known."""


def conversation_scores(
    turns: Sequence[ConversationTurn], alone: Sequence[Prediction], truths: Sequence[Truth]
) -> list[ConversationScore]:
    """Figures by form and turn, and of all turns but the first.

    Args:
        turns: what was answered in conversations.
        alone: what the same model answered to each question by itself.
        truths: what is really to be seen, where that is known.
    """
    pairs = list(_pairs(turns, alone, truths))
    scores = []
    for form in dict.fromkeys(pair.turn.form for pair in pairs):
        mine = [pair for pair in pairs if pair.turn.form == form]
        for place in sorted({pair.turn.turn for pair in mine}):
            scores += _scores(form, place, [pair for pair in mine if pair.turn.turn == place])
        scores += _scores(form, None, [pair for pair in mine if pair.turn.turn > 1])
    return scores


def _pairs(turns: Sequence[ConversationTurn], alone: Sequence[Prediction], truths: Sequence[Truth]) -> Iterator[_Pair]:
    by_itself = {prediction.key: prediction.answer for prediction in alone}
    slots, values = {truth.video_id: truth.slots for truth in truths}, slot_values(truths)
    for turn in turns:
        if turn.key not in by_itself:
            continue
        texts = without_reply(turn.answer) if turn.form == "check" else turn.answer, by_itself[turn.key]
        truth = slots.get(turn.item_id)
        right = [None if truth is None else answers_slot(text, turn, truth, values) for text in texts]
        yield _Pair(turn, texts, (right[0], right[1]))


def _scores(form: ConversationForm, place: int | None, pairs: Sequence[_Pair]) -> list[ConversationScore]:
    known = [pair for pair in pairs if None not in pair.right]
    accuracies = [[[float(bool(right)), 1.0] for right in pair.right] for pair in known]
    bleus = [[bleu_statistics(text, pair.turn.reference) for text in pair.texts] for pair in pairs]
    figures: list[tuple[str, Sequence[_Pair], Sequence[Sequence], Of]] = [
        ("accuracy", known, accuracies, mean),
        ("bleu_4", pairs, bleus, bleu_of(4)),
    ]
    scores = []
    for metric, counted, statistics, of in figures:
        if not counted:
            continue
        videos = [pair.turn.video for pair in counted]
        talk, single = (figure([row[side] for row in statistics], videos, of) for side in (0, 1))
        facts = plain({**talk._asdict(), "alone": single.value})
        scores.append(ConversationScore(form=form, turn=place, metric=metric, **facts))
    return scores


def conversation_metrics(scores: Sequence[ConversationScore]) -> dict[str, dict[str, float | int | None]]:
    """The figures by place, such as `full_turn_2` or `short_later`, as JSON has them and MLflow takes them."""
    metrics: dict[str, dict[str, float | int | None]] = {}
    for score in scores:
        place = f"{score.form}_{'later' if score.turn is None else f'turn_{score.turn}'}"
        figures = {"": score.value, "_low": score.low, "_high": score.high, "_alone": score.alone, "_count": score.items}
        metrics.setdefault(place, {}).update({f"{score.metric}{end}": value for end, value in figures.items()})
    return metrics

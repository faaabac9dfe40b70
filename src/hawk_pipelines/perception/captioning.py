"""Every clip through one captioner: what is finished is reused, and what goes wrong costs one clip or one caption."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from typing import Any, NamedTuple

from pydantic import BaseModel

from hawk_pipelines.engine.processes import Failure, Limits, spread
from hawk_pipelines.engine.run import EngineParameters, Item, Step, run_items
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.engine.work import Product
from hawk_pipelines.perception.captioner import (
    EMPTY,
    REFUSED,
    Answer,
    BackEnd,
    Captioner,
    CaptionError,
    RemoteCaptioner,
    Said,
    Seen,
)
from hawk_pipelines.perception.checking import check_caption
from hawk_pipelines.schema import Caption, LlmCall, Rejection
from hawk_pipelines.video.motion_signal import Signal, between, unpack_signal

logger = logging.getLogger(__name__)


class Captioned(NamedTuple):
    """What one captioner made of all clips."""

    captions: list[Caption]
    rejections: list[Rejection]
    """Clips and captions that were refused, by the video's name."""
    asked: list[str]
    """The clips that a server was asked about in this run, in the order in which it was given them."""
    calls: list[LlmCall]
    """What the captions of the others took when it was asked about them."""


def caption_all(
    back_end: BackEnd,
    parameters: BaseModel,
    clips: Sequence[Seen],
    signals: Mapping[str, str],
    signal_store: ItemStore,
    caption_store: ItemStore,
    engine: EngineParameters,
    opened: AbstractContextManager[Captioner | RemoteCaptioner] | None = None,
) -> Captioned:
    """Caption all clips and check every caption against its clip.

    Args:
        back_end: the captioner's module.
        parameters: its settings.
        clips: without their signals, which are read here when they are needed.
        signals: for every video that has a motion signal, its key in the `signal_store`.
        signal_store: where signals lie.
        caption_store: where finished captions are kept, before they are checked; every captioner has a store of its own in it.
        engine: how work is spread.
        opened: the captioner's context, where it needs more than its settings.

    Raises:
        CaptionError: the captioner cannot be used, or not any more; or a server gave not one caption.
        EngineError: not one clip could be captioned, and not because of the clips.
    """
    step = f"caption-{back_end.TOOL}"
    by_id = {seen.clip.id: seen for seen in clips}
    captions, rejections = [], []
    asked: list[str] = []
    calls: list[LlmCall] = []
    caption_store.root.mkdir(parents=True, exist_ok=True)  # there for DVC, even where nothing is kept in it
    with opened or back_end.open_captioner(parameters) as captioner:
        if back_end.LOOKS_AT == "sentences" and isinstance(captioner, Captioner):  # nothing to keep: they are at hand
            said_of = {clip_id: captioner.describe(seen) for clip_id, seen in by_id.items()}
        else:
            keys = {clip_id: signals.get(seen.video.id) for clip_id, seen in by_id.items()}
            if back_end.LOOKS_AT == "pictures":
                keys = dict.fromkeys(keys)
            settings = {"settings": parameters.model_dump(mode="json"), "version": captioner.version}
            items = [Item(clip_id, _content(seen, keys[clip_id]), (seen, keys[clip_id])) for clip_id, seen in by_id.items()]
            # What one captioner did not ask for is not unused, if another one did.
            own_store = ItemStore(caption_store.root / back_end.TOOL)
            postponed: dict[str, str] = {}
            if isinstance(captioner, RemoteCaptioner):
                described = Step(step, _answered, back_end.VERSION, settings)
                outcome = run_items(described, items, own_store, engine, partial(_by_server, captioner, asked, postponed))
                asked_now = set(asked)
                before = [key for clip_id, key in outcome.keys.items() if clip_id not in asked_now]
                calls = [LlmCall(**own_store.facts(key)["call"]) for key in before]
            else:
                function = partial(_describe, captioner.describe, signal_store if back_end.LOOKS_AT == "signal" else None)
                described = Step(step, function, back_end.VERSION, settings)
                here = engine if captioner.in_workers else engine.model_copy(update={"workers": 0})
                outcome = run_items(described, items, own_store, here, partial(_while_usable, captioner))
            if not outcome.keys:
                _insist_on_replies(back_end.TOOL, list(postponed.values()), [fault.reason for fault in outcome.rejections])
            said_of = {clip_id: _stored(own_store.facts(key)) for clip_id, key in outcome.keys.items()}
            rejections = [_rejection(step, by_id[fault.item], fault.reason) for fault in outcome.rejections]
            rejections += [_rejection(step, by_id[clip_id], reason) for clip_id, reason in postponed.items()]
        version = captioner.version
    for clip_id, said_here in said_of.items():
        for said in said_here:
            try:
                captions.append(check_caption(said, by_id[clip_id].clip, back_end.TOOL, version))
            except CaptionError as error:
                rejections.append(_rejection(step, by_id[clip_id], str(error)))
    logger.info("%s: %d captions of %d clips, %d refusals.", step, len(captions), len(clips), len(rejections))
    return Captioned(captions, rejections, asked, calls)


def _content(seen: Seen, signal_key: str | None) -> object:
    """What decides a clip's captions: its frames of that video, their times, and the signal where it is looked at."""
    times = seen.video.fps if seen.video.frame_intervals is None else seen.video.frame_intervals
    return [seen.video.id, seen.clip.start_frame, seen.clip.end_frame, times, signal_key]


def _describe(describe: Callable[[Seen], list[Said]], signal_store: ItemStore | None, job: tuple[Seen, str | None]) -> Product:
    seen, signal_key = job
    if signal_store is not None:
        if signal_key is None:
            msg = "Its video has no motion signal; see what `split` says of it in rejected_signals.parquet."
            raise CaptionError(msg)
        seen = seen._replace(signal=between(_signal(signal_store, signal_key), seen.clip.start_s, seen.clip.end_s))
    return {}, {"said": [list(said) for said in describe(seen)]}


def _answered(answer: Answer) -> Product:
    return {}, {"said": [list(said) for said in answer.said], "call": answer.call.model_dump(mode="json")}


@lru_cache(maxsize=1)
def _signal(store: ItemStore, key: str) -> Signal:
    """The signal of a whole video; its clips follow each other."""
    return unpack_signal(store.read(key))


def _stored(facts: Mapping[str, Any]) -> list[Said]:
    return [Said(*said) for said in facts["said"]]


def _while_usable(
    captioner: Captioner, function: Callable[[Any], Any], jobs: Sequence[Any], limits: Limits, title: str
) -> Iterator[tuple[int, Any]]:
    """The engine's `spread`, until it is no use to go on."""
    for outcome in spread(function, jobs, limits, title):
        yield outcome
        captioner.insist()


def _by_server(
    captioner: RemoteCaptioner,
    asked: list[str],
    postponed: dict[str, str],
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    _limits: Limits,
    _title: str,
) -> Iterator[tuple[int, Any]]:
    """The engine's `spread` for a captioner that is given all clips; what may go well another time is kept from the ledger."""
    clips = [seen for _, (seen, _) in jobs]
    asked += [seen.clip.id for seen in clips]
    for position, answer in captioner.describe_all(clips):
        if isinstance(answer, Answer):
            yield position, function((jobs[position][0], answer))
        elif answer.for_good:
            yield position, Failure(answer.reason, refused=True)
        else:
            postponed[clips[position].clip.id] = answer.reason


def _insist_on_replies(tool: str, postponed: Sequence[str], for_good: Sequence[str]) -> None:
    """Refuse to go on where a server gave not one caption: it failed, or every reply was empty or a refusal."""
    none = f"caption-{tool} could caption none of {len(postponed) + len(for_good)} clips. The first reason:"
    if postponed:
        msg = f"{none} {postponed[0]}"
        raise CaptionError(msg)
    if without := [reason for reason in for_good if REFUSED in reason or EMPTY in reason]:
        change = f"change `caption.{tool}.prompts` or `caption.{tool}.openai.model`, or leave {tool} out of `caption.captioners`"
        msg = f"{none} {without[0]} What it said is kept; {change}."
        raise CaptionError(msg)


def _rejection(step: str, seen: Seen, reason: str) -> Rejection:
    where = f"Clip {seen.clip.start_s:.2f} to {seen.clip.end_s:.2f} s"
    return Rejection(step=step, item=seen.video.name, reason=f"{where}: {reason}")

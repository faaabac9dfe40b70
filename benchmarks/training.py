"""The same training step from stored features and with the frozen frame encoder on the fly, in one run.

    python benchmarks/training.py [--size paper|smol|tiny] [--device cuda] [--batch 16] [--tokens 256] [--out results.json]

At paper size it needs torch, transformers, numpy and safetensors, and this repository; no data, no weights, no network: every
weight is random. The two smaller sizes need the project's environment. A machine without a GPU can try the paper size with fewer
layers of the language model and fewer frames (`--layers 1 --frames 1 --batch 1`); all widths stay.

Both forms make the whole step: all three terms of the loss, backward, clipping, AdamW. They take turns, `--repeats` times. The
stored form reads its features from an item store on this disk, as a training does. The other one is given its frames as pixels in
memory, with the motion stream masked already: neither decoding nor optical flow is counted against it.

MFU = 4 × parameters of the language model × tokens/s ÷ peak, since the language model is frozen. Tokens are all that go through it:
those of the answer's pass and those of the motion text's.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import torch
import transformers
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.model.configuration import HawkConfig
from hawk_pipelines.model.hawk import HawkForConditionalGeneration
from hawk_pipelines.training.peaks import mfu, peak

READERS, AHEAD = 4, 4
"""Threads that read batches from the store, and batches that lie ready."""
FRAMES_AT_ONCE = 128
"""So many frames go through the encoder together."""
IGNORED = -100

Batch = dict[str, Tensor]


class Size(NamedTuple):
    """One of conf/paper, conf/smol and conf/base, and how it is measured."""

    frames: int
    tokens: int
    """Of a frame."""
    width: int
    """Of such a token."""
    pixels: int
    queries: int
    branch: dict[str, Any]
    """The video Q-Former."""
    compression: int
    text: LlamaConfig
    frozen: bool
    half: bool
    """The language model's weights and all computing in bfloat16; what is trained is float32."""
    batch: int
    text_tokens: int
    """Of prompt and answer, with the placeholders of both branches."""
    motion_text: int
    """Words of the motion text, behind the motion branch's placeholders."""
    steps: int
    """In a row, before it is the other form's turn."""
    items: int
    """In the store."""


def sizes(name: str) -> Size:
    """What the settings of that name say."""
    if name == "paper":
        branch = {"num_hidden_layers": 2}
        text = LlamaConfig(vocab_size=32_000, max_position_embeddings=4096, rms_norm_eps=1e-5)
        return Size(32, 32, 768, 224, 32, branch, 256, text, True, True, 16, 256, 16, 8, 256)
    if name == "smol":
        branch = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 4}
        text = LlamaConfig(
            vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
            num_key_value_heads=3, max_position_embeddings=2048, tie_word_embeddings=True,
        )  # fmt: skip
        return Size(8, 16, 1280, 224, 8, branch, 64, text, True, False, 4, 128, 16, 3, 256)
    branch = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = LlamaConfig(
        vocab_size=1000, hidden_size=128, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=2048, tie_word_embeddings=True,
    )  # fmt: skip
    return Size(8, 36, 64, 96, 8, branch, 32, text, False, False, 32, 64, 16, 10, 512)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", choices=("paper", "smol", "tiny"), default="paper")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--batch", type=int, help="samples of a step (paper: 16)")
    options.add_argument("--tokens", type=int, help="of prompt and answer (paper: 256)")
    options.add_argument("--layers", type=int, help="of the language model (paper: 32)")
    options.add_argument("--frames", type=int, help="T (paper: 32)")
    options.add_argument("--steps", type=int, help="in a row")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--items", type=int, help="in the store")
    options.add_argument("--compile", action="store_true", help="torch.compile for the layers of language model and encoder")
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    size = sizes(given.size)
    if given.layers:
        size.text.num_hidden_layers = given.layers
    told = {"frames": given.frames, "batch": given.batch, "text_tokens": given.tokens, "steps": given.steps, "items": given.items}
    size = size._replace(**{name: value for name, value in told.items() if value})
    if size.text_tokens < 2 * size.queries + 8:
        options.error(f"--tokens is at least {2 * size.queries + 8} here: the placeholders of both branches, and some words")
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    result = _measure(given.size, size, torch.device(given.device), given.repeats, given.compile)
    print(json.dumps(result, indent=2))
    print(_sentence(result))
    if given.out:
        given.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


def _measure(name: str, size: Size, device: torch.device, repeats: int, compiled: bool) -> dict[str, Any]:
    encoder, model = _encoder(name, device), _model(size, device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.999), weight_decay=0.05, fused=True)
    half = torch.autocast(device.type, torch.bfloat16) if size.half else nullcontext()
    encoding = torch.autocast("cuda", torch.float16) if size.half and device.type == "cuda" else nullcontext()
    losses: dict[str, Tensor] = {}

    def step(form: str, batch: Batch) -> None:
        if form == "on_the_fly":
            batch = dict(batch)
            batch |= _encoded(encoder, batch.pop("pixels"), size, encoding)
        with half:
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses[form] = loss.detach()

    with tempfile.TemporaryDirectory() as folder:
        store, keys = _store(Path(folder), size)
        pinned = device.type == "cuda"
        texts = [{key: _pin(value, pinned) for key, value in _text(size).items()} for _ in range(4)]
        shape = (2, size.batch, size.frames, size.pixels, size.pixels, 3)
        pixels = [_pin(torch.randint(0, 256, shape, dtype=torch.uint8), pinned) for _ in range(2)]

        def batches(form: str) -> Iterator[Batch]:
            if form == "stored":
                return on_device(stored(store, keys, texts, size, pinned), device)
            return on_device(
                ({**text, "pixels": frames} for text, frames in zip(cycle(texts), cycle(pixels), strict=False)), device
            )

        model.train()
        forms = ("stored", "on_the_fly")
        counted = {form: _operations(step, form, next(batches(form))) for form in forms}
        if compiled:
            _compile(model, encoder)
        for form in forms:  # warm-up
            for batch in islice(batches(form), 2):
                step(form, batch)
        seconds: dict[str, list[float]] = {form: [] for form in forms}
        peaks: dict[str, list[float]] = {form: [] for form in forms}
        for _ in range(repeats):
            for form in forms:
                _forget_peak(device)
                started = _now(device)
                for batch in islice(batches(form), size.steps):
                    step(form, batch)
                seconds[form].append((_now(device) - started) / size.steps)
                peaks[form].append(_peak_gb(device))
        loaded = {
            "from the page cache": _loaded(batches("stored"), size, device),
            "files read anew": _loaded(batches("stored"), size, device, forget=Path(folder)),
        }

    beside = sum(tensor.nbytes for tensor in encoder.state_dict().values()) / 1e9
    lm_parameters = sum(parameter.numel() for parameter in model.language_model.parameters())
    tokens = size.batch * (size.text_tokens + size.queries + size.motion_text)
    figures = {
        form: _figures(seconds[form], tokens, counted[form], lm_parameters, size, device)
        | {
            "peak_memory_gb": round(max(peaks[form]) - (beside if form == "stored" else 0), 2),
            "loss": round(float(losses[form]), 3),
        }
        for form in forms
    }
    stored_rate = figures["stored"]["samples_per_s"]["median"]
    pairs = [slow / fast for slow, fast in zip(seconds["on_the_fly"], seconds["stored"], strict=True)]
    return {
        "machine": _machine(device),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "size": name,
        "layers": size.text.num_hidden_layers,
        "batch": size.batch,
        "text tokens": size.text_tokens,
        "motion text tokens": size.queries + size.motion_text,
        "frames": size.frames,
        "compiled": compiled,
        "steps × repeats": f"{size.steps} × {repeats}",
        "parameters": {
            "language model": lm_parameters,
            "trained": sum(parameter.numel() for parameter in trained),
            "frame encoder": sum(tensor.numel() for tensor in encoder.state_dict().values()),
        },
        **figures,
        "ratio": {
            "measured": _spread(pairs),
            "counting operations": round(counted["on_the_fly"] / counted["stored"], 2) if counted["stored"] else None,
        },
        "loader alone": {
            where: {"samples_per_s": round(rate, 1), "times_what_is_consumed": round(rate / stored_rate, 1)}
            for where, rate in loaded.items()
        },
    }


# --- what is measured ----------------------------------------------------------------------------------------------------


def _model(size: Size, device: torch.device) -> HawkForConditionalGeneration:
    queries = {"cross_attention_frequency": 1, "encoder_hidden_size": size.width}
    config = HawkConfig(
        qformer_config=size.branch | queries,
        text_config=size.text.to_dict(),
        frames=size.frames,
        frame_size=size.pixels,
        queries=size.queries,
        compression_width=size.compression,
        appearance_token_id=size.text.vocab_size,
        motion_token_id=size.text.vocab_size + 1,
    )
    with device:
        dtype = torch.bfloat16 if size.half else torch.float32
        language_model = AutoModelForCausalLM.from_config(size.text, dtype=dtype, attn_implementation="sdpa")
        return HawkForConditionalGeneration(config, language_model.requires_grad_(not size.frozen))


def _encoder(name: str, device: torch.device) -> Any:
    if name == "paper":
        from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder

        with device:
            encoder = Blip2FrameEncoder()
        return encoder.to(device).in_dtype(torch.float16 if device.type == "cuda" else torch.float32)
    from hawk_pipelines.model.frame_encoders import build
    from hawk_pipelines.model.settings import EfficientNetLite0Settings, TinyFrameEncoderSettings

    return build(EfficientNetLite0Settings() if name == "smol" else TinyFrameEncoderSettings(), device)


@torch.no_grad()
def _encoded(encoder: Any, pixels: Tensor, size: Size, encoding: AbstractContextManager) -> Batch:
    """Both streams through the frozen encoder: the two arguments of the model that the stored form reads."""
    with encoding:
        tokens = torch.cat([encoder(piece) for piece in pixels.flatten(0, 2).split(FRAMES_AT_ONCE)])
    appearance, motion = tokens.view(2, size.batch, size.frames, size.tokens, size.width)
    return {"appearance_tokens": appearance, "motion_tokens": motion}


def _text(size: Size) -> Batch:
    """A batch of random words, laid out as in a training: half of them the prompt's, half the answer's."""
    words = size.text_tokens - 2 * size.queries
    said = words // 2
    appearance, motion = (torch.full((size.batch, size.queries), size.text.vocab_size + place) for place in (0, 1))
    prompt = torch.cat([_words(size, 4), appearance, motion, _words(size, words - said - 4)], dim=1)
    answer, motion_text = _words(size, said), _words(size, size.motion_text)
    ids, motion_ids = torch.cat([prompt, answer], dim=1), torch.cat([motion, motion_text], dim=1)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": torch.cat([torch.full_like(prompt, IGNORED), answer], dim=1),
        "frame_mask": torch.ones(size.batch, size.frames, dtype=torch.int64),
        "motion_text_ids": motion_ids,
        "motion_text_mask": torch.ones_like(motion_ids),
        "motion_text_labels": torch.cat([torch.full_like(motion, IGNORED), motion_text], dim=1),
    }


def _words(size: Size, count: int) -> Tensor:
    return torch.randint(3, size.text.vocab_size, (size.batch, count))


def _compile(model: HawkForConditionalGeneration, encoder: Any) -> None:
    layers = list(model.language_model.model.layers)
    if hasattr(encoder, "vision_model"):
        layers += encoder.vision_model.encoder.layers
    for layer in layers:
        layer.compile(dynamic=False)


# --- how the data come ---------------------------------------------------------------------------------------------------


def _store(folder: Path, size: Size) -> tuple[ItemStore, list[str]]:
    """Random features of so many items, as `encode` writes them: half precision [1, T, N, D] of both streams."""
    store, rng = ItemStore(folder), np.random.default_rng(0)
    keys = [f"{number:016x}" for number in range(size.items)]
    shape = (1, size.frames, size.tokens, size.width)
    for key in keys:
        streams = {name: rng.standard_normal(shape, np.float32).astype(np.float16) for name in ("appearance", "motion")}
        store.write(key, streams, {"times_s": [[0.0] * size.frames]})
    os.sync()
    return store, keys


def stored(store: ItemStore, keys: list[str], texts: list[Batch], size: Size, pinned: bool) -> Iterator[Batch]:
    """Endless batches in a shuffled order, read by threads that are some batches ahead."""

    def read(drawn: list[str], text: Batch) -> Batch:
        shape = (size.batch, size.frames, size.tokens, size.width)
        streams = {name: torch.empty(shape, dtype=torch.float16, pin_memory=pinned) for name in ("appearance", "motion")}
        places = {name: tensor.numpy() for name, tensor in streams.items()}
        for row, key in enumerate(drawn):
            for name, part in store.read_part(key, 0).items():
                places[name][row] = part
        return text | {f"{name}_tokens": tensor for name, tensor in streams.items()}

    rng, waiting = np.random.default_rng(1), deque()
    with ThreadPoolExecutor(READERS) as pool:
        for text in cycle(texts):
            waiting.append(pool.submit(read, rng.choice(keys, size.batch).tolist(), text))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()


def on_device(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """The next batch is copied to the GPU beside the step that computes."""
    if device.type != "cuda":
        yield from batches
        return
    side, source = torch.cuda.Stream(device), iter(batches)

    def copied() -> Batch:
        with torch.cuda.stream(side):
            return {name: tensor.to(device, non_blocking=True) for name, tensor in next(source).items()}

    following = copied()
    while True:
        now, current = following, torch.cuda.current_stream(device)
        current.wait_stream(side)
        for tensor in now.values():
            tensor.record_stream(current)
        following = copied()
        yield now


def _pin(tensor: Tensor, pinned: bool) -> Tensor:
    return tensor.pin_memory() if pinned else tensor


def _loaded(batches: Iterator[Batch], size: Size, device: torch.device, forget: Path | None = None) -> float:
    """Samples a second that the loader delivers with nobody to wait for; all items about once."""
    if forget:
        for file in forget.rglob("*.safetensors"):
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    count = max(AHEAD, size.items // size.batch)
    started = _now(device)
    for _ in islice(batches, count):
        pass
    return count * size.batch / (_now(device) - started)


# --- figures -------------------------------------------------------------------------------------------------------------


def _operations(step: Any, form: str, batch: Batch) -> int:
    """Floating-point operations of matrix products, convolutions and attention in one step, forward and back."""
    with FlopCounterMode(display=False) as counter:
        step(form, batch)
    return counter.get_total_flops()


def _figures(
    seconds: list[float], tokens: int, operations: int, lm_parameters: int, size: Size, device: torch.device
) -> dict[str, Any]:
    median = statistics.median(seconds)
    found: dict[str, Any] = {
        "seconds_per_step": _spread(seconds, 4),
        "samples_per_s": _spread([size.batch / one for one in seconds]),
        "tokens_per_s": round(tokens / median, 1),
        "tflop_per_step": round(operations / 1e12, 3),
        "tflop_per_s": round(operations / median / 1e12, 3),
    }
    if device.type == "cuda":
        most = peak(torch.cuda.get_device_name(device))
        used = mfu(lm_parameters, tokens / median, device)
        found["mfu"] = None if used is None or not size.frozen else round(used, 4)
        found["all_operations_over_peak"] = None if most is None else round(operations / median / most, 4)
    return found


def _spread(values: list[float], digits: int = 2) -> dict[str, float]:
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif (reset := Path("/proc/self/clear_refs")).exists():
        reset.write_text("5")


def _peak_gb(device: torch.device) -> float:
    """The most that was taken since the last reset: of the GPU's memory, otherwise of the machine's by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def _sentence(result: dict[str, Any]) -> str:
    ratio, loader = result["ratio"], result["loader alone"]["from the page cache"]["times_what_is_consumed"]
    busy = [f"{form.replace('_', ' ')} {result[form]['mfu']:.1%}" for form in ("stored", "on_the_fly") if result[form].get("mfu")]
    return (
        f"Stored features are {ratio['measured']['median']} times as fast as the encoder on the fly (asked: 3.5; counting operations: "
        f"{ratio['counting operations']}); MFU {', '.join(busy) or 'not known here'} (asked: 45 % stored); the loader alone delivers "
        f"{loader} times what is consumed (asked: 5)."
    )


if __name__ == "__main__":
    main()

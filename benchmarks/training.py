"""The same training step from stored features and with the frozen frame encoder on the fly, in one run.

    python benchmarks/training.py [--size paper|smol|tiny] [--device cuda] [--batch 16] [--tokens 256] [--out results.json]

At paper size it needs torch, transformers, numpy and safetensors, and this repository; no data, no weights, no network: every
weight is random. The two smaller sizes need the project's environment. A machine without a GPU can try the paper size with fewer
layers and frames (`--layers 1 --vit-layers 1 --frames 2 --batch 1 --steps 1 --items 8`); all widths stay.

Both forms make the whole step: all three terms of the loss, backward, clipping, AdamW. They take turns, `--repeats` times. The
stored form reads its features from an item store on this disk, as a training does. The other one is given its frames as pixels in
memory, with the motion stream masked already: neither decoding nor optical flow is counted against it.

MFU = 4 × parameters of the language model × tokens/s ÷ peak, since the language model is frozen. Tokens are all that go through
it: those of the answer's pass and those of the motion text's.
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
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
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

FORMS = ("stored", "on_the_fly")

Batch = dict[str, Tensor]
Step = Callable[[Batch], Tensor]


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
    """On a GPU: the language model and all computing in bfloat16, the encoder in float16; what is trained is float32."""
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
    options.add_argument("--vit-layers", type=int, default=39, help="of the frame encoder at paper size")
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
    device = torch.device(given.device)
    if device.type == "cpu":
        size = size._replace(half=False)  # many processors have no half precision of their own
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    result = _measure(given.size, size, device, given.vit_layers, given.repeats, given.compile)
    print(json.dumps(result, indent=2))
    print(_sentence(result))
    if given.out:
        given.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


def _measure(name: str, size: Size, device: torch.device, vit_layers: int, repeats: int, compiled: bool) -> dict[str, Any]:
    encoder, model = _encoder(name, device, vit_layers, size.half), _model(size, device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.999), weight_decay=0.05, fused=True)
    half = torch.autocast(device.type, torch.bfloat16) if size.half else nullcontext()
    encoding = torch.autocast(device.type, torch.float16) if size.half else nullcontext()

    def step(batch: Batch) -> Tensor:
        pixels = batch.pop("pixels", None)
        if pixels is not None:
            batch |= _encoded(encoder, pixels, size, encoding)
        with half:
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    model.train()
    with tempfile.TemporaryDirectory() as folder:
        data = Data(Path(folder), size, device)
        operations = {form: _operations(step, next(data.batches(form))) for form in FORMS}
        if compiled:
            _compile(model, encoder)
        turns, losses = _take_turns(step, data, repeats)
        loaded = {"from the page cache": data.alone(), "files read anew": data.alone(forget=True)}
    sizes_of = {
        "language model": sum(parameter.numel() for parameter in model.language_model.parameters()),
        "trained": sum(parameter.numel() for parameter in trained),
        "frame encoder": sum(tensor.numel() for tensor in encoder.state_dict().values()),
    }
    result: dict[str, Any] = {
        "machine": _machine(device),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "size": name,
        "layers": size.text.num_hidden_layers,
        **({"ViT layers": vit_layers} if name == "paper" else {}),
        "batch": size.batch,
        "text tokens": size.text_tokens,
        "motion text tokens": size.queries + size.motion_text,
        "frames": size.frames,
        "compiled": compiled,
        "steps × repeats": f"{size.steps} × {repeats}",
        "parameters": sizes_of,
    }
    beside = sum(tensor.nbytes for tensor in encoder.state_dict().values()) / 1e9
    for form in FORMS:
        seconds = [turn.seconds for turn in turns[form]]
        memory = max(turn.peak_gb for turn in turns[form]) - (beside if form == "stored" else 0)  # its training has no encoder
        result[form] = _figures(seconds, operations[form], sizes_of["language model"], size, device)
        result[form] |= {"peak_memory_gb": round(memory, 2), "loss": round(losses[form], 3)}
    each = [fly.seconds / stored.seconds for stored, fly in zip(turns["stored"], turns["on_the_fly"], strict=True)]
    counted = operations["on_the_fly"] / operations["stored"]
    result["ratio"] = {"measured": _spread(each), "counting operations": round(counted, 2) if beside else None}  # tiny: none
    consumed = size.batch / statistics.median(turn.seconds for turn in turns["stored"])
    result["loader alone"] = {
        where: {"samples_per_s": round(rate, 1), "times_what_is_consumed": round(rate / consumed, 1)}
        for where, rate in loaded.items()
    }
    return result


class Turn(NamedTuple):
    """Some steps in a row of one form."""

    seconds: float
    """Of a step."""
    peak_gb: float


def _take_turns(step: Step, data: "Data", repeats: int) -> tuple[dict[str, list[Turn]], dict[str, float]]:
    """All turns of each form, after one that is not counted; and its last loss, so that it is seen to be a number."""
    turns: dict[str, list[Turn]] = {form: [] for form in FORMS}
    losses: dict[str, float] = {}
    for number in range(repeats + 1):
        for form in FORMS:
            _forget_peak(data.device)
            coming, started = data.batches(form), _now(data.device)
            for batch in islice(coming, data.size.steps if number else min(2, data.size.steps)):
                loss = step(batch)
            turn = Turn((_now(data.device) - started) / data.size.steps, _peak_gb(data.device))
            coming.close()
            losses[form] = float(loss)
            if number:
                turns[form].append(turn)
                print(f"{number}/{repeats} {form}: {turn.seconds:.4f} s a step", file=sys.stderr, flush=True)
    return turns, losses


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


def _encoder(name: str, device: torch.device, vit_layers: int, half: bool) -> Any:
    if name == "paper":
        from transformers import Blip2VisionConfig

        from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder

        with device:
            encoder = Blip2FrameEncoder(Blip2VisionConfig(num_hidden_layers=vit_layers))
        return encoder.to(device).in_dtype(torch.float16 if half else torch.float32)
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


class Data:
    """Random features in an item store, random frames in memory, and random words for both."""

    def __init__(self, folder: Path, size: Size, device: torch.device) -> None:
        self.folder, self.size, self.device, self._pinned = folder, size, device, device.type == "cuda"
        self._store, rng = ItemStore(folder), np.random.default_rng(0)
        self._keys = [f"{number:016x}" for number in range(size.items)]
        shape = (1, size.frames, size.tokens, size.width)
        for key in self._keys:  # as `encode` writes them
            streams = {name: rng.standard_normal(shape, np.float32).astype(np.float16) for name in ("appearance", "motion")}
            self._store.write(key, streams, {"times_s": [[0.0] * size.frames]})
        os.sync()
        shape = (2, size.batch, size.frames, size.pixels, size.pixels, 3)
        self._texts = [{name: self._pin(tensor) for name, tensor in _text(size).items()} for _ in range(4)]
        self._pixels = [self._pin(torch.randint(0, 256, shape, dtype=torch.uint8)) for _ in range(2)]

    def batches(self, form: str) -> Generator[Batch]:
        """Endless ones, on the device; the next is copied there beside the step that computes."""
        source = self._read() if form == "stored" else self._seen()
        if self.device.type != "cuda":
            yield from source
            return
        side = torch.cuda.Stream(self.device)
        following = self._copied(next(source), side)
        while True:
            batch, current = following, torch.cuda.current_stream(self.device)
            current.wait_stream(side)
            for tensor in batch.values():
                tensor.record_stream(current)
            following = self._copied(next(source), side)
            yield batch

    def alone(self, forget: bool = False) -> float:
        """Samples a second that come from the store to the device with nobody to wait for; about as many as there are items."""
        for file in self.folder.rglob("*.safetensors") if forget else ():
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        count = max(2 * AHEAD, self.size.items // self.size.batch)
        started = _now(self.device)
        for _ in islice(self.batches("stored"), count):
            pass
        return count * self.size.batch / (_now(self.device) - started)

    def _read(self) -> Generator[Batch]:
        """In a shuffled order from the store, by threads that are some batches ahead."""
        rng, waiting, pool = np.random.default_rng(1), deque[Future[Batch]](), ThreadPoolExecutor(READERS)
        try:
            for text in cycle(self._texts):
                waiting.append(pool.submit(self._one, rng.choice(self._keys, self.size.batch).tolist(), text))
                if len(waiting) == AHEAD:
                    yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _one(self, keys: list[str], text: Batch) -> Batch:
        shape = (self.size.batch, self.size.frames, self.size.tokens, self.size.width)
        streams = {name: torch.empty(shape, dtype=torch.float16, pin_memory=self._pinned) for name in ("appearance", "motion")}
        for row, key in enumerate(keys):
            for name, part in self._store.read_part(key, 0).items():
                streams[name].numpy()[row] = part
        return text | {f"{name}_tokens": tensor for name, tensor in streams.items()}

    def _seen(self) -> Generator[Batch]:
        for text, pixels in zip(cycle(self._texts), cycle(self._pixels), strict=True):
            yield text | {"pixels": pixels}

    def _copied(self, batch: Batch, side: torch.cuda.Stream) -> Batch:
        with torch.cuda.stream(side):
            return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def _pin(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if self._pinned else tensor


# --- figures -------------------------------------------------------------------------------------------------------------


def _operations(step: Step, batch: Batch) -> int:
    """Floating-point operations of matrix products, convolutions and attention in one step, forward and back."""
    with FlopCounterMode(display=False) as counter:
        step(batch)
    return counter.get_total_flops()


def _figures(seconds: list[float], operations: int, lm_parameters: int, size: Size, device: torch.device) -> dict[str, Any]:
    median = statistics.median(seconds)
    tokens = size.batch * (size.text_tokens + size.queries + size.motion_text)
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
    fast, counted = ratio["measured"]["median"], ratio["counting operations"]
    return (
        f"Stored features are {fast} times as fast as the encoder on the fly (asked: 3.5"
        f"{f'; counting operations: {counted}' if counted else ''}); MFU {', '.join(busy) or 'not known here'} (asked: 45 % "
        f"stored); the loader alone delivers {loader} times what is consumed (asked: 5)."
    )


if __name__ == "__main__":
    main()

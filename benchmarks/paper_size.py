"""HAWK at its published size with random weights: one training step and one generation, seconds and peak memory.

    python benchmarks/paper_size.py [--device cuda] [--batch 1] [--layers 32] [--frames 32] [--out results.json]

It needs torch, transformers, numpy and safetensors, and this repository; no data, no weights, no
network. A machine without a GPU can try it with fewer layers of the language model and fewer frames; all widths stay.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from hawk_pipelines.model.configuration import paper_sizes
from hawk_pipelines.model.frame_encoders.blip2 import Blip2FrameEncoder
from hawk_pipelines.model.hawk import HawkForConditionalGeneration, Watched

QUERIES, PROMPT, ANSWER, MOTION_TEXT = 32, 40, 60, 16
APPEARANCE, MOTION = 32_000, 32_001


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--batch", type=int, default=1)
    options.add_argument("--layers", type=int, default=32, help="of the language model")
    options.add_argument("--frames", type=int, default=32, help="T, at most 32")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    device = torch.device(given.device)
    torch.manual_seed(0)
    result: dict[str, object] = {
        "machine": _machine(device),
        "torch": torch.__version__,
        "batch": given.batch,
        "layers": given.layers,
        "frames": given.frames,
    }

    result["encode one item, both streams"], tokens = _encode(device, given.frames, given.repeats)
    tokens = tokens.expand(-1, given.batch, -1, -1, -1).contiguous()
    model = _model(given.layers, device)
    result["parameters"] = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    result["trained"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    batch = _batch(given.batch, tokens, device)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)

    def step() -> None:
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    model.train()
    result["training step"] = _measured(step, device, given.repeats)
    model.eval()
    with torch.no_grad():
        seen = model.watch(batch["appearance_tokens"], batch["motion_tokens"])
    watched = Watched(seen[0].projected_BQD, seen[1].projected_BQD)
    prompt = batch["input_ids"][:, : 2 * QUERIES + PROMPT]

    def generate() -> torch.Tensor:
        return model.generate(
            prompt, torch.ones_like(prompt), watched, max_new_tokens=64, min_new_tokens=64, do_sample=False, pad_token_id=0
        )

    result["generation of 64 tokens"] = _measured(generate, device, given.repeats)
    alone = Watched(watched.appearance_BQD[:1], watched.motion_BQD[:1])
    single = model.generate(
        prompt[:1], torch.ones_like(prompt[:1]), alone, max_new_tokens=64, min_new_tokens=64, do_sample=False, pad_token_id=0
    )
    result["batched greedy generation equals single"] = bool(torch.equal(generate()[:1], single))
    print(json.dumps(result, indent=2))
    if given.out:
        given.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


def _encode(device: torch.device, T: int, repeats: int) -> tuple[dict[str, float], torch.Tensor]:
    """How long the encoder takes, and the tokens of both streams of one item: [2, 1, T, 32, 768]."""
    with device:
        encoder = Blip2FrameEncoder()
    encoder.to(device).in_dtype(torch.float16 if device.type == "cuda" else torch.float32)
    frames = torch.randint(0, 256, (2 * T, 224, 224, 3), dtype=torch.uint8)
    measured = _measured(lambda: encoder(frames), device, repeats)
    return measured, encoder(frames).view(2, 1, T, 32, 768)


def _model(layers: int, device: torch.device) -> HawkForConditionalGeneration:
    text = LlamaConfig(vocab_size=32_000, max_position_embeddings=4096, rms_norm_eps=1e-5, num_hidden_layers=layers)
    config = paper_sizes(text)
    config.appearance_token_id, config.motion_token_id = APPEARANCE, MOTION
    with device:
        language_model = AutoModelForCausalLM.from_config(text, dtype=torch.bfloat16).requires_grad_(False)
        return HawkForConditionalGeneration(config, language_model)


def _batch(size: int, tokens: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
    def words(count: int) -> torch.Tensor:
        return torch.randint(3, 32_000, (size, count))

    def placeholders(token: int) -> torch.Tensor:
        return torch.full((size, QUERIES), token)

    prompt = torch.cat([words(PROMPT // 2), placeholders(APPEARANCE), placeholders(MOTION), words(PROMPT // 2)], dim=1)
    answer, motion_text = words(ANSWER), words(MOTION_TEXT)
    ids, motion_ids = torch.cat([prompt, answer], dim=1), torch.cat([placeholders(MOTION), motion_text], dim=1)
    batch = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": torch.cat([torch.full_like(prompt, -100), answer], dim=1),
        "appearance_tokens": tokens[0],
        "motion_tokens": tokens[1],
        "frame_mask": torch.ones(tokens.shape[1:3], dtype=torch.int64),
        "motion_text_ids": motion_ids,
        "motion_text_mask": torch.ones_like(motion_ids),
        "motion_text_labels": torch.cat([placeholders(-100), motion_text], dim=1),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}


def _measured(work: Callable[[], object], device: torch.device, repeats: int) -> dict[str, float]:
    """Median seconds after one warm-up, and peak memory where the device says it."""
    cuda = device.type == "cuda"
    work()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    result = {"seconds": round(sorted(seconds)[len(seconds) // 2], 4)}
    return result | ({"peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2)} if cuda else {})


def _machine(device: torch.device) -> str:
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()

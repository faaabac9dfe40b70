"""Whoever changes what a step makes of the same input must raise its version: stored items would otherwise be taken for new ones.

`tests/golden/step_outputs.json` holds the version and a hash of the output of every step on a generated clip. After raising a
version, `python tests/test_step_versions.py` writes it anew.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden" / "step_outputs.json"
STEPS = ("probe", "labels", "motion", "encode", "annotate")


def _clip(folder):
    """Uncompressed and made without an encoder, so that every machine has the same bytes: a bright square that moves."""
    frames = np.full((24, 64, 64, 3), 90, np.uint8)
    frames += np.arange(64, dtype=np.uint8)[None, :, None, None]
    for number, frame in enumerate(frames):
        frame[20:36, 8 + number : 24 + number] = (230, 200 - 4 * number, 20)
    path = folder / "clip.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W64 H64 F8:1 Ip A1:1 C444\n")
        for frame in frames:
            planes = np.moveaxis(frame, -1, 0)[[1, 2, 0]]
            file.write(b"FRAME\n" + planes.tobytes())
    return path


def outputs(folder):
    """Version and hash of each step. Numbers are rounded, because processors differ in the last digits."""
    from hawk_pipelines.language.rules import RULES_VERSION, describe
    from hawk_pipelines.model.frame_encoders import ENCODER_VERSION
    from hawk_pipelines.model.frame_encoders.streams import encode_streams
    from hawk_pipelines.model.frame_encoders.tiny import TinyFrameEncoder
    from hawk_pipelines.model.settings import TinyFrameEncoderSettings
    from hawk_pipelines.schema import Caption, Span
    from hawk_pipelines.sources.frame_labels import FRAME_LABELS_VERSION, read_frame_labels
    from hawk_pipelines.sources.listing import Look, examine
    from hawk_pipelines.video.probe import PROBE_VERSION
    from hawk_pipelines.video.stored import pack, unpack
    from hawk_pipelines.video.streams import STREAMS_VERSION, StreamParameters, read_streams

    clip = _clip(folder)
    streams = unpack(*pack(read_streams(clip, StreamParameters(frames=4, phases=2), 32)))
    moved = streams.magnitude.reshape(2, 4, 4, 8, 4, 8).mean(axis=(3, 5)).round(1).tolist()
    tokens = encode_streams(
        TinyFrameEncoder(TinyFrameEncoderSettings(size=32, grid=4)), streams.frames, streams.magnitude, "soft"
    )
    masks = folder / "masks.npy"
    np.save(masks, np.array([0, 1, 1, 0, 1]))
    caption = Caption(clip_id="c", video_id="v", start_s=0, end_s=2, text="A man in red is running.", tool="t", score=1.0)
    made = {
        "probe": (PROBE_VERSION, examine(Look(clip, 10.0))[1]),
        "labels": (FRAME_LABELS_VERSION, read_frame_labels(masks)),
        "motion": (STREAMS_VERSION, [streams.frames.tolist(), moved, streams.indices.tolist(), streams.times_s.tolist()]),
        "encode": (ENCODER_VERSION, [stream.mean(dim=2).numpy().round(2).tolist() for stream in tokens]),
        "annotate": (RULES_VERSION, repr(describe("running", [Span(start_s=0, end_s=2)], [caption], 3.0))),
    }
    return {
        step: {"version": version, "sha256": hashlib.sha256(json.dumps(value).encode()).hexdigest()}
        for step, (version, value) in made.items()
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_steps_output_changes_only_with_its_version(tmp_path, step):
    known = json.loads(GOLDEN.read_text())[step]
    now = outputs(tmp_path)[step]
    if now["sha256"] != known["sha256"]:
        assert now["version"] > known["version"], f"The output of `{step}` has changed: raise its version."
    assert now == known, f"Write {GOLDEN.name} anew: python tests/test_step_versions.py"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(json.dumps(outputs(Path(folder)), indent=2) + "\n")

"""Whoever changes what a step makes of the same input must raise its version: stored items would otherwise be taken for new ones.

`tests/golden/step_outputs.json` holds the version and the output (exact parts as a hash) of every step on a generated clip. After
raising a version, `python tests/test_step_versions.py` writes it anew.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden" / "step_outputs.json"
STEPS = ("probe", "labels", "motion_signal", "motion", "encode", "annotate")


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
    """Of each step its version, a hash of what is the same everywhere, and numbers that processors compute a little apart."""
    from hawk_pipelines.language.questions import ASKS, Pool, Question
    from hawk_pipelines.language.rules import RULES_VERSION, Known, describe
    from hawk_pipelines.model.frame_encoders import ENCODER_VERSION
    from hawk_pipelines.model.frame_encoders.streams import encode_streams
    from hawk_pipelines.model.frame_encoders.tiny import TinyFrameEncoder
    from hawk_pipelines.model.settings import TinyFrameEncoderSettings
    from hawk_pipelines.schema import Caption, Span
    from hawk_pipelines.sources.frame_labels import FRAME_LABELS_VERSION, read_frame_labels
    from hawk_pipelines.sources.listing import Look, examine
    from hawk_pipelines.video.crops import crop, draw_box
    from hawk_pipelines.video.motion_signal import MOTION_SIGNAL_VERSION, LookParameters, LookPlace, look_along, unpack_signal
    from hawk_pipelines.video.probe import PROBE_VERSION
    from hawk_pipelines.video.stored import pack, unpack
    from hawk_pipelines.video.streams import STREAMS_VERSION, StreamParameters, read_streams

    clip = _clip(folder)
    streams = unpack(*pack(read_streams(clip, StreamParameters(frames=4, phases=2), 32)))
    moved = streams.magnitude.reshape(2, 4, 4, 8, 4, 8).mean(axis=(3, 5))
    encoder = TinyFrameEncoder(TinyFrameEncoderSettings(size=32, grid=4))
    boxes = [draw_box(32, 0.7, 42, "key", view) for view in (0, 1)]
    views = [encode_streams(encoder, *crop(streams.frames, streams.magnitude, box), "soft") for box in boxes]
    signal = unpack_signal(look_along(LookPlace(clip, 8.0), LookParameters())[0])
    moving = [array * signal.moving for array in (signal.speed, *np.moveaxis(signal.direction, -1, 0))]
    masks = folder / "masks.npy"
    np.save(masks, np.array([0, 1, 1, 0, 1]))
    caption = Caption(
        clip_id="c", video_id="v", start_s=0, end_s=2, text="A man in red is running.", tool="t", version="1", score=1.0
    )
    pool = Pool(tuple(Question(f"{kind}, {asks}?", kind, asks) for kind, sections in ASKS.items() for asks in sections), "")
    made = {
        "probe": (PROBE_VERSION, examine(Look(clip, 10.0))[1], []),
        "labels": (FRAME_LABELS_VERSION, read_frame_labels(masks), []),
        "motion_signal": (MOTION_SIGNAL_VERSION, [signal.frames.tolist(), signal.shots.tolist()], [*moving, signal.change / 25]),
        "motion": (STREAMS_VERSION, [streams.frames.tolist(), streams.indices.tolist(), streams.times_s.tolist()], [moved]),
        "encode": (ENCODER_VERSION, boxes, [stream.amax(2).mean(1).numpy() for view in views for stream in view]),
        "annotate": (
            RULES_VERSION,
            repr(describe(Known("v", "running", [Span(start_s=0, end_s=2)], [caption], 3.0), pool, 42, 7)),
            [],
        ),
    }
    return {
        step: {
            "version": version,
            "sha256": hashlib.sha256(json.dumps(exact).encode()).hexdigest(),
            "numbers": [round(float(number), 3) for array in numbers for number in array.ravel()],
        }
        for step, (version, exact, numbers) in made.items()
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_steps_output_changes_only_with_its_version(tmp_path, step):
    known = json.loads(GOLDEN.read_text())[step]
    now = outputs(tmp_path)[step]
    same = now["sha256"] == known["sha256"] and now["numbers"] == pytest.approx(known["numbers"], abs=0.05)
    if not same:
        assert now["version"] > known["version"], f"The output of `{step}` has changed: raise its version."
    assert same, f"Write {GOLDEN.name} anew: python tests/test_step_versions.py"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(
            "{\n" + ",\n".join(f"{json.dumps(s)}: {json.dumps(o)}" for s, o in outputs(Path(folder)).items()) + "\n}\n"
        )

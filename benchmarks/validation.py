"""How long the checks take on as many drafts as HAWK published: `python benchmarks/validation.py ANNOTATIONS [DRAFTS]`.

ANNOTATIONS is a folder with UCA's `uca/UCFCrime_{Train,Val,Test}.json`. Every draft has three real captions, a description made
of them and of a sentence of another video (so that most drafts name things that their captions do not), and seven answers. Prints
the seconds of each part and the peak memory.
"""

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from hawk_pipelines.curation.expectations import Suite
from hawk_pipelines.curation.judging import judge
from hawk_pipelines.curation.settling import settle
from hawk_pipelines.curation.summary import summary
from hawk_pipelines.schema import QA, Caption, Draft, Video

QUESTIONS = (
    "What unusual event happens?",
    "Who is involved?",
    "Where does it happen?",
    "When does it begin?",
    "How does it take place?",
    "How long does it last?",
    "Why is it unusual?",
)


def made(annotations: Path, count: int, folder: Path) -> tuple[list[Video], list[Caption], list[Draft]]:
    """Videos, captions and drafts from real sentences."""
    rng = random.Random(0)  # noqa: S311
    files = [annotations / "uca" / f"UCFCrime_{split}.json" for split in ("Train", "Val", "Test")]
    sentences = [text for file in files for told in json.loads(file.read_text()).values() for text in told["sentences"]]
    videos, captions, drafts = [], [], []
    path = folder / "a.mp4"
    path.write_bytes(b"x")
    for number in range(count):
        name = f"{number:032x}"
        said = rng.sample(sentences, 3)
        answers = [*said, rng.choice(sentences), "It lasts from second 2 to second 9.", "About 3 seconds.", "It is a fight."]
        videos.append(
            Video(
                id=name, source="s", path=str(path), name=f"{number}.mp4", frames=300, fps=30, width=320, height=240,
                duration_s=10, label="Fighting", spans=[], split="test" if number % 10 == 0 else "train", split_by="seeded",
            )
        )  # fmt: skip
        captions += [
            Caption(
                clip_id=f"{name}_0000000", video_id=name, start_s=0, end_s=10, text=text, tool="existing", version="1", score=1
            )
            for text in said
        ]
        drafts.append(
            Draft(
                item_id=name, video_id=name, description=" ".join([*said, rng.choice(sentences)]),
                QA=[QA(q=q, a=a) for q, a in zip(QUESTIONS, answers, strict=True)], provider="rules", sources=said,
            )
        )  # fmt: skip
    return videos, captions, drafts


def main() -> None:
    """Measure and print."""
    annotations, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    with tempfile.TemporaryDirectory() as folder:
        videos, captions, drafts = made(annotations, count, Path(folder))
        start = time.perf_counter()
        judged = judge(drafts, videos, captions)
        checked = time.perf_counter()
        settled = settle(judged, [], QUESTIONS, videos, 0.05, 0)
        told = summary(settled, [])
        done = time.perf_counter()
        Suite(["drafts", "questions"], f"{folder}/expectations").validate(settled.drafts)
        documented = time.perf_counter()
    print(f"{count} drafts, {sum(len(draft.QA) for draft in drafts)} answers, {len(captions)} captions")
    print(f"checks {checked - start:.1f} s, decisions and queue {done - checked:.1f} s, suites {documented - done:.1f} s")
    print(f"all {documented - start:.1f} s; peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print({name: told["items"][name] for name in ("accepted", "needs_review", "rejected")}, told["findings"])


if __name__ == "__main__":
    main()

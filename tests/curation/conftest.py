import pytest

from hawk_pipelines.schema import QA, Caption, Draft, Video


@pytest.fixture
def videos(tmp_path):
    """Two videos to train on and one to test on, of five seconds each, in which a man falls."""
    made = []
    for number, split in enumerate(["train", "train", "test"]):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(b"x")
        made.append(
            Video(
                id=f"v{number}", source="folder", path=str(path), name=path.name, frames=50, fps=10, width=64, height=64,
                duration_s=5, label="falling", spans=[], split=split, split_by="seeded",
            )
        )  # fmt: skip
    return made


@pytest.fixture
def captions(videos):
    return [
        Caption(
            clip_id=f"{video.id}_0000000", video_id=video.id, start_s=0, end_s=5, text="A man in red falls on the road.",
            tool="existing", version="1", score=1,
        )
        for video in videos
    ]  # fmt: skip


@pytest.fixture
def draft():
    """A draft of video `v<number>`, as the rules would write it."""

    def make(number, description="A man falls on the road.", qa=(("Who is involved?", "A man."),), provider="rules"):
        return Draft(
            item_id=f"v{number}",
            video_id=f"v{number}",
            description=description,
            QA=[QA(q=q, a=a) for q, a in qa],
            provider=provider,
            sources=[],
        )

    return make

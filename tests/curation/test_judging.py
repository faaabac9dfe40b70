import pytest

from hawk_pipelines.curation.refusals import is_refusal
from hawk_pipelines.curation.samples import make_pairs, make_samples
from hawk_pipelines.curation.validation import NothingLeft, validate
from hawk_pipelines.schema import QA, Draft, Pair, Video


@pytest.fixture
def videos(tmp_path):
    made = []
    for number, split in enumerate(["train", "train", "test"]):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(b"x")
        made.append(
            Video(
                id=f"v{number}", source="folder", path=str(path), name=path.name, frames=10, fps=10, width=64, height=64,
                duration_s=1, label=None, spans=[], split=split, split_by="seeded",
            )
        )  # fmt: skip
    return made


def _draft(number, description="A man falls.", qa=(("Who?", "A man."),)):
    return Draft(
        item_id=f"v{number}",
        video_id=f"v{number}",
        description=description,
        QA=[QA(q=q, a=a) for q, a in qa],
        provider="rules",
        sources=[],
    )


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("As an AI language model, I cannot watch videos.", True),
        ("I'm sorry, but I can’t assist with that.", True),
        ("I am unable to provide a description.", True),
        ("A man who cannot swim falls into the water.", False),
        ("The robber says that he is sorry and leaves.", False),
        ("As a text-based AI, I have no eyes.", True),
        ("It is not possible to describe the video.", True),
        ("I do not have enough information to answer.", True),
        ("A clerk says: \u201cI'm sorry, I cannot help you\u201d, and runs.", False),
        ("The truck is still there, but we don't have a view of it.", False),
        ("An artificial lake overflows.", False),
    ],
)
def test_refusals_are_recognised(text, refusal):
    assert is_refusal(text) is refusal


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (_draft(0, "As an AI language model, I cannot say."), "refusal"),
        (_draft(0, "  "), "is empty"),
        (_draft(9), "has no usable video"),
        (_draft(1), "more than one draft"),
    ],
)
def test_a_bad_draft_is_rejected_with_its_reason(videos, bad, reason):
    validated = validate([_draft(1), _draft(2), bad], videos)
    assert [annotation.item_id for annotation in validated.annotations] == ["v1", "v2"]
    assert reason in validated.rejections[0].reason


def test_a_video_that_is_gone_is_rejected(videos, tmp_path):
    (tmp_path / "0.mp4").unlink()
    validated = validate([_draft(0), _draft(1), _draft(2)], videos)
    assert "no longer there" in validated.rejections[0].reason


def test_a_refused_answer_is_left_out_and_its_item_stays(videos):
    draft = _draft(0, qa=[("Who?", "I am sorry, I cannot tell."), ("Where?", ""), ("What?", "A fall.")])
    validated = validate([draft, _draft(2)], videos)
    assert [pair.q for pair in validated.annotations[0].QA] == ["What?"]
    assert [rejection.item for rejection in validated.rejections] == ["0.mp4 QA[0]", "0.mp4 QA[1]"]


def test_an_empty_split_is_said_and_nothing_at_all_stops_the_run(videos, caplog):
    assert len(validate([_draft(0), _draft(1)], videos).annotations) == 2
    assert "The test split has no annotation: nothing can be tested on." in caplog.text
    with pytest.raises(NothingLeft, match=r"No annotation is left: of 3 video\(s\)"):
        validate([_draft(0, description="")], videos)


def test_only_what_is_known_from_captions_alone_is_a_pair_to_pretrain_on(videos):
    rules, captions = validate([_draft(0), _draft(2).model_copy(update={"provider": "captions"})], videos).annotations
    assert make_pairs(rules, make_samples(rules, str.upper)) == []
    (pair,) = make_pairs(captions, make_samples(captions, str.upper))
    assert pair == Pair(item_id="v2", caption="A man falls.", motion_text="A MAN FALLS.", split="test")


def test_samples_come_from_their_annotation_only(videos):
    annotations = validate([_draft(0), _draft(1), _draft(2)], videos).annotations
    samples = make_samples(annotations[2], str.upper)
    assert {sample.item_id for sample in samples} == {"v2"}
    assert [sample.task for sample in samples] == ["description", "question"]
    assert samples[1].motion_text == "A MAN."

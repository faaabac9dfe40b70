from hawk_pipelines.curation.samples import make_pairs, make_samples
from hawk_pipelines.schema import QA, Annotation, Pair


def _annotation(provider="rules"):
    return Annotation(
        item_id="v2", video_id="v2", description="A man falls.", QA=[QA(q="Who?", a="A man.")], provider=provider, sources=[],
        video="2.mp4", split="test",
    )  # fmt: skip


def test_samples_come_from_their_annotation_only():
    samples = make_samples(_annotation(), str.upper)
    assert {sample.item_id for sample in samples} == {"v2"}
    assert [sample.task for sample in samples] == ["description", "question"]
    assert samples[1].motion_text == "A MAN."


def test_only_what_is_known_from_captions_alone_is_a_pair_to_pretrain_on():
    assert make_pairs(_annotation(), make_samples(_annotation(), str.upper)) == []
    captioned = _annotation("captions")
    (pair,) = make_pairs(captioned, make_samples(captioned, str.upper))
    assert pair == Pair(item_id="v2", caption="A man falls.", motion_text="A MAN FALLS.", split="test")

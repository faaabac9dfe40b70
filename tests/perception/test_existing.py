from hawk_pipelines.perception.existing import assign, refuse
from hawk_pipelines.schema import SourceCaption
from tests.perception.clips import clip, video


def sentence(start_s, end_s, text="A man runs.", video_id="v"):
    return SourceCaption(video_id=video_id, start_s=start_s, end_s=end_s, text=text)


def test_a_sentence_goes_to_the_clip_that_its_middle_lies_in():
    clips = [clip(0, 40), clip(40, 80), clip(0, 40, video_id="w")]
    assigned, homeless = assign(clips, [sentence(3.0, 5.2), sentence(3.0, 4.9), sentence(4, 4.0), sentence(1, 2, video_id="w")])
    assert [said.end_s for said in assigned[clips[0].id]] == [4.9]
    assert [said.end_s for said in assigned[clips[1].id]] == [5.2, 4.0]
    assert len(assigned[clips[2].id]) == 1
    assert homeless == []


def test_a_sentence_of_no_clip_is_told():
    strays = [sentence(9, 11), sentence(float("nan"), 1), sentence(0, 1, video_id="gone")]
    assigned, homeless = assign([clip(0, 80)], strays)
    assert not assigned
    assert len(homeless) == 3
    reasons = [refuse(stray, {"v": video()}) for stray in homeless]
    assert {reason.item for reason in reasons} == {"v.mp4", "gone"}
    assert any(
        "“A man runs.” is about 9.00 to 11.00 s, the middle of which lies in no clip" in reason.reason for reason in reasons
    )

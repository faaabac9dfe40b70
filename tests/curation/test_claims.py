import itertools
import json

import pytest

from hawk_pipelines.curation.claims import evidence, unsupported


@pytest.mark.parametrize(
    ("text", "sources", "words"),
    [
        ("A man falls.", ["A man is falling"], []),
        ("A person falls down.", ["A woman fell"], []),
        ("A woman falls.", ["A person fell"], ["woman"]),
        ("The vehicle collides with a motorbike.", ["A car hit a motorcycle"], []),
        ("Several people are fighting in the street.", ["Fighting", "Two men stand on the road"], []),
        ("A road accident takes place at the end of the video.", ["RoadAccidents"], []),
        ("A man in red suddenly runs quickly.", ["A man runs"], []),
        ("A man runs with a knife.", ["A man runs"], ["knife"]),
        ("Something unusual happens: a man runs.", ["A man runs"], []),
        ("A man <script>alert(1)</script> runs.", ["A man runs"], ["script", "alert"]),
    ],
)
def test_objects_and_actions_that_nothing_supports(text, sources, words):
    assert unsupported(text, evidence(sources)) == words


def test_real_captions_support_themselves_and_not_each_other(real_data):
    videos = json.loads((real_data / "annotations/uca/UCFCrime_Test.json").read_text())
    sentences = [told["sentences"] for told in videos.values()][:60]
    own = [unsupported(" ".join(some), evidence(some)) for some in sentences]
    assert own == [[]] * len(own)
    other = [unsupported(" ".join(a), evidence(b)) for a, b in itertools.pairwise(sentences)]
    assert sum(bool(words) for words in other) > 0.8 * len(other)

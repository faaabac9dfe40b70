import pytest

from hawk_pipelines.language.refusals import is_refusal


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

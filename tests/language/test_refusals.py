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


SAID = "I'm sorry, I cannot help you"
MARKS = [
    *('""', "\u201c\u201d", "\u201e\u201c", "\u201e\u201d", "\u201d\u201d", "\uff02\uff02", ("``", "''"), ("&quot;", "&quot;")),
    *("''", "\u2018\u2019", "\u201a\u2018", "\u2019\u2019", "\u0060\u00b4"),
    *("\u00ab\u00bb", "\u00bb\u00ab", "\u2039\u203a", ("<<", ">>")),
    *("\u275d\u275e", "\u275b\u275c", "\u301d\u301e", "\u301d\u301f", "\u276e\u276f", "\u2e02\u2e03", "\u2e42\u2e42"),
    *("\u300c\u300d", "\u300e\u300f", "\u300a\u300b"),
]


@pytest.mark.parametrize("marks", MARKS, ids=["".join(marks) for marks in MARKS])
@pytest.mark.parametrize("said", [SAID, SAID.replace("'", "\u2019")], ids=["'", "\u2019"])
def test_what_is_quoted_is_no_refusal_unless_it_is_the_whole_text(marks, said):
    quoted = f"{marks[0]}{said}{marks[1]}"
    assert not is_refusal(f"The sign says {quoted} in red letters.")
    assert not is_refusal(f"A clerk says: {quoted}.")
    assert not is_refusal(f"{quoted}, says a clerk, and runs.")
    assert not is_refusal(f"The boys' car stops. The sign says {quoted}. A man's dog barks.")
    assert is_refusal(quoted)
    assert is_refusal(f" {quoted}. ")
    assert is_refusal(f"Answer: {quoted}")
    assert is_refusal(f"{marks[0]}{said}.{marks[1]} {marks[0]}As an AI language model, I do not see any video.{marks[1]}")
    assert is_refusal(f"{said} with {marks[0]}this video, which was filmed at night{marks[1]}.")
    assert is_refusal(f"A sign says {marks[0]}stop right here and now{marks[1]}. As an AI, I cannot see more.")
    assert is_refusal(f"I cannot {marks[0]}see{marks[1]} the video.")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ('"I\'m sorry," says the clerk, and runs.', False),
        ("'I'm sorry,' says the clerk, and the robber can't help laughing.", False),
        ("A sign reads \u201eAs an AI, I cannot help\u201c and another \u201ePlease provide the video\u201c.", False),
        ('He shouts: \\"I cannot see!\\"', False),
        ('A 5" pipe falls. I am unable to describe a 6" pipe.', True),
        ("The boys' video: I'm unable to describe the boys' faces.", True),
        ("\"I'm sorry, but I cannot assist with that.", True),
        ("\u300cI\u2019m sorry, but I cannot assist with that.\u300d", True),
        ("\"The sign says 'I'm sorry, I cannot help'.\"", False),
        ("\"'I'm sorry, I cannot help.'\"", True),
        ("It is the year '90. I cannot see any video.", True),
        ("", False),
    ],
)
def test_quotation_marks_of_every_kind_are_told_from_apostrophes_and_inches(text, refusal):
    assert is_refusal(text) is refusal


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ('Here is the answer: "I cannot see the video."', True),
        ("Here's my description: \u201cI cannot see the video.\u201d", True),
        ('Sure! Here is a short description of the video: "I cannot see the video."', True),
        ('The answer is "I cannot see the video."', True),
        ('Here is the answer: "A man says \u2018I cannot see\u2019 and runs."', False),
        ('Here is a clerk: "I cannot see the video."', False),
        ('The answer of the clerk: "I cannot help you."', False),
        ('Here is the answer: "A man runs."', False),
    ],
)
def test_an_introduction_and_a_quoted_refusal_are_a_refusal(text, refusal):
    assert is_refusal(text) is refusal

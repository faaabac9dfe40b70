import pytest

from hawk_pipelines.language.reply_outcome import outcome_of

SORRY = "I'm sorry, but I can't help with that."


@pytest.mark.parametrize(
    ("text", "refused", "outcome"),
    [
        ("", False, "empty"),
        (" \n", True, "empty"),  # as earlier versions kept an empty reply
        (SORRY, True, "refused"),
        ("No.", True, "refused"),
        ('{"description": "A man falls."}', False, "answered"),
        ('{"description": ""}', False, "empty"),
        ('{"description": " … "}', False, "empty"),
        (f'{{"description": "{SORRY}"}}', False, "refused"),
        (f'{{"answer_1": "{SORRY}", "answer_2": ""}}', False, "refused"),
        (f'{{"answer_1": "{SORRY}", "answer_2": "A man."}}', False, "answered"),
        ('{"answer_1": null, "answer_2": null}', False, "answered"),
        ('{"score": 0}', False, "answered"),
        ('{"questions": ["Who is it?", ""]}', False, "answered"),
        ('{"questions": []}', False, "answered"),
        ("It is a street.", False, "wrong-form"),
        ('["A street."]', False, "wrong-form"),
        ("[" * 100_000, False, "wrong-form"),
    ],
)
def test_what_a_reply_comes_to(text, refused, outcome):
    assert outcome_of(text, refused) == outcome

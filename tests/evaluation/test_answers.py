"""Real small models over tokens of noise: that videos are watched once, and that batches change nothing."""

from collections import Counter

import pytest
import torch

from hawk_pipelines.evaluation.answers import answer_all
from hawk_pipelines.model.answering import Query, answer, watch
from hawk_pipelines.model.batch import FrameTokens
from hawk_pipelines.model.checkpoint import Parts
from hawk_pipelines.model.errors import PromptError
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.schema import DESCRIBE, Asked, Prediction
from tests.training.made import MODEL, WIDTH, sentences, small_parts

EIGHT = GenerationSettings(max_new_tokens=8)
ITEMS = [f"v{number}" for number in range(5)]


def _asked():
    for number, item in enumerate(ITEMS):
        for task, question in (("description", DESCRIBE), ("question", "Who?"), ("question", f"What of {'it ' * number}?")):
            facts = {"reference": "A person.", "kind": "who", "source": "s", "video": item, "normal": False}
            yield Asked(item_id=item, task=task, question=question, **facts)


@pytest.fixture(scope="module")
def seen():
    """Five videos, of which every other one is shorter."""
    generator = torch.Generator().manual_seed(0)
    lengths = {item: 4 - number % 2 for number, item in enumerate(ITEMS)}
    return {
        item: FrameTokens(*(torch.randn(T, 4, WIDTH, generator=generator).half() for _ in range(2)), tuple(range(T)))
        for item, T in lengths.items()
    }


@pytest.fixture(scope="module", params=[True, False], ids=["two branches", "no motion"])
def parts(request):
    model = MODEL.model_copy(deep=True)
    model.branches.motion = request.param
    model.branches.initializer_range = 1.0  # so that an untrained model says something else of every video
    made = small_parts(sentences(ITEMS), model, seed=3)
    return Parts(made.model.eval(), made.tokenizer)


def test_batches_answer_as_one_by_one_and_in_whatever_order(parts, seen):
    asked = list(_asked())
    alone = []
    for one in asked:
        video = seen[one.item_id]
        alone += answer(parts, watch(parts.model, [video]), [Query(one.question)], [video.times_s], EIGHT)
    batched = answer_all(parts, asked, seen.__getitem__, 4, EIGHT)
    assert [one.answer for one in batched] == alone
    assert len(set(alone)) > 5  # they tell videos and questions apart
    assert answer_all(parts, asked[::-1], seen.__getitem__, 2, EIGHT) == batched[::-1]


def test_each_video_is_read_once_however_often_it_is_asked(parts, seen):
    read = Counter()

    def reading(item):
        read[item] += 1
        return seen[item]

    answer_all(parts, list(_asked()), reading, 2, EIGHT)
    assert read == dict.fromkeys(ITEMS, 1)


def test_questions_that_cannot_be_asked_are_left_out_and_named(parts, seen, caplog):
    asked = list(_asked())
    empty, steering = (asked[0].model_copy(update={"question": words}) for words in ("  ", "<motion>"))
    endless = asked[4].model_copy(update={"question": "What of it? " * 1000})
    alone = asked[-1].model_copy(update={"item_id": "unseen", "question": ""})  # a video of which nothing else is asked
    found = answer_all(parts, [empty, *asked, endless, steering, alone], (seen | {"unseen": seen["v0"]}).__getitem__, 2, EIGHT)
    assert found == answer_all(parts, asked, seen.__getitem__, 2, EIGHT)
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "hawk: 2 of 19 questions are left out, about unseen, v0. The question is empty; ask something."
    assert len(told) == 3
    assert any("1 of 19 questions are left out, about v1. The model has room for 2048 tokens" in one for one in told)
    with pytest.raises(PromptError, match=r"None of 2 questions can be asked of me\. The question is empty"):
        answer_all(parts, [empty, alone], (seen | {"unseen": seen["v0"]}).__getitem__, 2, EIGHT, name="me")
    with pytest.raises(PromptError, match="has room for 2048 tokens in all, of which an answer may take 4000"):
        answer_all(parts, asked, seen.__getitem__, 2, GenerationSettings(max_new_tokens=4000))


def test_what_is_asked_stays_as_it_is_and_is_asked_once(parts, seen):
    one, other = list(_asked())[:2]
    earlier = Prediction(**other.model_dump(), model="somebody", answer="Something.")
    first, second, again = answer_all(parts, [one, earlier, one], seen.__getitem__, 8, EIGHT, name="me")
    assert first == again == Prediction(**one.model_dump(), model="me", answer=first.answer)
    assert second == Prediction(**other.model_dump(), model="me", answer=second.answer)
    assert answer_all(parts, [], seen.__getitem__, 8, EIGHT) == []

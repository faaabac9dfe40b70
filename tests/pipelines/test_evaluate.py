"""Nodes of the evaluation over rendered videos, really sampled and encoded, and models of random weights."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.evaluation.asked import CONSTANT, HAWK, NEIGHBOUR
from hawk_pipelines.model.checkpoint import save
from hawk_pipelines.pipelines.encode.nodes import encode_frames
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.nodes import answer_as_baselines, answer_in_conversations, score_answers
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.schema import DESCRIBE, Annotation, Asked, Sample, StoredItem
from hawk_pipelines.video.stored import ItemPlace, frame_item
from hawk_pipelines.video.streams import StreamParameters
from tests.evaluation.tiny_video_llava import save_video_llava
from tests.training.made import ENCODER, sentences, small_parts

MOTION, ENCODE = StreamParameters(frames=4), EncodeParameters(frame_encoder=ENCODER)
ENCODE_FIRST = "run `kedro run --pipelines=motion,encode`, and this again."


class World(NamedTuple):
    """Rendered videos, four to train on and two to test with, and what is stored of them; and of all six, seen a second time."""

    train: list[str]
    test: list[str]
    again: list[str]
    frames: list[StoredItem]
    frame_store: ItemStore
    features: list[StoredItem]
    feature_store: ItemStore

    @property
    def samples(self):
        """Of every training item its own description, and an answer to a question."""
        known = {"task": "description", "question": DESCRIBE, "motion_text": ""}
        said = [Sample(item_id=item, answer=f"Something unusual happens: {item}.", **known) for item in self.train]
        return said + [one.model_copy(update={"task": "question", "question": "Who?", "answer": "A person."}) for one in said]

    def asked(self, items=None):
        """A description and an answer of test items, or of others."""
        known = {"reference": "A person falls.", "kind": "who", "source": "s", "normal": False}
        tasks = (("description", DESCRIBE), ("question", "Who?"))
        items = items or self.test
        return [Asked(item_id=item, video=item, task=task, question=asks, **known) for item in items for task, asks in tasks]

    def answers(self, asked=None, features=None, feature_store=None, frames=None, samples=None, **baselines):
        """Run the node: the answers of each model, and the notes."""
        asked = self.asked() if asked is None else asked
        known = {"description": "A person falls.", "QA": [], "provider": "rules", "sources": [], "split": "test"}
        annotations = [Annotation(item_id=one.item_id, video_id=one.item_id, video=one.item_id, **known) for one in asked]
        predictions, notes = answer_as_baselines(
            asked,
            self.samples if samples is None else samples,
            annotations,
            self.frames if frames is None else frames,
            self.frame_store,
            self.features if features is None else features,
            feature_store or self.feature_store,
            MOTION,
            ENCODE,
            EvaluateParameters(batch_size=4, max_new_tokens=4, baselines=baselines),
        )
        models = dict.fromkeys(one.model for one in predictions)
        return {name: [one.answer for one in predictions if one.model == name] for name in models}, notes


@pytest.fixture(scope="module")
def world(rendered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    frame_store, feature_store = ItemStore(folder / "frames"), ItemStore(folder / "features")
    frames = []
    for time, (span, looks) in enumerate(((None, 4), ((0.2, 2.7), 3))):
        for number, video in enumerate(rendered):
            item = StoredItem(item_id=f"{'vw'[time]}{number}", key=f"{time:02x}{number:06x}{0:024x}")
            place = ItemPlace(Path(video.path), span=span)
            frame_store.write(item.key, *frame_item(place, StreamParameters(frames=looks), ENCODER.size))
            frames.append(item)
    frame_store.pack(4)
    features, rejected = encode_frames(frames, frame_store, ENCODE, 0, EngineParameters(shards=64), feature_store)
    assert not rejected
    items = [one.item_id for one in frames]
    return World(items[:4], items[4:6], items[6:], frames, frame_store, features, feature_store)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A saved model that was never trained."""
    parts = small_parts(sentences(["a"]))
    folder = tmp_path_factory.mktemp("model") / "model"
    save(folder, parts.model.eval(), parts.tokenizer)
    return folder


def test_a_training_video_is_its_own_neighbour(world):
    """With the tiny encoder, whose tokens have nearly the same mean in every frame."""
    answers, notes = world.answers(world.asked(world.train), constant=False)
    assert answers == {NEIGHBOUR: [answer for one in world.samples[:4] for answer in (one.answer, "A person.")]}
    assert notes == []


def test_a_video_that_is_seen_at_other_frames_is_its_own_neighbour(world):
    """Which chance would give one time in 46,656."""
    items = world.train + world.test
    samples = [world.samples[0].model_copy(update={"item_id": item, "answer": item}) for item in items]
    answers, _ = world.answers(world.asked(world.again)[::2], samples=samples, constant=False)
    assert answers == {NEIGHBOUR: items}


def test_one_that_has_nothing_to_see_is_told_with_the_reason(world, model, tmp_path):
    everyone = {"models": {"other": model}, "video_models": {"film": {"source": str(save_video_llava(tmp_path / "llava"))}}}
    (tmp_path / "answers.jsonl").write_text("")
    everyone["answers"] = {"elsewhere": tmp_path / "answers.jsonl"}
    answers, notes = world.answers(features=[one for one in world.features if one.item_id in world.train], frames=[], **everyone)
    assert list(answers) == [CONSTANT]
    neighbour, other, film, elsewhere = notes
    seen = "is not in the figures: no item that is asked about has"
    assert neighbour == f"{NEIGHBOUR} {seen} features, or no training item of the same task has; {ENCODE_FIRST}"
    assert other == f"other ({model}) {seen} features; {ENCODE_FIRST}"
    assert film.endswith(f"llava) {seen} stored frames; run `kedro run --pipelines=motion`, and this again.")
    assert elsewhere.endswith("answers.jsonl) is not in the figures: nothing that is asked is answered in it.")
    answers, notes = world.answers(features=[one for one in world.features if one.item_id in world.test])
    assert (list(answers), notes) == ([CONSTANT], [neighbour])
    assert world.answers(asked=[], **everyone) == ({}, [])


def test_one_that_cannot_answer_costs_no_other(world, model, tmp_path, caplog):
    """A shard of features has been damaged: whoever needs its item cannot answer."""
    shutil.copytree(world.feature_store.root, tmp_path / "features")
    damaged = ItemStore(tmp_path / "features")
    shard = damaged.root / "shards" / damaged.index[world.features[0].key].shard
    shard.write_bytes(shard.read_bytes()[:-9])
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"item_id": world.test[0], "answer": "A car."}) + '\nA car.\n{"item_id": "x", "answer": "A."}\n')
    several = {"models": {"gone": tmp_path / "gone", "other": model}, "answers": {"lost": tmp_path / "lost", "elsewhere": path}}
    several["video_models"] = {"film": {"source": str(tmp_path / "film")}}
    answers, notes = world.answers(feature_store=ItemStore(damaged.root), **several)
    assert {name: len(said) for name, said in answers.items()} == {CONSTANT: 4, "elsewhere": 1}
    begun = [note.partition(" is not in the figures. ")[0] for note in notes]
    assert begun[:5] == [
        NEIGHBOUR,
        *(f"{name} ({place})" for name, place in several["models"].items()),
        f"film ({tmp_path / 'film'})",
        f"lost ({tmp_path / 'lost'})",
    ]
    assert "holds no whole item" in notes[0]
    about = f"elsewhere ({path}): 1 in 3 lines"
    assert [note.startswith(about) for note in notes[5:]] == [True, True]  # what is missing is told with the figures
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"][-len(notes) :] == notes
    answers, notes = world.answers(models={"other": model})
    assert (len(answers["other"]), notes) == (4, [])


def _said(asked, name, answers):
    return [one.answered(name, answer) for one, answer in zip(asked, answers, strict=True) if answer is not None]


def _scored(world, own, others, notes=()):
    judge = {"notes": ["No judge."]}
    made_by = {"weights_sha256": "f" * 64}
    return score_answers(world.asked(), own, made_by, others, list(notes), [], ["No talk."], [], judge, world.samples, [])[:3]


def test_what_has_to_be_said_of_others_stands_beside_the_figures_once(world, caplog):
    asked = world.asked()
    own = _said(asked, HAWK, ["A person falls.", "A person.", "A car.", None])
    others = _said(asked, "other", ["A person falls.", None, "", None]) + _said(asked, CONSTANT, ["A man."] * 4)
    told, scores, differences = _scored(world, own, others, ["elsewhere (a.jsonl): 1 in 3 lines no line of JSON."])
    narrow = "Of fewer than 10 source videos, so that their intervals are too narrow:"
    assert [note.removeprefix("other: ") for note in told["notes"] if "have no answer" in note] == [
        "1 of 2 of the task `question` have no answer, and figures are of the others: v5 (Who?).",
        "2 of 2 of the task `question` have no answer, and figures are of the others: v4 (Who?), v5 (Who?).",
    ]
    assert "other: 1 of 2 of the task `description` have an empty answer, which is worth 0: v5." in told["notes"]
    assert sum(narrow in note for note in told["notes"] if not note.startswith(("other: ", CONSTANT))) == 1
    assert told["notes"][-3:] == ["elsewhere (a.jsonl): 1 in 3 lines no line of JSON.", "No talk.", "No judge."]
    assert len(told["notes"]) == len(set(told["notes"]))
    assert "other: 1 of 2 of the task `description` have an empty answer" in caplog.text
    assert {one.model for one in scores} == {HAWK, "other", CONSTANT}
    assert {(one.first, one.second) for one in differences} == {("other", HAWK), (CONSTANT, HAWK)}
    assert told["weights_sha256"] == "f" * 64


def test_notes_that_are_of_the_references_are_not_said_again(world):
    """Of the same questions, answered in full by both."""
    own, other = (_said(world.asked(), name, ["A man."] * 4) for name in (HAWK, "other"))
    alone, together = (_scored(world, own, others)[0]["notes"] for others in ([], other))
    assert alone == together != ["No talk.", "No judge."]


def test_no_run_is_begun_to_log_figures(world, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    _scored(world, _said(world.asked(), HAWK, ["A person falls."] * 4), [])
    assert mlflow.active_run() is None


def _talk(world, model, **conversations):
    asked = [
        one.model_copy(update={"question": question}) if one.task == "question" else one
        for one in world.asked()
        for question in ("Who is involved in the unusual event?", "Where does the unusual event happen?")
    ]
    parameters = EvaluateParameters(batch_size=4, max_new_tokens=4, conversations=conversations)
    return answer_in_conversations(model, asked, world.features, world.feature_store, MOTION, ENCODE, parameters, 0)


def test_a_model_of_single_questions_is_not_tested_in_conversations(world, model):
    turns, notes = _talk(world, model)
    assert turns == []
    assert notes == [
        "The model was trained on single questions, so it is not tested in conversations (`finetune.conversations`)."
    ]


def test_a_model_of_conversations_is_talked_to_about_so_many_items(world, tmp_path):
    parts = small_parts(sentences(["a"]))
    parts.model.config.conversation_turns = 3
    save(tmp_path / "model", parts.model.eval(), parts.tokenizer)
    turns, notes = _talk(world, tmp_path / "model")
    assert notes == []
    assert {turn.item_id for turn in turns} == set(world.test)
    assert max(turn.turn for turn in turns) == 3
    assert {turn.form for turn in turns} == {"full", "short", "check"}
    assert len({turn.item_id for turn in _talk(world, tmp_path / "model", max_items=1)[0]}) == 1
    assert _talk(world, tmp_path / "model", max_items=0) == ([], [])

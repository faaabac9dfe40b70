"""The node, with real models, a real store of features and a real registry.

Nothing is trained: the references are what the good model answers, so that it is right and the other one is not.
"""

import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from safetensors.torch import load_file, save_file

from hawk_pipelines.engine.joins import TablesApart
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.evaluation.answers import answer_all
from hawk_pipelines.evaluation.scores import metrics as metrics_of
from hawk_pipelines.evaluation.scores import score
from hawk_pipelines.model.checkpoint import Parts, save
from hawk_pipelines.model.settings import GenerationSettings
from hawk_pipelines.pipelines.annotate.parameters import AnnotateParameters
from hawk_pipelines.pipelines.encode.parameters import EncodeParameters
from hawk_pipelines.pipelines.evaluate.nodes import answered_by
from hawk_pipelines.pipelines.evaluate.parameters import EvaluateParameters
from hawk_pipelines.pipelines.register import nodes
from hawk_pipelines.pipelines.register.nodes import RegisterError, register_model
from hawk_pipelines.pipelines.register.parameters import RegisterParameters
from hawk_pipelines.plain_text import markdown
from hawk_pipelines.schema import DESCRIBE, Annotation, Asked, EvaluationScore, Prediction, Sample, StoredItem, Video
from hawk_pipelines.serving.alias import AliasMoved, holder, moves, roll_back
from hawk_pipelines.serving.provenance import Training, weights_sha256, write_training
from hawk_pipelines.serving.registry import fetch, weights_in
from hawk_pipelines.training.features import Features
from hawk_pipelines.video.streams import StreamParameters
from tests.serving.conftest import a_run, registry  # noqa: F401 (fixtures)
from tests.training.made import ENCODER, MODEL, sentences, small_parts, stored

ITEMS = [f"v{number}" for number in range(8)]
TRAINED = [f"t{number}" for number in range(4)]
EVALUATE = EvaluateParameters(batch_size=8, max_new_tokens=16)
GENERATION = GenerationSettings(max_new_tokens=16)
RECORD = Training(stage="finetune", steps=9, seed=1, samples=12, videos=TRAINED, groups=[], sources={})
FIRST = "To have something to begin with."


def _video(name, split):
    facts = {"source": "folder", "path": f"{name}.mp4", "name": name, "frames": 9, "fps": 3.0, "width": 8, "height": 8}
    facts |= {"duration_s": 3.0, "label": None, "spans": [], "split_by": "seeded", "licence": "CC0"}
    return Video(id=name, split=split, **facts)


def _annotation(video):
    facts = {"description": "A person falls.", "QA": [], "provider": "rules", "sources": [], "split": video.split}
    return Annotation(item_id=video.id, video_id=video.id, video=video.name, **facts)


def _wordy(samples, seed):
    """A model that was never trained, but says whole words, and others of every video."""
    model = MODEL.model_copy(deep=True)
    model.branches.initializer_range = 1.0
    made = small_parts(samples, model, seed)
    pieces = [number for token, number in made.tokenizer.get_vocab().items() if not re.fullmatch("Ġ[a-z]+", token)]
    made.model.language_model.get_output_embeddings().weight.data[pieces] = 0
    return Parts(made.model.eval(), made.tokenizer)


class Answered(NamedTuple):
    """A saved model, and what `evaluate` would leave of it."""

    folder: Path
    predictions: list[Prediction]
    metrics: dict
    scores: list[EvaluationScore]


class Given(NamedTuple):
    """Tables and features, and two models that are never changed."""

    store: ItemStore
    features: list[StoredItem]
    videos: list[Video]
    annotations: list[Annotation]
    samples: list[Sample]
    models: dict[str, Answered]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    store, features = stored(folder / "store", ITEMS)
    read = Features(features, store).read
    videos = [_video(name, "test") for name in ITEMS] + [_video(name, "train") for name in TRAINED]
    samples = sentences(TRAINED)
    parts = {name: _wordy(samples, seed) for name, seed in (("bad", 3), ("good", 4))}
    facts = {"reference": "", "kind": "who", "source": "folder", "normal": False}
    asked = [
        Asked(item_id=item, video=item, task=task, question=question, **facts)
        for item in ITEMS
        for task, question in (("description", DESCRIBE), ("question", "Who is it?"))
    ]
    right = answer_all(parts["good"], asked, read, EVALUATE.batch_size, GENERATION)
    asked = [one.model_copy(update={"reference": said.answer}) for one, said in zip(asked, right, strict=True)]
    models = {}
    for name, one in parts.items():
        save(folder / name, *one)
        write_training(folder / name, RECORD)
        predictions = answer_all(one, asked, read, EVALUATE.batch_size, GENERATION)
        scored = score(predictions, samples)
        told = metrics_of(scored) | {"weights_sha256": weights_sha256(folder / name)}
        models[name] = Answered(folder / name, predictions, told, [EvaluationScore(**one._asdict()) for one in scored.scores])
    return Given(store, features, videos, [_annotation(video) for video in videos], samples, models)


class World:
    """The node over what is given, with a registry of its own."""

    def __init__(self, given, client, begin):
        self.given, self.client, self._begin = given, client, begin

    def copied(self, name, folder):
        """A model whose folder may be changed."""
        one = self.given.models[name]
        models = self.given.models | {name: one._replace(folder=shutil.copytree(one.folder, folder))}
        self.given = self.given._replace(models=models)
        return folder

    def register(self, name, metrics=None, made_by=None, evaluate=EVALUATE, **parameters):
        """Run the node: what it gives."""
        given, model = self.given, self.given.models[name]
        others = [one.model_copy(update={"model": "neighbour"}) for one in model.predictions]
        with self._begin():
            return register_model(
                model.folder,
                others + model.predictions,
                answered_by(model.folder, model.predictions, self.given.features, EVALUATE) | (made_by or {}),
                model.metrics | (metrics or {}),
                [one.model_copy(update={"model": "neighbour", "value": 0.5}) for one in model.scores] + model.scores,
                given.annotations,
                given.videos,
                given.samples,
                given.features,
                given.store,
                StreamParameters(frames=4, flow="farneback"),
                EncodeParameters(frame_encoder=ENCODER),
                evaluate,
                AnnotateParameters(),
                RegisterParameters(**{"name": "hawk-smol", "min_videos": 5} | parameters),
            )

    def files(self, version):
        """Of a version."""
        import mlflow

        return fetch(f"models:/hawk-smol/{version}", mlflow.get_tracking_uri())

    def production(self):
        """The version in use."""
        return holder(self.client, "hawk-smol", "production")


@pytest.fixture
def world(given, registry, a_run):  # noqa: F811
    return World(given, registry, a_run)


def test_a_better_model_takes_production_and_a_worse_one_does_not(world, caplog):
    caplog.set_level("INFO")
    first = world.register("bad")
    assert (first["alias"], first["uri"]) == ("challenger", "models:/hawk-smol@challenger")
    assert "does not beat a model that sees nothing" in caplog.text
    assert world.production() is None

    world.register("bad", force=FIRST)
    better = world.register("good")
    assert (better["alias"], better["version"], better["against"]) == ("production", "3", "version 2")
    assert better["score"] == pytest.approx(1.0)
    assert better["score_against"] == pytest.approx(_incumbents_score(world), abs=1e-9)
    assert "register: version 3 of `hawk-smol`. BLEU-4, mean of both tasks, on 16 answers about 8 source video(s)" in caplog.text

    worse = world.register("bad")
    assert (worse["alias"], worse["version"], world.production()) == ("challenger", "4", "3")
    assert "not above −0.01" in caplog.text
    assert "So many videos could have shown a difference of" in caplog.text
    assert holder(world.client, "hawk-smol", "challenger") == "4"
    assert [(move.version, move.how) for move in moves(world.client, "hawk-smol", "production")] == [
        ("2", "forced"),
        ("3", "gate"),
    ]
    assert roll_back(world.client, "hawk-smol", "production").version == "2"


def _incumbents_score(world):
    tasks = world.given.models["bad"].metrics["tasks"].values()
    return sum(task["bleu_4"] for task in tasks) / 2


def test_a_version_has_its_card_its_videos_and_its_decision(world):
    done = world.register("good")
    files = world.files("1")
    assert json.loads((files / "gate.json").read_text()) == {
        name: done[name] for name in json.loads((files / "gate.json").read_text())
    }
    assert json.loads((files / "training_videos.json").read_text())["videos"] == TRAINED
    card = (files / "README.md").read_text()
    assert "# hawk-smol, version 1" in card
    assert "| description | `bleu_4` | 1.0000 | 1.0000 to 1.0000 | 8 | 8 |" in card
    assert "| 0.5000 |" not in card  # other models' figures
    assert "- `finetune`: 9 steps over 12 samples of 4 videos" in card
    assert "| folder | – | 8 | CC0 |" in card
    tags = world.client.get_model_version("hawk-smol", "1").tags
    assert (tags["gate"], tags["gate.reason"], tags["gate.score"]) == ("passed", done["reason"], "1.0000")
    assert len(tags["annotations_sha256"]) == 64
    assert len(tags) <= 12
    description = world.client.get_model_version("hawk-smol", "1").description
    head, _, rest = description.rpartition("\n\n")
    assert card.startswith(head)
    assert rest == "Figures, training, data and terms are in `README.md` beside the version's files."
    assert f"`production`. {markdown(done['reason'])}" in description
    assert "It is **not** for decisions about people" in description
    assert (weights_in(files) / "training.json").is_file()


def test_an_incumbent_that_cannot_be_asked_any_more(world):
    world.register("bad", force=FIRST)
    config = weights_in(world.files("1")) / "config.json"
    config.write_text(config.read_text()[:-40])
    done = world.register("good")
    assert (done["alias"], world.production()) == ("challenger", "1")
    assert "Version 1 of `hawk-smol` cannot be asked any more:" in done["reason"]
    assert "`register.force`" in done["reason"]
    shutil.rmtree(world.files("1"))
    done = world.register("good")
    assert "Version 1 of `hawk-smol` cannot be asked any more: models:/hawk-smol/1 is not in the registry" in done["reason"]
    assert world.register("good", force="Version 1 is broken.")["alias"] == "production"


def test_an_incumbent_whose_weights_were_changed_since(world):
    """They load, and a model made worse would be easy to beat."""
    world.register("bad", force=FIRST)
    weights = weights_in(world.files("1")) / "model.safetensors"
    save_file({name: value * 0 for name, value in load_file(weights).items()}, weights)
    done = world.register("good")
    assert (done["alias"], done["difference"]) == ("challenger", None)
    assert "The weights of version 1 of `hawk-smol` are not those that were registered." in done["reason"]


def test_the_alias_that_moved_while_the_incumbent_was_asked(world, monkeypatch):
    """The candidate was compared with version 2, and by then it is version 1 that it would replace."""
    world.register("bad", force=FIRST)
    world.register("bad")

    def slowly(*told):
        answers = answers_of(*told)
        roll_back(world.client, "hawk-smol", "production", "1", "Version 2 fails on our cameras.")
        return answers

    answers_of = nodes.answers_of
    monkeypatch.setattr(nodes, "answers_of", slowly)
    with pytest.raises(AliasMoved, match="By now version 1 of `hawk-smol` is `production`, and not version 2"):
        world.register("good")
    assert world.production() == "1"
    assert world.client.get_model_version("hawk-smol", "3").tags["gate"] == "unfinished"


class Killed(BaseException):
    """What ends a run in the middle."""


def _killed(*_, **__):
    raise Killed


@pytest.mark.parametrize("write", ["set_model_version_tag", "set_registered_model_tag", "set_registered_model_alias"])
def test_a_kill_leaves_the_alias_with_the_old_version_until_all_else_is_written(world, monkeypatch, write):
    from mlflow import MlflowClient

    world.register("bad", force=FIRST)
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, write, _killed)
        with pytest.raises(Killed):
            world.register("good")
    assert world.production() == "1"
    done = world.register("good")  # goes on with the same version
    assert (done["version"], done["alias"], world.production()) == ("2", "production", "2")
    assert len(world.client.search_model_versions("name = 'hawk-smol'")) == 2


@pytest.mark.parametrize("name", ["good", "bad"])
def test_when_the_alias_moves_nothing_is_left_to_be_written(world, monkeypatch, name):
    """Also that of a challenger."""
    from mlflow import MlflowClient

    whole = {}

    def give(client, model, alias, number):
        version = client.get_model_version(model, number)
        whole[alias] = (dict(version.tags), version.description, sorted(path.name for path in world.files(number).iterdir()))
        return move(client, model, alias, number)

    move = MlflowClient.set_registered_model_alias
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", give)
    done = world.register(name)
    version = world.client.get_model_version("hawk-smol", "1")
    files = sorted(path.name for path in world.files("1").iterdir())
    assert whole == {done["alias"]: (dict(version.tags), version.description, files)}
    assert {"README.md", "gate.json", "training_videos.json", "code"} <= set(files)
    assert version.tags["gate"] == ("passed" if done["promoted"] else "refused")


def test_a_version_that_has_had_its_alias_is_done(world):
    """Neither a rollback nor a person who promotes a challenger makes it half-made."""
    from hawk_pipelines.serving.registration import INPUTS, WEIGHTS, find_earlier

    world.register("bad")
    world.register("bad", force=FIRST)
    world.register("good")
    roll_back(world.client, "hawk-smol", "production")
    roll_back(world.client, "hawk-smol", "production", "1", "It is kinder.")
    for number in ("1", "2", "3"):
        tags = world.client.get_model_version("hawk-smol", number).tags
        earlier = find_earlier(world.client, "hawk-smol", "production", tags[INPUTS], tags[WEIGHTS])
        assert str(earlier.finished.version) == number
        assert earlier.unfinished is None


def test_what_somebody_saw_before_is_not_known(world, tmp_path):
    """It is said beside the decision; what was never recorded at all is refused."""
    started = RECORD.model_copy(update={"init_from": "data/imported"})
    write_training(world.copied("bad", tmp_path / "bad"), started)
    world.register("bad", force=FIRST)
    done = world.register("good")
    assert done["alias"] == "production"
    assert "Not all that version 1 saw is known" in done["reason"]
    assert "It started from data/imported" in done["reason"]


def test_an_incumbent_of_another_encoder(world):
    world.register("bad", force=FIRST)
    config = weights_in(world.files("1")) / "config.json"
    config.write_text(config.read_text().replace('"mask": "soft"', '"mask": "hard"'))
    done = world.register("good")
    assert done["alias"] == "challenger"
    assert "mask was hard, now soft" in done["reason"]


def test_test_videos_that_the_incumbent_was_trained_on(world, tmp_path):
    write_training(world.copied("bad", tmp_path / "bad"), RECORD.model_copy(update={"videos": [*TRAINED, "v3"]}))
    world.register("bad", force=FIRST)
    done = world.register("good")
    assert (done["alias"], done["difference"]) == ("challenger", None)
    assert "Version 1 was trained on 1 of the 8 videos that are tested on (for example v3)" in done["reason"]
    own = world.register("bad")
    assert "The candidate was trained on 1 of the 8 videos" in own["reason"]


def test_a_folder_that_does_not_say_how_it_was_trained(world, tmp_path):
    """The tables of the run are taken at their word, and the card says so; but no other version is compared with it."""
    (world.copied("good", tmp_path / "good") / "training.json").unlink()
    done = world.register("good")
    assert done["alias"] == "production"
    assert "What the candidate was trained on is not recorded in its folder" in done["reason"]
    assert "Its folder does not say how it was trained" in (world.files("1") / "README.md").read_text()
    assert not (world.files("1") / "training_videos.json").exists()
    assert "not recorded what version 1 was trained on" in world.register("good")["reason"]


def test_answers_of_another_model_or_of_other_data_are_not_registered(world):
    with pytest.raises(RegisterError, match=r"are of another model than .*good; run `kedro run --pipelines=evaluate,register`"):
        world.register("good", metrics={"weights_sha256": weights_sha256(world.given.models["bad"].folder)})
    with pytest.raises(RegisterError, match=r"are of another model than .*good"):
        world.register("good", made_by={"weights_sha256": weights_sha256(world.given.models["bad"].folder)})
    with pytest.raises(RegisterError, match=r"are of another model than .*good"):
        world.register("good", metrics={"weights_sha256": None}, made_by={"weights_sha256": None})
    with pytest.raises(RegisterError, match="features of the test items are not those that `predictions` were made from"):
        world.register("good", made_by={"features_sha256": "0" * 64})
    shorter = EVALUATE.model_copy(update={"max_new_tokens": 2})  # the incumbent would have to answer in two tokens
    with pytest.raises(RegisterError, match=r"made with `evaluate.max_new_tokens` 16, which is 2 now; set it back, or run"):
        world.register("good", evaluate=shorter)
    world.given = world.given._replace(videos=world.given.videos[1:])
    with pytest.raises(TablesApart, match=r"`annotations` is about 1 video\(s\) that `videos` does not have, for example v0"):
        world.register("good")
    assert world.client.search_registered_models() == []


def test_too_few_videos(world):
    world.register("bad", force=FIRST)
    done = world.register("good", min_videos=9)
    assert done["alias"] == "challenger"
    assert "`register.min_videos` is 9" in done["reason"]


@pytest.mark.parametrize("alias", ["challenger", "latest", "V2"])
def test_aliases_that_mean_something_else(alias):
    with pytest.raises(ValueError, match="alias"):
        RegisterParameters(alias=alias)

"""Asking about video files through the Python API and `hawk chat`, with the model of a small run."""

import json
import shutil

import pytest
from click.testing import CliRunner

import hawk_pipelines
from hawk_pipelines.cli import main
from hawk_pipelines.model import answering
from hawk_pipelines.model.errors import CheckpointError, PromptError
from hawk_pipelines.model.prompting import Turn
from hawk_pipelines.model.settings import GenerationSettings


@pytest.fixture(scope="module")
def folder(small_run):
    return small_run.folder / "data/06_models/finetuned_model"


@pytest.fixture(scope="module")
def hawk(folder):
    return hawk_pipelines.load(folder)


@pytest.fixture
def clip(small_run, tmp_path):
    """A video that may be removed."""
    video = small_run.records("02_intermediate/videos.parquet", "Video")[0].path
    return shutil.copy(small_run.folder / video, tmp_path / "clip.mp4")


def test_a_video_is_watched_once_and_asked_again_and_again(hawk, clip):
    first = hawk.ask(clip, "Who is involved?")
    talk = hawk.watch(clip)
    clip.unlink()  # it is not needed any more
    assert talk.ask("Who is involved?") == first
    later = talk.ask("What happens?")
    assert talk.turns == [Turn("Who is involved?", first), Turn("What happens?", later)]
    talk.turns.clear()
    assert talk.ask("Who is involved?") == first


@pytest.fixture(scope="module")
def old_folder(folder, tmp_path_factory):
    """The same model as one of before: nobody recorded whether it was trained on conversations."""
    old = shutil.copytree(folder, tmp_path_factory.mktemp("old") / "model")
    config = json.loads((old / "config.json").read_text())
    assert config.pop("conversation_turns") == 5
    (old / "config.json").write_text(json.dumps(config))
    return old


def test_a_model_is_shown_as_many_earlier_turns_as_it_was_trained_on(hawk, clip, monkeypatch):
    histories = []

    def recording(parts, watched, queries, *others):
        histories.append([turn.question for turn in queries[0].earlier])
        return answering.answer(parts, watched, queries, *others)

    monkeypatch.setattr("hawk_pipelines.serving.hawk.answer", recording)
    talk = hawk.watch(clip)
    assert talk.max_earlier_turns == 4
    for number in range(7):
        talk.ask(f"Who is number {number}?")
    asked = [f"Who is number {number}?" for number in range(7)]
    assert histories == [asked[max(0, number - 4) : number] for number in range(7)]
    assert [turn.question for turn in talk.turns] == asked


def test_turns_that_have_no_room_beside_a_question_are_left_out_oldest_first(hawk, folder, clip):
    """A long question does not lock the conversation: it goes on, and then without it."""
    talk = hawk.watch(clip)
    long = "who is there " * 600 + "?"
    talk.ask(long)
    for number in range(5):
        talk.ask(f"Who is number {number}?")
    assert len(talk.turns) == 6
    assert talk.turns_without_room == 0  # the long one is not among the last four any more
    done = CliRunner().invoke(
        main, ["chat", str(clip), "--model", str(folder)], input="\n".join([long, *["Who is that person?"] * 4])
    )
    assert "(The oldest 1 of the last turns had no room beside this question.)" in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize(("turns", "said"), [(0, "impossible sizes"), (-3, "impossible sizes"), ("5", "that can be loaded")])
def test_a_number_of_turns_that_cannot_be_is_refused(folder, tmp_path, turns, said):
    wrong = shutil.copytree(folder, tmp_path / "model")
    config = json.loads((wrong / "config.json").read_text())
    (wrong / "config.json").write_text(json.dumps(config | {"conversation_turns": turns}))
    with pytest.raises(CheckpointError, match=said) as refusal:
        hawk_pipelines.load(wrong)
    assert "\n" not in str(refusal.value)


def test_a_model_of_single_questions_is_asked_each_one_afresh(old_folder, clip):
    old = hawk_pipelines.load(old_folder)
    talk = old.watch(clip)
    questions = ("Who is involved?", "Are you sure?", "Where does it happen?")
    assert [talk.ask(question) for question in questions] == [old.ask(clip, question) for question in questions]
    assert "".join(talk.stream("Who is involved?")).strip() == talk.turns[0].answer
    done = CliRunner().invoke(main, ["chat", str(clip), "--model", str(old_folder)], input="Who is involved?\n")
    assert "This model was trained on single questions, so each one is asked afresh" in done.stderr
    assert done.stdout.strip() == talk.turns[0].answer


def test_a_streamed_turn_counts_like_an_asked_one(hawk, clip):
    asked, streamed = hawk.watch(clip), hawk.watch(clip)
    said = [asked.ask(question) for question in ("Who?", "Where?")]
    assert ["".join(streamed.stream(question)).strip() for question in ("Who?", "Where?")] == said
    assert streamed.turns == asked.turns


def test_a_question_that_cannot_be_asked_changes_nothing(hawk, clip):
    talk = hawk.watch(clip)
    with pytest.raises(PromptError):
        talk.ask(" ")
    with pytest.raises(PromptError):
        list(talk.stream("why " * 2000))
    assert talk.turns == []


def test_answers_may_be_drawn_and_searched(hawk, clip):
    drawn = [hawk.ask(clip, "Who?", generation=GenerationSettings(temperature=3.0, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert isinstance(hawk.describe(clip, generation=GenerationSettings(beams=2)), str)


def test_hawk_chat(folder, clip):
    """Two questions, of which the first cannot be asked, and the end of the input."""
    done = CliRunner().invoke(main, ["chat", str(clip), "--model", str(folder)], input=f"{'why ' * 2000}\nWho is involved?\n")
    assert done.exit_code == 0, done.output
    assert "ask a shorter one" in done.stderr
    assert "afresh" not in done.stderr  # this one was trained on conversations
    assert done.stdout.strip()


def test_hawk_ask_takes_options(folder, clip):
    def ask(*options):
        done = CliRunner().invoke(main, ["ask", str(clip), "Who?", "--model", str(folder), *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert ask("--temperature", "3", "--seed", "1") == ask("--temperature", "3", "--seed", "1") != ask()
    assert len(ask("--max-new-tokens", "1")) <= len(ask())
    assert ask("--beams", "2")


ODD = {
    "a long name": ("x" * 300, "Who?", "cannot be a file's name: with 300 characters it is too long"),
    "a name of bytes": ("\udcff\udcfe", "Who?", "\\udcff\\udcfe does not exist; check the path."),
    "an address": ("http://x/y.mp4", "Who?", "http://x/y.mp4 does not exist, and addresses are not opened"),
    "a question of bytes": (None, "\udcff\udcfe", "The question holds half a character (a lone surrogate), or bytes that are no"),
}


@pytest.mark.parametrize(
    ("command", "name"),
    [(command, name) for command in ("ask", "describe", "chat") for name in ODD if command == "ask" or ODD[name][0]],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(folder, clip, command, name):
    video, question, sentence = ODD[name]
    arguments = [command, video or str(clip), *([question] if command == "ask" else []), "--model", str(folder)]
    done = CliRunner().invoke(main, arguments, input="Who?\n")
    assert (done.exit_code, sum(map(bool, done.stderr.splitlines()))) == (1, 1), done.output
    assert sentence in done.stderr


@pytest.mark.parametrize("command", [["ask", "no\x1b[31m\u202ename.mp4", "Who?"], ["describe", "no\x1b[31m\u202ename.mp4"]])
def test_no_control_character_of_a_name_reaches_the_terminal(folder, command):
    done = CliRunner().invoke(main, [*command, "--model", str(folder)])
    assert done.exit_code == 1
    assert "does not exist" in done.stderr
    assert not set("\x1b\u202e") & set(done.output)


def test_no_control_character_of_an_answer_reaches_the_terminal(folder, clip, monkeypatch):
    monkeypatch.setattr("hawk_pipelines.serving.hawk.answer", lambda *_: ["A man \x1b[31mfalls.\u202e"])
    monkeypatch.setattr("hawk_pipelines.serving.hawk.stream", lambda *_: iter(["A man ", "\x1b[31mfalls.\u202e"]))
    for command, questions in ((["ask", str(clip), "Who?"], ""), (["describe", str(clip)], ""), (["chat", str(clip)], "Who?\n")):
        done = CliRunner().invoke(main, [*command, "--model", str(folder)], input=questions)
        assert done.stdout.strip() == "A man [31mfalls."

"""Mistakes in `kedro run` and `hawk`: a sentence each, no traceback, and nothing was begun. What they tell, and where."""

import json
import re
import subprocess

import click
import pytest

from tests.conftest import BIN, ROOT, Project

LONG = "x" * 300
"""Longer than a name of a file may be."""
# ruff: noqa: E501
MISTAKES = [
    ("kedro run --env locl", "There is no environment conf/locl; did you mean `local`? There are base, local, local_llm, paper, smol."),
    ("kedro run --env ../conf/base", "There is no environment conf/../conf/base."),
    ("kedro run --conf-source nowhere", "Path 'nowhere' does not exist."),
    ("kedro run --conf-source src", "/src holds no folder `base`; --conf-source names a folder like conf."),
    ("kedro run --tags nightly", "There is no tag `nightly`; no tag has a name here."),
    ("kedro run --nodes encode_frame", "There is no node `encode_frame`; did you mean `encode_frames`?"),
    ("kedro run --nodes zzz", "`kedro registry describe` lists them."),
    ("kedro run --to-nodes zzz --pipelines motion", "There is no node `zzz` in `motion`; there are sample_frames."),
    ("kedro run --to-outputs zzz", "`kedro catalog describe-datasets` lists them."),
    ("kedro run --namespaces x", "There is no namespace `x`; no namespace has a name here."),
    ("kedro run --pipelines finetun", "There is no pipeline `finetun`; did you mean `finetune`?"),
    ("kedro run --pipeline ingest --pipelines split", "'--pipeline' and '--pipelines' cannot be used together"),
    ("kedro run --runner ParallelRunner", "ParallelRunner cannot run these pipelines"),
    ("kedro run --runner SequentialRuner", "There is no runner `SequentialRuner`; there are SequentialRunner and ThreadRunner."),
    ("kedro run --runner no.such.Runner", "There is no runner `no.such.Runner` (No module named 'no')."),
    ("kedro run --runner kedro.runner.Nope", "There is no runner `kedro.runner.Nope`"),
    ("kedro run --runner pathlib.Path", "`pathlib.Path` is no runner of Kedro's kind."),
    ("kedro run --runner-params workers=3", "StagedRunner does not take these --runner-params"),
    ("kedro run --runner ThreadRunner --runner-params max_workers=-2", "(max_workers should be positive); leave them out."),
    ("kedro run --load-versions videos", "`videos:` names no version of a data set; it is NAME:VERSION"),
    ("kedro run --load-versions videos:../x", "`videos:../x` names no version of a data set"),
    ("kedro run --load-versions video:2026", "There is no data set `video`; did you mean `videos`?"),
    ("kedro run --load-versions videos:2026", "Kedro keeps no versions of `videos`: leave --load-versions out."),
    ("kedro run --config nowhere.yml", "File 'nowhere.yml' does not exist."),
    ("kedro run --config pyproject.toml", "pyproject.toml cannot be read as YAML"),
    ("kedro run --config conf/prices.yml", "conf/prices.yml has no options of a run; it is `run:`"),
    ("kedro run --config odd.yml", "`pipelnes` in {folder}/odd.yml is no option of a run; there are conf_source, env"),
    ("kedro run --config list.yml", "`env` in {folder}/list.yml is neither a text or a number nor a list of such."),
    ("kedro run --config number.yml", "There is no tag `5`; no tag has a name here."),
    ("kedro run --pipelines=", "--pipelines is given without a value; name what is meant, or leave the option out."),
    ("kedro run --tags=", "--tags is given without a value"),
    ("kedro run --env=", "--env is given without a value"),
    ("kedro run --params finetune=[]", "each section, in conf/*/parameters*.yml and in --params, is a mapping"),
    ("kedro run --params seed=-1", "`seed` is -1, but input should be greater than or equal to 0"),
    ("kedro run --params seed=99999999999999999999", "`seed` is 99999999999999999999, but input should be less than or equal to 4294967295"),
    (f"kedro run --params finetune.steps={'9' * 5000}", "`finetune.steps` is"),
    ("kedro run --params split.max_s=1e308", "`split.max_s` is 1e+308, but input should be less than or equal to 86400"),
    ("kedro run --params finetune.step=3", "`finetune.step` is unknown; did you mean `steps`?"),
    ("kedro run --params finetun.steps=3", "`finetun` is read by no pipeline; did you mean `finetune`?"),
    ("kedro run --params finetune.steps", "`finetune.steps` has no `=`. Settings are NAME=VALUE"),
    ("kedro run --params finetune.steps=1:30", "`finetune.steps` is '1:30', but input should be a valid integer"),
    ("kedro run --params ingest.folder.path=a,b", "`b` has no `=`."),
    ("kedro run --params register.name=", "`register.name=` is not certain: it has no value."),
    ("kedro run --params register.name=~", """Write --params register.name=null or --params 'register.name="~"'."""),
    ("kedro run --params seed=042", "`seed` is '042', but input should be a valid integer."),
    ("kedro run --params ingest.folder.path=2024", """--params 'ingest.folder.path="2024"' on the command line"""),
    ("kedro run --params ingest.source=3", """but input should be a valid string; as a text it is "3" in a file"""),
    ("kedro run --params finetune.steps=3 --params finetune.steps=4", "`finetune.steps` is given twice, as 3 and as 4; leave one."),
    ("kedro run --params encode.mask=@soft", "`encode.mask` is '@soft', but"),
    ("kedro run --params encode.mask=soft#1", "`encode.mask` is 'soft#1', but"),
    ("kedro run -v -q", "--verbose and --quiet contradict each other; leave one out."),
    ("kedro run --log-file nowhere/run.log", "/nowhere/run.log cannot be written (No such file or directory); name another with --log-file."),
    ("kedro run --log-file src", "/src cannot be written (it is no file)"),
    ("hawk --log-file nowhere/run.log plan", "/nowhere/run.log cannot be written (No such file or directory)"),
    ("hawk -v -q plan", "--verbose and --quiet contradict each other; leave one out."),
    ("hawk annotate --estimate --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk annotate --estimate --params annotate.provider=", "`annotate.provider=` is not certain: it has no value."),
    ("hawk plan --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk ask a.mp4 Who? --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk describe a.mp4 --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk chat a.mp4 --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk rollback --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk ui --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk review list --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    ("hawk store ls --env smoll", "There is no environment conf/smoll; did you mean `smol`?"),
    (f"kedro run --env {LONG}", f"There is no environment conf/{LONG}."),
    (f"hawk rollback --list --env {LONG}", f"There is no environment conf/{LONG}."),
    (f"hawk ask a.mp4 Who? --env {LONG}", f"There is no environment conf/{LONG}."),
    (f"hawk validate {LONG}", "x cannot be read (File name too long); check that it is there"),
    (f"hawk check-data {LONG}", "x can be no file or folder: a name in it, or all of it, is longer than the system allows"),
    ("kedro run --params ingest.folder.path=a\udcffb", "--params `ingest.folder.path=ab` holds bytes that are no UTF-8"),
]  # fmt: skip


@pytest.fixture(scope="module")
def a_project(tmp_path_factory, tables):
    return Project(tmp_path_factory.mktemp("project")).smallest().with_tables(tables)


@pytest.fixture(scope="module")
def refused(a_project):
    """Status and output of every mistake, and the files that all of them together made."""
    for name, options in {"odd": "pipelnes: motion", "list": "env: {local: 1}", "number": "tags: 5"}.items():
        (a_project.folder / f"{name}.yml").write_text(f"run: {{{options}}}\n")
    before = set(a_project.folder.rglob("*"))
    commands, answers = (a_project.folder.parent / name for name in ("commands.json", "answers.json"))
    commands.write_text(json.dumps([command.split() for command, _ in MISTAKES]))
    a_project.run(str(ROOT / "tests/cli/mistakes.py"), str(commands), str(answers))
    made = {path for path in set(a_project.folder.rglob("*")) - before if "__pycache__" not in path.parts}
    return dict(zip([command for command, _ in MISTAKES], json.loads(answers.read_text()), strict=True)), made


@pytest.mark.parametrize(("command", "sentence"), MISTAKES, ids=[ascii(command)[1:60] for command, _ in MISTAKES])
def test_a_mistake_is_told_in_a_sentence(a_project, refused, command, sentence):
    status, output = refused[0][command]
    assert sentence.format(folder=a_project.folder) in " ".join(output.split())
    assert (status in (1, 2), "Traceback" in output) == (True, False)


def test_of_what_is_refused_nothing_is_left(a_project, refused):
    made = {path.relative_to(a_project.folder).parts[0] for path in refused[1]}
    assert made <= {"mlflow.db", "mlflow.db.lock", "mlartifacts"}  # where MLflow looks whether the experiment is there


def test_outside_of_a_project(tmp_path):
    done = subprocess.run([BIN / "kedro", "run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "No such command 'run'." in done.stderr) == (2, True)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("typed", "settings"),
    [
        ([], {"finetune": {"steps": 3}}),
        (["--params", "seed=1", "--params", "split.x=2"], {"seed": 1, "split": {"x": 2}}),
    ],
)
def test_options_of_a_file_count_where_nothing_is_typed(tmp_path, typed, settings):
    from hawk_pipelines.cli.run import run

    file = tmp_path / "run.yml"
    file.write_text("run: {pipelines: 'motion,encode', params: {finetune: {steps: 3}}, quiet: true, log_file: a.log}\n")
    options = run.make_context("run", ["--config", str(file), "--tags", "a,b", "-t", "c", *typed]).params
    assert (options["pipelines"], options["tags"]) == (["motion", "encode"], ["a", "b", "c"])
    assert (options["params"], options["quiet"], options["log_file"].name) == (settings, True, "a.log")
    assert options["load_versions"] == {}


LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}( run [0-9a-f]{32})? (INFO|WARNING|ERROR) [\w.]+: ")


def test_a_run_without_conf_local_tells_what_it_does_to_a_file(tmp_path, tables):
    """The second run is quiet, fails, and is begun in a folder below the project's."""
    project = Project(tmp_path / "project").smallest()
    project.with_tables(tables)
    for file in (project.folder / "conf" / "local").iterdir():
        file.unlink()
    (project.folder / "conf" / "local").rmdir()
    project.environment = {"HAWK_LOG_FILE": "../run.log", "OPENAI_API_KEY": "sk-abcdefghijkl"}
    loud = project.run("kedro", "run", "--pipelines=ingest", "-v")
    first = (tmp_path / "run.log").read_text()
    assert "Made in this run" in loud.stdout
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ingest_videos …", loud.stdout)  # with its time
    assert "kedro.io.data_catalog: Saving data to" in first  # what libraries say
    assert all(LINE.match(line) or line.startswith("    ") for line in first.splitlines())
    assert any(" run " in line and "INFO hawk_pipelines" in line for line in first.splitlines())

    project.environment = {}
    words = "ingest.source=folder,ingest.folder.path=https://me:secretword@there/x #1"
    quiet = project.run("kedro", "run", "-q", "--log-file", "../../run.log", "--params", words, check=False, below="conf")
    second = (tmp_path / "run.log").read_text().removeprefix(first)
    assert quiet.returncode == 1
    assert "ERROR" in quiet.stdout
    assert not [word for word in ("ingest_videos …", "Made in this run") if word in quiet.stdout]
    run_id = re.search(r"MLflow run ([0-9a-f]{32}); HAWK_TRACEBACK=1 shows where", quiet.stderr)[1]
    assert f" run {run_id} ERROR hawk_pipelines.cli.run: " in second
    assert "secretword" not in second + quiet.stderr
    assert "there/x #1" in second.replace("\n", "")


def test_a_name_that_is_too_long_ends_a_run_with_a_sentence_also_where_the_environment_has_that_name(tmp_path):
    from hawk_pipelines.cli.run import _tell_of_the_machine

    with pytest.raises(OSError, match="File name too long") as told:
        (tmp_path / LONG).stat()
    with pytest.raises(click.ClickException, match="can be no file or folder: a name in it, or all of it, is longer"):
        _tell_of_the_machine(told.value, tmp_path, LONG)

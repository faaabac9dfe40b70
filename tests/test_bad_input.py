"""What a user gets wrong: one clear sentence, a non-zero exit where nothing can go on, and nothing lost."""

import re
import sqlite3


def _fails(project, *command):
    done = project.run(*command, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return line


def test_settings_are_checked_before_anything_runs_and_every_fault_is_named(project):
    project.set("model", branches__heads=3)
    project.set("finetune", steps="many")
    parameters = (
        "finetune.stepz=5",
        "finetune.batch_size=many",
        "fintune.steps=5",
        "motion.phasez=3",
        "ingest.source=webcam",
        "pretrain.optimizer=muon",
        "pretrain.launch.deepspeed=conf/deepspeed/zero1.json",
        "encode.frame_encoder.kind=clip",
        "model.language_model.frozen=true",
    )
    error = _fails(project, "kedro", "run", "--params", ",".join(parameters))
    says = (
        "`finetune.stepz` is unknown",
        "did you mean `steps`?",
        "`finetune.batch_size` is 'many'",
        "integer",
        "`finetune.steps` is 'many'",
        "`fintune` is read by no pipeline",
        "did you mean `finetune`?",
        "`motion.phasez` is unknown",
        "`phases`?",
        "`ingest.source` is 'webcam'",
        "`pretrain`: optimizer muon does not work under launch.deepspeed; set optimizer to auto or adamw",
        "'folder'",
        "`encode.frame_encoder.kind` is 'clip'",
        "'transformers', 'blip2'",
        "without a source it is the tiny decoder",
        "width 64 is not a multiple of heads 3",
    )
    assert [words for words in says if words not in error] == []
    assert not (project.folder / "data/02_intermediate").exists()


def test_a_source_folder_that_is_missing(project):
    error = _fails(project, "kedro", "run", "--pipelines=ingest", "--params", "ingest.source=folder,ingest.folder.path=nowhere")
    assert "nowhere does not exist; set `ingest.folder.path`" in error


def test_a_pipeline_whose_input_is_not_there_yet(project):
    error = _fails(project, "kedro", "run", "--pipelines=split")
    assert "videos.parquet is not there yet" in error


def test_a_folder_with_good_and_broken_videos_goes_on_with_the_good(project, rendered):
    folder = project.folder / "videos"
    folder.mkdir()
    for number, video in enumerate(rendered[:3]):
        (folder / f"good {number}.mp4").write_bytes(video.path.read_bytes())
    (folder / "broken.mp4").write_bytes(b"this is no video")
    rows = [f"good {n}.mp4,0,2,A person in red is running at the front of the plaza.,running" for n in range(3)]
    (folder / "captions.csv").write_text(
        "video,start_s,end_s,caption,label\n" + "\n".join(rows) + "\ngone.mp4,0,1,A dog barks.,\n"
    )
    steps = "--pipelines=ingest,split,caption,annotate,validate"
    done = project.run("kedro", "run", steps, "--params", "ingest.source=folder,ingest.folder.path=videos")
    first = done.stdout.partition("ingest_videos left out or changed 2 thing(s):\n- ")[2]
    assert "gone.mp4: captions.csv has 1 row(s) about gone.mp4" in first
    assert "- broken.mp4: videos/broken.mp4 cannot be opened as a video" in first
    assert "(in data/02_intermediate/rejected_videos.parquet)" in first
    annotations = project.records("03_primary/annotations.jsonl", "Annotation")
    assert len(annotations) == 3
    assert "person in red is running at the front of the plaza" in annotations[0].description
    rejected = {r.item: r.reason for r in project.records("02_intermediate/rejected_videos.parquet", "Rejection")}
    assert "cannot be opened as a video" in rejected["broken.mp4"]
    assert "not in videos" in rejected["gone.mp4"]


def test_hawk_ask_says_what_is_wrong(small_run, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from hawk_pipelines.cli import main

    monkeypatch.chdir(small_run.folder)

    def fails(*arguments):  # in this process: importing everything takes longer than asking
        done = CliRunner().invoke(main, ["ask", *map(str, arguments)])
        assert (done.exit_code, type(done.exception)) == (1, SystemExit)
        return done.output

    (tmp_path / "no.mp4").write_text("text")
    assert "does not exist" in fails("nowhere.mp4", "What happens?")
    assert "cannot be opened as a video" in fails(tmp_path / "no.mp4", "What happens?")
    video = small_run.records("02_intermediate/videos.parquet", "Video")[0].path
    assert "question is empty" in fails(video, " ")
    assert "is not in the registry" in fails(video, "Who?", "--model", "models:/nobody@production")
    assert "holds no saved model" in fails(video, "Who?", "--model", "data/01_raw")


def test_only_the_items_that_a_store_has_lost_are_made_again(copied):
    store = copied.folder / "data/04_feature/frame_items"
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    lost = sorted(store.rglob("*.safetensors"))[0]
    lost.write_bytes(lost.read_bytes()[:-1])
    again = copied.run("kedro", "run", "--pipelines=motion")
    done = re.search(r"motion: (\d+) done, (\d+) reused, 0 rejected.", again.stdout + again.stderr)
    assert 0 < int(done[1]) < 12
    assert int(done[1]) + int(done[2]) == 12
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_faults_in_yaml_are_named(project):
    project.set("encode", frame_encoder__gird=3)
    assert "`encode.frame_encoder.gird` is unknown; did you mean `grid`?" in _fails(project, "kedro", "run")
    (project.folder / "conf/base/parameters_finetune.yml").write_text("- steps\n")
    assert "Settings cannot be read" in _fails(project, "kedro", "run")


def test_a_run_from_a_sub_directory_makes_the_same_files(project):
    below = project.folder / "conf/base"
    project.run("kedro", "run", "--pipelines=ingest", below="conf/base")
    assert len(project.records("02_intermediate/videos.parquet", "Video")) == 12
    with sqlite3.connect(project.folder / "mlflow.db") as database:
        assert database.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]
    assert not (below / "data").exists()
    assert not (below / "mlflow.db").exists()


def test_features_of_another_kind_are_not_evaluated_silently(copied):
    """Features say how they were made; a model asks for the encoder and the mask that it was trained with."""
    changes = "encode.mask=hard,encode.frame_encoder.gain=2.0"
    error = _fails(copied, "kedro", "run", "--pipelines=evaluate", "--params", changes)
    assert "mask is soft there, hard here" in error
    assert "frame_encoder is" in error
    assert "run `kedro run --pipelines=motion,encode` again, or set `encode` and `motion` back" in error
    masked = copied.run("kedro", "run", "--pipelines=motion,encode", "--params", "encode.mask=hard")
    assert "motion: 0 done, 12 reused" in masked.stdout + masked.stderr  # another mask decodes nothing
    assert "encode: 12 done, 0 reused" in masked.stdout + masked.stderr
    error = _fails(copied, "kedro", "run", "--pipelines=evaluate", "--params", "encode.mask=hard")
    assert "mask was soft, now hard" in error
    assert "Train again, or set them back" in error
    sized = copied.run("kedro", "run", "--pipelines=motion", "--params", "encode.frame_encoder.size=48")
    assert "motion: 12 done, 0 reused" in sized.stdout + sized.stderr

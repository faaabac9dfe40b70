"""The protocol, with real processes that crash, hang and talk nonsense."""

import sys
import time
from pathlib import Path

import pytest

from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.perception import captioning, external
from hawk_pipelines.perception.captioner import CaptionError, Seen
from tests.perception.clips import clip, video, written

GOOD = """
import json, os, subprocess, sys, time
print(json.dumps({"protocol": 1, "tool": "parrot", "version": "7"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    said = {"start_s": asked["start_s"], "end_s": asked["end_s"], "text": "A square moves.", "score": 0.5}
    number = round(asked["start_s"])
    TROUBLE
    print(json.dumps({"id": asked["id"], "captions": [said]}), flush=True)
"""


class Tool:
    """A back-end whose process is a script of the test."""

    TOOL, LOOKS_AT, VERSION = "parrot", "pictures", 1
    Parameters = external.ToolParameters

    def __init__(self, folder, trouble="pass", script=GOOD):
        self.folder, self.script = folder, folder / "parrot.py"
        self.script.write_text(script.replace("TROUBLE", trouble))

    def open_captioner(self, parameters):
        return external.open_tool("parrot", [sys.executable, str(self.script)], self.folder, parameters)


@pytest.fixture
def clips(tmp_path):
    """Eight clips of one second."""
    path, content = written(tmp_path, frames=80)
    whole = video(path, video_id=content)
    return [Seen(clip(start, start + 10, video_id=content), whole) for start in range(0, 80, 10)]


def caption(tool, clips, store, **settings):
    parameters = external.ToolParameters(frames=2, longest=64, **settings)
    return captioning.caption_all(tool, parameters, clips, {}, ItemStore(store / "s"), ItemStore(store / "c"), EngineParameters())


def runs(pid):
    """Whether a process is there and has not ended."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_captions_carry_tool_and_version_and_are_made_once(tmp_path, clips):
    first = caption(Tool(tmp_path), clips, tmp_path)
    assert [(said.tool, said.version, said.text, said.score) for said in first.captions] == [
        ("parrot", "7", "A square moves.", 0.5)
    ] * 8
    assert [said.clip_id for said in first.captions] == [seen.clip.id for seen in clips]
    assert not first.rejections
    again = caption(Tool(tmp_path, "sys.exit(1)"), clips, tmp_path)
    assert again == first


def test_it_sees_the_frames_of_its_clip(tmp_path, clips):
    look = """
    from PIL import Image
    bright = [max(x for x in range(64) if Image.open(path).getpixel((x, 24))[0] > 200) for path in asked["pictures"]]
    said["text"] = f"{[round(time * 10) for time in asked['times_s']]} {bright}"
"""
    texts = [said.text for said in caption(Tool(tmp_path, look), clips, tmp_path).captions]
    assert texts[2] == "[20, 25] [35, 40]"


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("if number == 2: os.abort()", "crashed (SIGABRT)"),
        ("if number == 2: print('out of memory', file=sys.stderr); sys.exit(3)", "exit status 3. Its last words: out of memory."),
        ("if number == 2: time.sleep(60)", "said nothing for 1.5 s"),
        ("if number == 2: print('Loading 100%')", "does not keep to the protocol"),
        ("if number == 2: print()", "does not keep to the protocol"),
        ("if number == 2: sys.stdout.buffer.write(bytes(range(256)) + b'\\n')", "does not keep to the protocol"),
        ("if number == 2: print('[' * 100000)", "does not keep to the protocol"),
        ("if number == 2: print('x' * 3_000_000)", "a line of more than 1,000,000 bytes"),
        ("if number == 2: asked['id'] = 'another'", "spoke of 'another'"),
        ("if number == 2: said['text'] = 5", "captions.0.text"),
        ("if number == 2: said = 5", "captions.0"),
        ("if number == 2: print(json.dumps({'id': asked['id'], 'error': 'Too dark.'})); continue", "says: Too dark."),
        ("if number == 2: said['text'] = ''", "holds no word"),
        ("if number == 2: said['text'] = 'y' * 5000", "5,000 characters"),
        ("if number == 2: said['score'] = float('nan')", "a score lies between 0 and 1"),
        ("if number == 2: said['end_s'] = float('nan')", "no stretch of time"),
        ("if number == 2: said['start_s'] = 0.0; said['end_s'] = 1.0", "its clip goes from 2.00 to 3.00 s"),
    ],
)
def test_trouble_costs_one_clip(tmp_path, clips, trouble, reason):
    made = caption(Tool(tmp_path, trouble), clips[:4], tmp_path, clip_timeout_s=1.5)
    assert [said.clip_id for said in made.captions] == [clips[place].clip.id for place in (0, 1, 3)]
    (refused,) = made.rejections
    assert refused.reason.startswith("Clip 2.00 to 3.00 s: ")
    assert reason in refused.reason
    assert len(refused.reason) < 3000


def test_a_line_too_much_costs_no_clip(tmp_path, clips):
    twice = """
    if number == 2: print(json.dumps({"id": asked["id"], "captions": [said]}) + "\\nDone!", flush=True); continue
"""
    made = caption(Tool(tmp_path, twice), clips[:4], tmp_path)
    assert [said.clip_id for said in made.captions] == [seen.clip.id for seen in clips[:4]]
    assert not made.rejections


def test_it_is_given_up_after_some_failures_in_a_row_and_what_is_finished_is_kept(tmp_path, clips):
    with pytest.raises(CaptionError, match=r"failed at 3 clips in a row.*parrot\.py.*Its last words: no GPU\."):
        caption(Tool(tmp_path, "if number >= 2: sys.exit('no GPU')"), clips, tmp_path)
    mended = caption(Tool(tmp_path, "if number < 2: said['text'] = 'Asked again.'"), clips, tmp_path)
    assert [said.text for said in mended.captions] == ["A square moves."] * 5
    assert [refused.reason[:19] for refused in mended.rejections] == [
        f"Clip {second}.00 to {second + 1}.00 s" for second in (2, 3, 4)
    ]


def test_failures_that_are_not_in_a_row_are_no_reason_to_stop(tmp_path, clips):
    made = caption(Tool(tmp_path, "if number % 2: sys.exit(1)"), clips, tmp_path, failures=2)
    assert (len(made.captions), len(made.rejections)) == (4, 4)


def test_a_hung_process_ends_with_all_that_it_started(tmp_path, clips):
    pids = tmp_path / "pids"
    hang = f"""
    child = subprocess.Popen(["sleep", "60"])
    open({str(pids)!r}, "a").write(f"{{os.getpid()}} {{child.pid}} ")
    time.sleep(60)
"""
    began = time.monotonic()
    with pytest.raises(CaptionError, match="said nothing"):
        caption(Tool(tmp_path, hang), clips, tmp_path, clip_timeout_s=0.2, start_timeout_s=1.5, failures=1)
    assert time.monotonic() - began < 30
    time.sleep(0.1)
    assert [runs(pid) for pid in pids.read_text().split()] == [False, False]


def test_it_sees_little_of_our_environment(tmp_path, clips, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    peek = "said['text'] = ' '.join(['A', *(name for name in os.environ if 'TOKEN' in name or name == 'PATH')])"
    assert caption(Tool(tmp_path, peek), clips[:1], tmp_path).captions[0].text == "A PATH"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise SystemExit('No module named ram')", "exit status 1.*No module named ram"),
        ("print('Welcome!', flush=True); input()", "does not keep to the protocol"),
        ("import json; print(json.dumps({'protocol': 2, 'tool': 'parrot', 'version': '7'}), flush=True); input()", "protocol 2"),
        ("import json; print(json.dumps({'protocol': 1, 'tool': 'raven', 'version': '7'}), flush=True); input()", "it is raven"),
        ("input()", "said nothing for 1 s"),
    ],
)
def test_what_is_not_the_tool_is_told_at_once(tmp_path, clips, script, reason):
    with pytest.raises(CaptionError, match=rf"could not be started with `.*parrot\.py` in .*{reason}"):
        caption(Tool(tmp_path, script=script), clips, tmp_path, start_timeout_s=1)


def test_a_program_that_is_not_there(tmp_path):
    command = [str(tmp_path / "nothing"), "x"]
    with (
        pytest.raises(CaptionError, match="cannot be started"),
        external.open_tool("t", command, tmp_path, external.ToolParameters()),
    ):
        pass
    with pytest.raises(CaptionError, match=r"Set `caption\.grit\.python`"):
        external.open_runner("grit", "run_grit.py", external.ToolParameters(), {}).__enter__()

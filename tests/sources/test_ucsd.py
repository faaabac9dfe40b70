import pytest

from hawk_pipelines.sources import ucsd_ped1, ucsd_ped2
from hawk_pipelines.sources.reading import SourceError
from hawk_pipelines.sources.ucsd import read_frame_list
from tests.sources import trees


@pytest.mark.parametrize("which", ["ped1", "ped2"])
def test_both_halves_and_the_listed_frames_are_read(tmp_path, ingest, which):
    videos, said, _ = ingest(f"ucsd_{which}", trees.ucsd(tmp_path / "ucsd", which))
    assert said == []
    assert {name: (video.label, video.split, video.fps) for name, video in videos.items()} == {
        "Train/Train001": ("normal", "train", 10.0),
        "Test/Test001": ("anomaly", "test", 10.0),
        "Test/Test003": ("anomaly", "test", 10.0),
    }
    spans = videos["Test/Test001"].spans
    assert [(s.start_frame, s.end_frame, s.start_s, s.end_s) for s in spans] == [(5, 9, 0.5, 0.9), (10, 11, 1.0, 1.1)]


def test_ped1_and_ped2_are_told_apart_in_one_archive(tmp_path):
    root = tmp_path / "ucsd"
    trees.ucsd(root, "ped1")
    trees.ucsd(root, "ped2")
    for module, home in ((ucsd_ped1, "UCSDped1"), (ucsd_ped2, "UCSDped2")):
        reading = module.read(module.Parameters(path=root))
        assert {video.path.parents[1].name for video in reading.videos} == {home}
    with pytest.raises(SourceError, match="does not look like UCSD Ped2"):
        ucsd_ped2.read(ucsd_ped2.Parameters(path=root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1"))


def test_masks_stand_in_for_the_list(tmp_path, ingest):
    root = trees.ucsd(tmp_path / "ucsd", "ped2")
    home = root / "UCSD_Anomaly_Dataset.v1p2/UCSDped2/Test"
    (home / "UCSDped2.m").unlink()
    videos, said, _ = ingest("ucsd_ped2", root)
    assert [(s.start_frame, s.end_frame) for s in videos["Test/Test003"].spans] == [(4, 9)]
    assert (videos["Test/Test003"].label, videos["Test/Test001"].label) == ("anomaly", None)
    assert "Test001 has labels neither in UCSDped2.m nor as masks" in said[0]


@pytest.mark.parametrize(
    ("numbers", "marked", "size", "says"),
    [
        (
            range(1, 13),
            range(2, 4),
            trees.SIZE,
            "masks of Test/Test003 are at frames 1 to 3, its labels at 4 to 9; the labels are used",
        ),
        ([1, 2, *range(4, 13)], range(5, 10), trees.SIZE, "masks for 11 of its 12 frames"),
        (range(1, 13), range(5, 10), (40, 30), "are 40×30, but the video is 96×96"),
        (range(1, 20), range(5, 10), trees.SIZE, "longer than the video: 19 frames instead of 12"),
    ],
)
def test_masks_that_do_not_fit_are_named_and_the_list_is_used(tmp_path, ingest, numbers, marked, size, says):
    root = trees.ucsd(tmp_path / "ucsd", "ped1")
    folder = root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test/Test003_gt"
    for file in folder.iterdir():
        file.unlink()
    trees.masks(folder, numbers, marked, size=size)
    videos, said, _ = ingest("ucsd_ped1", root)
    assert says in said[0]
    assert [(s.start_frame, s.end_frame) for s in videos["Test/Test003"].spans] == [(4, 9)]


def test_a_mask_that_is_no_picture_costs_the_masks_only(tmp_path, ingest):
    root = trees.ucsd(tmp_path / "ucsd", "ped1")
    (root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test/Test003_gt/004.bmp").write_bytes(b"no picture")
    videos, said, _ = ingest("ucsd_ped1", root)
    assert "Masks of Test/Test003 are left out." in said[0]
    assert len(videos["Test/Test003"].spans) == 1


def test_an_entry_is_found_by_the_clips_number_where_clips_are_missing(tmp_path, ingest):
    root = trees.ucsd(tmp_path / "ucsd", "ped1")
    script = [f"TestVideoFile{{end+1}}.gt_frame = [{k}:{k + 3}];" for k in range(1, 37)]
    trees.text(root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test/UCSDped1.m", script)
    videos, said, _ = ingest("ucsd_ped1", root)
    assert [(s.start_frame, s.end_frame) for s in videos["Test/Test003"].spans] == [(2, 6)]
    assert "labels 36 clips, but there are 2; its entry k is taken for clip k" in said[0]


def test_the_script_is_read_not_run_and_every_entry_keeps_its_place(tmp_path):
    lines = [
        "% TestVideoFile{end+1}.gt_frame = [1:2];",
        "TestVideoFile{end+1}.gt_frame = [ 5:90 , 140:200 ]; % two",
        "TestVideoFile{end+1}.gt_frame = [];",
        "TestVideoFile{end+1}.gt_frame = [7]; TestVideoFile{end+1}.gt_frame = 2:3;",
        "TestVideoFile{end+1}.gt_frame = [1:4, system('rm -rf')];",
        "TestVideoFile{end+1}.gt_frame = [9:3, 0:2];",
        "TestVideoFile{end+1}.gt_frame = [6:9x];",
        "TestVideoFile{end+1}.gt_frame = [1:2, ...",
        "  4:5];",
        "TestVideoFile{end+1}.gt_frame = ;",
        f"TestVideoFile{{end+1}}.gt_frame = [1:{10**400}];",
    ]
    notes = []
    spans = read_frame_list(trees.text(tmp_path / "a.m", lines, "\r\n", "utf-8-sig"), notes)
    expected = [[(4, 90), (139, 200)], [], [(6, 7)], [(1, 3)], None, None, None, [(0, 2), (3, 5)], None, None]
    assert spans == expected
    assert [note.reason.split(" of ")[0] for note in notes] == ["Entry 5", "Entry 6", "Entry 7", "Entry 9", "Entry 10"]


def test_a_clip_whose_entry_cannot_be_read_is_not_called_normal(tmp_path, ingest):
    root = trees.ucsd(tmp_path / "ucsd", "ped1")
    home = root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test"
    (home / "UCSDped1.m").write_text("x.gt_frame = [6:9x];\nx.gt_frame = [5:9x];\n")
    videos, _, _ = ingest("ucsd_ped1", root)
    assert (videos["Test/Test001"].label, videos["Test/Test003"].label) == (None, "anomaly")
    assert [(s.start_frame, s.end_frame) for s in videos["Test/Test003"].spans] == [(4, 9)]
    for mask in (home / "Test003_gt").iterdir():
        if mask.name not in ("001.bmp", "002.bmp"):
            mask.unlink()
    assert ingest("ucsd_ped1", root)[0]["Test/Test003"].label is None  # ten frames of which nothing is known


@pytest.mark.parametrize("gone", [1, 2])
def test_listed_frames_move_where_the_first_pictures_are_missing(tmp_path, ingest, gone):
    root = trees.ucsd(tmp_path / "ucsd", "ped1")
    home = root / "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test"
    for clip in ("Test001", "Test003"):
        for number in range(1, gone + 1):
            (home / clip / f"{number:03d}.tif").unlink()
    videos, said, _ = ingest("ucsd_ped1", root)
    assert [(s.start_frame, s.end_frame) for s in videos["Test/Test001"].spans] == [(5 - gone, 9 - gone), (10 - gone, 11 - gone)]
    assert [(s.start_frame, s.end_frame) for s in videos["Test/Test003"].spans] == [(4 - gone, 9 - gone)]
    assert ["moved accordingly" in line for line in said] == [True, True]

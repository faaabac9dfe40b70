"""Small trees in the layouts of the published data sets, with litter such as real copies have. Every video is another one."""

import csv
import json
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from tests.video.numbered import picture, write

SIZE = (96, 96)
_next = count(0, 12)


def video(path: Path, frames: int = 12, rate: int = 10) -> Path:
    """A video file of its own kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    return write(path, frames, codec, rate=rate, first=next(_next) % 480)


def pictures(folder: Path, numbers, pattern: str = "{:03d}.jpg") -> Path:
    """A folder of numbered pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    first = next(_next) % 480
    for place, number in enumerate(numbers):
        name = pattern.format(number)
        encoded = cv2.imencode(Path(name).suffix, picture(first + place, SIZE))[1]
        (folder / name).write_bytes(encoded.tobytes())
    return folder


def masks(folder: Path, numbers, marked, pattern: str = "{:03d}.bmp", size=SIZE) -> Path:
    """A folder of masks, of which the marked are not empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        mask = np.zeros(size[::-1], np.uint8)
        mask[10:20, 10:20] = 255 * (number in marked)
        name = pattern.format(number)
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix, mask)[1].tobytes())
    return folder


def text(path: Path, lines, ends: str = "\n", encoding: str = "utf-8") -> Path:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + ends for line in lines).encode(encoding))
    return path


def litter(root: Path) -> None:
    """What file managers leave, in every folder."""
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._a.mp4", "._001.jpg", "._Anomaly_Test.txt"):
            (folder / name).write_bytes(b"\x00\x05\x16\x07litter")


UCF_TRAIN = ["Abuse/Abuse001_x264.mp4", "Arrest/Arrest002_x264.mp4", "Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4"]
UCF_TEST = [
    "Abuse/Abuse028_x264.mp4",
    "RoadAccidents/RoadAccidents002_x264.mp4",
    "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4",
]
UCF_TIMES = [
    "Abuse028_x264.mp4  Abuse  2  8  -1  -1  ",
    "RoadAccidents002_x264.mp4  RoadAccidents  1  3  6  9  ",
    "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  ",
]
UCA = {
    "Abuse001_x264": {"duration": 1.2, "timestamps": [[0.0, 0.5], [0.5, 1.2]], "sentences": ["A man shouts. ", "He hits a dog."]},
    "Abuse028_x264": {"duration": 1.2, "timestamps": [[0.2, 0.8]], "sentences": ["A woman kicks a cat."]},
}


def ucf_crime(root: Path) -> Path:
    """The parts side by side."""
    video(root / "Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4")
    video(root / "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4")
    video(root / "Anomaly-Videos-Part-1/Arrest/Arrest002_x264.mp4")
    video(root / "Anomaly-Videos-Part-2/RoadAccidents/RoadAccidents002_x264.mp4", rate=5)
    video(root / "Training-Normal-Videos-Part-1/Normal_Videos001_x264.mp4")
    tested = video(root / "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4")
    (root / "Normal_Videos_for_Event_Recognition").mkdir()
    (root / "Normal_Videos_for_Event_Recognition" / tested.name).write_bytes(tested.read_bytes())
    lists = root / "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits"
    text(lists / "Anomaly_Train.txt", UCF_TRAIN)
    text(lists / "Anomaly_Test.txt", UCF_TEST)
    text(root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", UCF_TIMES)
    text(root / "UCFCrime_Train.json", [json.dumps(UCA)])
    litter(root)
    return root


def ucf_crime_single(root: Path) -> Path:
    """The older single archive."""
    for name in UCF_TRAIN + UCF_TEST:
        video(root / "UCF_Crimes/Videos" / name)
    tested = root / "UCF_Crimes/Videos" / UCF_TEST[2]
    (root / "UCF_Crimes/Videos/z_Normal_Videos_event").mkdir()
    (root / "UCF_Crimes/Videos/z_Normal_Videos_event" / tested.name).write_bytes(tested.read_bytes())
    text(root / "UCF_Crimes/Anomaly_Detection_splits/Anomaly_Train.txt", UCF_TRAIN)
    text(root / "UCF_Crimes/Anomaly_Detection_splits/Anomaly_Test.txt", UCF_TEST)
    litter(root)
    return root


def shanghaitech(root: Path) -> Path:
    """Training videos, a test clip with an anomaly and one without."""
    home = root / "shanghaitech"
    video(home / "training/videos/01_001.avi", rate=24)
    video(home / "training/videos/06_001.avi", rate=24)
    for name, marked in (("01_0014", range(3, 8)), ("06_0153", ())):
        pictures(home / "testing/frames" / name, range(12))
        labels = np.array([number in marked for number in range(12)], np.uint8)
        for kind, array in (("frame", labels), ("pixel", labels[:, None, None] * np.ones((96, 96), np.uint8))):
            (home / f"testing/test_{kind}_mask").mkdir(exist_ok=True)
            np.save(home / f"testing/test_{kind}_mask" / f"{name}.npy", array)
    litter(root)
    return root


def cuhk_avenue(root: Path) -> Path:
    """Two videos of each half, one of them tested without an anomaly."""
    for half in ("training", "testing"):
        for number in (1, 2):
            video(root / f"Avenue Dataset/{half}_videos/{number:02d}.avi", rate=25)
    for number, marked in ((1, range(4, 9)), (2, ())):
        cells = np.empty((1, 12), object)
        for frame in range(12):
            cells[0, frame] = np.full((96, 96), frame in marked, np.uint8)
        path = root / f"ground_truth_demo/testing_label_mask/{number}_label.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"volLabel": cells}, do_compression=True)
    litter(root)
    return root


def ucsd(root: Path, which: str) -> Path:
    """A training clip and two test clips, one of them with masks."""
    home = root / "UCSD_Anomaly_Dataset.v1p2" / f"UCSD{which}"
    pictures(home / "Train/Train001", range(1, 13), "{:03d}.tif")
    pictures(home / "Test/Test001", range(1, 13), "{:03d}.tif")
    pictures(home / "Test/Test003", range(1, 13), "{:03d}.tif")
    masks(home / "Test/Test003_gt", range(1, 13), range(5, 10), "frame{:03d}.bmp" if which == "ped2" else "{:03d}.bmp")
    script = ["TestVideoFile = {};", "TestVideoFile{end+1}.gt_frame = [6:9, 11];", "TestVideoFile{end+1}.gt_frame = [5:9];"]
    text(home / f"Test/UCSD{which}.m", script)
    text(home / f"Test/UCSD{which}.m~", script[:1])
    litter(root)
    return root


DOTA = {
    "train": {"0RJPQ_97dcs_000199": (3, 9, "ego: turning"), "0RJPQ_97dcs_000307": (0, 12, "other: pedestrian")},
    "val": {"0qfbmt4G8Rw_001060": (4, 6, "ego: lateral")},
}


def dota(root: Path, images: str = "images") -> Path:
    """Three clips."""
    for half, clips in DOTA.items():
        told = {}
        for name, (start, end, kind) in clips.items():
            pictures(root / "frames" / name / images, range(12), "{:06d}.jpg")
            told[name] = {
                "video_start": 199, "video_end": 210, "anomaly_start": start, "anomaly_end": end, "anomaly_class": kind,
                "num_frames": 12, "subset": "train" if half == "train" else "test",
            }  # fmt: skip
            text(root / f"annotations/{name}.json", [json.dumps(told[name] | {"labels": []})])
        text(root / f"dataset/metadata_{half}.json", [json.dumps(told)])
        text(root / f"dataset/{half}_split.txt", list(clips))
    litter(root)
    return root


UBNORMAL = {
    "abnormal_scene_1_scenario_1": ("abnormal_test", ["2,2,5", "3,4,8"]),
    "normal_scene_1_scenario1_10": ("normal_test", None),
    "normal_scene_16_scenario_2": ("normal_training", None),
    "abnormal_scene_20_scenario_6": ("abnormal_training", ["1,0,11"]),
    "abnormal_scene_20_scenario_7": ("abnormal_validation", ["1,3,4"]),
}


def ubnormal(root: Path) -> Path:
    """Videos of all three splits."""
    lists = {f"{kind}_{half}": [] for kind in ("abnormal", "normal") for half in ("training", "validation", "test")}
    for name, (listed, tracks) in UBNORMAL.items():
        path = video(root / f"Scene{name.split('_')[2]}" / f"{name}.mp4", rate=30)
        masks(path.with_name(f"{name}_annotations"), range(12), range(12), f"{name}_{{:04d}}_gt.png")
        if tracks:
            text(path.with_name(f"{name}_annotations") / f"{name}_tracks.txt", tracks)
        lists[listed].append(name)
    for listed, names in lists.items():
        text(root / f"scripts/{listed}_video_names.txt", names)
    litter(root)
    return root


WEBVID = {
    "train": [
        ("11", "000001_000050", "A lion yawns on dry grass."),
        ("12", "000001_000050", "Two boys, on a couch, play a game."),
    ],
    "val": [("13", "000051_000100", "A man cuts wood with a saw."), ("14", "000051_000100", "Its video is not there.")],
}


def webvid(root: Path) -> Path:
    """Two tables; one row's video is absent."""
    for half, rows in WEBVID.items():
        root.mkdir(parents=True, exist_ok=True)
        with (root / f"results_2M_{half}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["videoid", "contentUrl", "duration", "page_dir", "name"])
            for videoid, page, name in rows:
                table.writerow([videoid, f"https://example.invalid/{videoid}.mp4", "PT00H00M01S", page, name])
                if "not there" not in name:
                    video(root / f"videos/{page}/{videoid}.mp4", rate=24)
    litter(root)
    return root


HAWK = {
    "train": ["UCF-Crime/videos/Abuse001_x264.mp4", "ped1/ped1/training/videos/ped1_train_1_video.mp4"],
    "test": ["avenue/avenue/Video_Test/1_video.mp4"],
}


def hawk(root: Path) -> Path:
    """The published release: annotations with paths of another machine, and the renamed videos."""
    video(root / "Videos/UCF_Crime/videos/Abuse001_x264.mp4")
    video(root / "Videos/Ped1/training/videos/ped1_train_1_video.mp4")
    video(root / "Videos/CUHK_Avenue/Video_Test/1_video.mp4")
    for half, names in HAWK.items():
        items = [
            {
                "video": f"/remote-home/share/somebody/Data/{name}",
                "description": f"A man runs in {name}.",
                "QA": [{"q": "Who?", "a": "A man."}],
            }
            for name in names
        ]
        text(root / f"Annotation/All_Mix/all_videos_{half}.json", [json.dumps(items)])
    litter(root)
    return root


TREES = {
    "ucf_crime": ucf_crime,
    "shanghaitech": shanghaitech,
    "cuhk_avenue": cuhk_avenue,
    "ucsd_ped1": lambda root: ucsd(root, "ped1"),
    "ucsd_ped2": lambda root: ucsd(root, "ped2"),
    "dota": dota,
    "ubnormal": ubnormal,
    "webvid": webvid,
    "hawk": hawk,
}
"""A tree of every data set, by source."""

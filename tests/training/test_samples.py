import random

from hawk_pipelines.schema import Sample
from hawk_pipelines.training.samples import SampleFile, write_samples

# Characters of one to four bytes, and those at which a careless reader would end a line.
ODD = ("Ünïcödé", "雨の夜", "людей", "\u2028\u2029\x85\x0b", 'quote " and \\', "two\nlines\r\n", "🚗💥", "")


def _samples():
    rng = random.Random(3)
    return [
        Sample(
            item_id=f"Straße/{number}",
            task=rng.choice(["description", "question"]),
            question=rng.choice(ODD) + "?",
            answer=rng.choice(ODD) * rng.randint(1, 40),
            motion_text=rng.choice(ODD),
        )
        for number in range(200)
    ]


def test_any_sample_is_found_whatever_its_text(tmp_path):
    samples = _samples()
    write_samples(tmp_path / "samples.jsonl", samples)
    file = SampleFile(tmp_path / "samples.jsonl")
    assert len(file) == len(samples)
    order = random.Random(0).sample(range(len(samples)), len(samples))
    assert [file[number] for number in order] == [samples[number] for number in order]
    assert list(file) == samples


def test_a_file_of_none_is_empty(tmp_path):
    write_samples(tmp_path / "samples.jsonl", [])
    file = SampleFile(tmp_path / "samples.jsonl")
    assert (len(file), list(file)) == (0, [])

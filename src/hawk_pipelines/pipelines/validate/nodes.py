from hawk_pipelines.curation.samples import make_samples
from hawk_pipelines.curation.validation import validate
from hawk_pipelines.language.motion_text import motion_text
from hawk_pipelines.schema import Annotation, Draft, Rejection, Sample, Video


def validate_drafts(
    drafts: list[Draft], published: list[Draft], videos: list[Video]
) -> tuple[list[Annotation], list[Rejection], list[Sample], list[Sample]]:
    """Check published and written drafts alike; samples come from what passed and from nothing else."""
    annotations, rejections = validate([*published, *drafts], videos)
    train, test = (make_samples(annotations, split, motion_text) for split in ("train", "test"))
    return annotations, rejections, train, test

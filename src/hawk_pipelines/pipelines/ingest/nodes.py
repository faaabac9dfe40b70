from hawk_pipelines.engine.run import EngineParameters
from hawk_pipelines.engine.store import ItemStore
from hawk_pipelines.schema import Draft, Rejection, SourceCaption, Truth, Video
from hawk_pipelines.sources.listing import list_videos
from hawk_pipelines.sources.parameters import IngestParameters, read_source


def ingest_videos(
    parameters: IngestParameters, seed: int, engine: EngineParameters, probe_store: ItemStore
) -> tuple[list[Video], list[Rejection], list[SourceCaption], list[Draft], list[Truth]]:
    """Read the sources, probe their videos, and set down what is said of them by video id."""
    reading = read_source(parameters, seed, engine.workers)
    listing = list_videos(reading.videos, parameters, seed, probe_store, engine)
    captions = [
        SourceCaption(video_id=video.id, start_s=text.start_s, end_s=text.end_s or video.duration_s, text=text.text)
        for video, found in listing.videos
        for text in found.captions
    ]
    drafts = [
        Draft(
            item_id=video.id,
            video_id=video.id,
            description=found.description,
            QA=found.qa,
            provider="published",
            sources=[video.source],
        )
        for video, found in listing.videos
        if found.description is not None
    ]
    truths = [Truth(video_id=video.id, slots=found.truth) for video, found in listing.videos if found.truth]
    return [video for video, _ in listing.videos], reading.rejections + listing.rejections, captions, drafts, truths

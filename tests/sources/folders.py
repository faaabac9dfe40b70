"""Folders of videos with a table, read."""

from hawk_pipelines.sources.folder import Parameters, read


class ReadFolder:
    """A folder that was read."""

    def __init__(self, root):
        reading = read(Parameters(path=root))
        self.root = root
        self.videos = {video.name: video for video in reading.videos}
        self.reasons = [rejection.reason for rejection in reading.rejections]
        self.items = [rejection.item for rejection in reading.rejections]

    def facts(self, name="gate.mp4"):
        """Label, spans (None: to the end) and captions of a video."""
        video = self.videos[name]
        spans = [(span.start_s, span.end_s) for span in video.spans] + [(start_s, None) for start_s in video.open_spans]
        return video.label, spans, [caption.text for caption in video.captions]

"""The embedded source: short surveillance-like videos, rendered from a seed, with known truth.

Two worlds. In `motion` several look-alike figures share a scene and differ in colour only; in an anomalous video one of
them runs, falls, swerves or drives the wrong way (traffic goes from left to right) while the others stand or sway; a single
frame seldom tells. In `appearance` people walk about and the anomaly is a thing that a single frame shows: a car or a
motorbike on the walkway, an abandoned bag, a fire. Every video is a real H.264 file with camera noise, by day or by night.

The truth leaves this module as labels, times and captions, as any annotated source would give it, and as slots
(actor, action, place) that only the evaluation reads.
"""

from hawk_pipelines.sources.synthetic.parameters import SyntheticParameters
from hawk_pipelines.sources.synthetic.script import write_script
from hawk_pipelines.sources.synthetic.source import read

__all__ = ["SyntheticParameters", "read", "write_script"]

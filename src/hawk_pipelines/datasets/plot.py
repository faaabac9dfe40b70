"""A plot, written whole or not at all. It stands alone, since Matplotlib takes a second to import."""

from kedro_datasets.matplotlib import MatplotlibDataset

from hawk_pipelines.datasets.written_whole import WrittenWhole


class PlotDataset(WrittenWhole, MatplotlibDataset):
    """`matplotlib.MatplotlibDataset`, whole or not at all."""

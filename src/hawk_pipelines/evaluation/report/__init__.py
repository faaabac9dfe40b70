"""What the evaluation shows: a page, a plot and a table of examples."""

from hawk_pipelines.evaluation.report.examples import examples_table
from hawk_pipelines.evaluation.report.page import page
from hawk_pipelines.evaluation.report.pictures import ItemPictures, pictures
from hawk_pipelines.evaluation.report.plots import plot

__all__ = ["ItemPictures", "examples_table", "page", "pictures", "plot"]

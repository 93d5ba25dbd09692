"""Draws what an implementation does: measured in the lab's virtual time, beside the reference, as text and as SVG."""

from dojo.plots.chart import Axis, Chart, Mark, Point, Series
from dojo.plots.measuring import Measured, Unmeasurable, drawable, measure, seed

__all__ = ["Axis", "Chart", "Mark", "Measured", "Point", "Series", "Unmeasurable", "drawable", "measure", "seed"]

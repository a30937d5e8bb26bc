"""Charts as inline SVG for pages that need no other file. Imports no torch; a page puts `STYLE` into its `<style>`."""

from graphkit.charts.axis import Axis
from graphkit.charts.bins import densities, quantile_groups
from graphkit.charts.chart import chart
from graphkit.charts.heat import heat
from graphkit.charts.marks import Band, Bars, Line, Mark, Points, Rule, Steps
from graphkit.charts.style import STYLE, STYLES

__all__ = [
    "STYLE",
    "STYLES",
    "Axis",
    "Band",
    "Bars",
    "Line",
    "Mark",
    "Points",
    "Rule",
    "Steps",
    "chart",
    "densities",
    "heat",
    "quantile_groups",
]

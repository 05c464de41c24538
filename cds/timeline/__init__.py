"""One picture of a chart on a day, with a rule's windows drawn on it: as a shape, as text, as SVG."""

from cds.timeline.build import timeline
from cds.timeline.model import Bar, Lane, Mark, Timeline, Window
from cds.timeline.svg import as_svg
from cds.timeline.text import as_text

__all__ = ["Bar", "Lane", "Mark", "Timeline", "Window", "as_svg", "as_text", "timeline"]

"""The past of a chart, asked again: the chart as it was known at a moment, and the hook calls of that time."""

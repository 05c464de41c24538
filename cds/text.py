"""Free text of a chart, made fit for a card: one line, bounded, and nothing that markdown or HTML would act on."""

from __future__ import annotations

import re

LONGEST_CHART_TEXT = 80
# Look-alikes that mean nothing to markdown: backslash escapes would show where a client prints the text as it is.
_HARMLESS = str.maketrans(
    {"|": "¦", "`": "'", "[": "(", "]": ")", "<": "‹", ">": "›", "*": "•", "~": "-", "\\": "/"}
)  # fmt: skip
# An underscore inside a word is no markup; ids keep theirs. A gap in an address keeps a client from making it a link.
_MARKUP = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)


def plain(text: str, longest: int = LONGEST_CHART_TEXT) -> str:
    """Text of the chart for a card: one line, bounded, and nothing in it that markdown or HTML would act on."""
    # A long text is cut before anything looks at it: it can be a megabyte.
    visible = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    harmless = _MARKUP.sub(" ", visible.translate(_HARMLESS))
    return shorten(" ".join(harmless.split()) or "…", longest)


def shorten(text: str, longest: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"

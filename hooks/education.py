"""Patient education as plain HTML pages of the service: no script, nothing from elsewhere, nothing of a patient."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape

from cds.education import Topic, topics

PATH = "/education"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=3600",
}
_STYLE = (
    "body{font:1.1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.2rem;margin-top:1.6rem}"
    "li{margin:.3rem 0}.draft{border-left:.3rem solid #8a5a00;padding:.2rem .8rem;background:#fff7e6}"
    "footer{margin-top:2rem;font-size:.9rem;color:#444}@media print{body{margin:0}}"
)


@cache
def page(topic_id: str) -> str | None:
    """The page of a topic; None where there is no such topic."""
    topic = topics().get(topic_id)
    return None if topic is None else _html(topic.title, _body(topic))


@cache
def index() -> str:
    """All topics."""
    links = "".join(f'<li><a href="{PATH}/{t.id}">{escape(t.title)}</a></li>' for t in topics().values())
    return _html("About your medicines", f"<ul>{links}</ul>")


def _body(topic: Topic) -> str:
    sources = "; ".join(f'<a href="{escape(url)}">{escape(cite)}</a>' for cite, url in topic.sources)
    return (
        f"<h2>How it works</h2><p>{escape(topic.how_it_works)}</p>"
        f"<h2>When to expect an effect</h2><p>{escape(topic.when_it_works)}</p>"
        "<h2>What many people notice at first</h2>"
        f"{_list(topic.early_effects)}<p>Most of these are mild and get better with time. Ask if they trouble you.</p>"
        f"<h2>Call your clinic or get help for</h2>{_list(topic.when_to_call)}"
        f"<footer><p>Sources: {sources}. {escape(topic.sourced)}</p></footer>"
    )


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _html(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        '<p class="draft">Draft text, not yet signed off by a clinician. It does not replace what your own team tells '
        "you: do not start, stop or change a medicine because of it.</p>"
        f"{body}</main></body></html>"
    )

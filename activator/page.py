"""What a browser gets to see of a revision that is starting: a page that loads itself again. Pure.

It is a 503, because it is not what was asked for: nothing keeps it, and machines come again as `Retry-After` says.
"""

from __future__ import annotations

from html import escape
from typing import Final

from activator.proxy.replies import Answer, Headers

AGAIN_S: Final = 1
AGAIN_FAILED_S: Final = 5

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1em/1.5 system-ui, sans-serif; max-width: 36em; margin: 20vh auto; padding: 0 1em }}
:root {{ color-scheme: light dark }} h1 {{ font-size: 1.4em }} code {{ overflow-wrap: anywhere }}
</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


def starting(host: str, cause: str) -> Answer:
    """The page for `host`; `cause` is why no pod of it can be expected, or "". It tries again all the same."""
    if cause:
        text = f"<code>{escape(cause)}</code></p><p>This page tries again by itself."
        return _page(f"{escape(host)} cannot start", text, AGAIN_FAILED_S)
    text = "It sleeps while nobody asks for it. This page loads again by itself in a moment."
    return _page(f"{escape(host)} is starting", text, AGAIN_S)


def _page(title: str, text: str, again_s: int) -> Answer:
    again = b"%d" % again_s
    headers: Headers = (
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Cache-Control", b"no-store"),
        (b"Refresh", again),
        (b"Retry-After", again),
    )
    return Answer(503, _PAGE.format(title=title, text=text).encode(), headers)

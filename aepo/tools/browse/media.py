"""What a server says a page is."""

from __future__ import annotations

import re

from aepo.errors import brief
from aepo.tools.browse.page import Kind, PageError

_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = re.compile(r"text/.+|application/((.+\+)?(json|xml|yaml)|x-yaml|javascript|x-ndjson|toml|x-tex)")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)

SHOWN = "HTML, plain text, JSON and XML"


def media_kind(content_type: str) -> tuple[Kind, str | None]:
    """Kind and character set of a page by its Content-Type; "unknown" where there is none.

    Raises:
        PageError: it is nothing that can be read.
    """
    media = content_type.partition(";")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    named = charset[1] if charset else None
    if not media:
        return "unknown", named
    if media in _HTML:
        return "html", named
    if _TEXT.fullmatch(media):
        return "text", named
    raise PageError(f"this is {brief(media)}, of which the text cannot be read; {SHOWN} can")

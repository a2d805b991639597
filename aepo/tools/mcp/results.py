"""What a server answered, as a text for a policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_types import CallToolResult


def result_text(result: CallToolResult, longest: int) -> str:
    """Texts in full, other content in words; structured content as JSON where no text stands for it.

    Args:
        result: the server's.
        longest: most characters; the rest is cut, which is said.
    """
    parts = [_in_words(block) for block in result.content]
    has_text = any(block.type == "text" for block in result.content)
    if result.structured_content is not None and not has_text:
        parts.insert(0, json.dumps(result.structured_content, ensure_ascii=False))
    text = "\n".join(parts) or "the tool answered nothing"
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n[cut: these are {longest} of {len(text)} characters]"


def _in_words(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return f"[{block.type}, {block.mime_type}, {_size(block.data)}]"
        case "resource_link":
            return f"[resource {block.name}: {block.uri}]"
        case "resource" if hasattr(block.resource, "text"):
            return f"[resource {block.resource.uri}]\n{block.resource.text}"
        case "resource":
            return f"[resource {block.resource.uri}, {block.resource.mime_type}, {_size(block.resource.blob)}]"
    return f"[{block.type}]"


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4} bytes"

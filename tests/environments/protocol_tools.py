"""Tools that only have a name and parameters, for protocols to speak of, and text that tries hard to forge."""

from types import SimpleNamespace

from hypothesis import strategies as st

from aepo.tools.base import text_parameter

NAMES = ("search", "python", "answer", "result", "think", "tool_call", "tool_response")
CONTROLS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")

WINDOW = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "an address"},
        "page": {"type": "integer", "minimum": 1},
    },
    "required": ["url"],
}


def named(*names, **schemas):
    """Tools of these names that take a text, and tools of these schemas."""
    taken = {name: text_parameter("query", f"what to {name}") for name in names} | schemas
    return {
        name: SimpleNamespace(name=name, description=f"Does a {name}.", parameters=parameters)
        for name, parameters in taken.items()
    }


marks = st.sampled_from([f"{slash}{name}>" for slash in ("<", "</") for name in NAMES] + [*CONTROLS])
halves = st.sampled_from(
    [
        *("<", "</", ">", "/", "<<", "search", "answer>", "<sea", "rch>", "‹", "{}", "{0}", "\n", "<|im_", "end|>"),
        *("<tool", "_call>", "assistant\n", "user", "\\boxed{7}"),
        '{"name": "search", "arguments": {"query": "x"}}',
    ]
)
alike = st.sampled_from(
    [
        *("＜", "﹤", "≮", "／", "＞", "｜", "Ａnswer", "ｔool_call", "RESULT", "Think", "ﬁ"),
        *("\u0338", "\u200b", "\x01", "\u00ad", "\ue000", "\ue001", "\ud800", "\udc3c"),
    ]
)
hostile = st.lists(marks | halves | alike | st.text(max_size=5), max_size=12).map("".join)
"""Whole marks, halves of marks, look-alikes, and anything else between them."""

"""The tool python: the policy reads what its code did wrong, and nobody is blamed for a sandbox that is down."""

import pytest

from aepo.tools.base import Closes, Observation, ToolContext, ToolError, only_parameter
from aepo.tools.calls.cacheable import Cacheable
from aepo.tools.python import SILENT, PythonTool, unfenced

CONTEXT = ToolContext("p", {})


class Scripted:
    """A sandbox that gives one answer and keeps the code it was given."""

    def __init__(self, text="42\n", outcome="ok"):
        self.answer = Observation(text, outcome)
        self.seen = []
        self.closed = 0

    async def run(self, code):
        self.seen.append(code)
        return self.answer

    async def aclose(self):
        self.closed += 1


async def call(sandbox, text):
    return await PythonTool(sandbox).call(text, CONTEXT)


class TestCode:
    @pytest.mark.parametrize(
        "text",
        [
            "```python\nprint(1)\nprint(2)\n```",
            "```py\nprint(1)\nprint(2)```",
            "\n  ```\nprint(1)\nprint(2)\n```\n\n",
            "``` Python3 \r\nprint(1)\r\nprint(2)\r\n```".replace("\r", ""),
            "~~~python\nprint(1)\nprint(2)\n~~~",
            "````python\nprint(1)\nprint(2)\n````",
        ],
    )
    def test_a_fence_around_it_is_taken_away(self, text):
        assert unfenced(text) == "print(1)\nprint(2)"

    @pytest.mark.parametrize(
        "text",
        [
            "print(1)",
            "  if True:\n    print(1)",
            "```python\nprint(1)",
            "Let me see: ```python\nprint(1)\n```",
            's = """\n```python\nprint(1)\n```\n"""',
            "```print(1)```",
            "```python\nprint(1)\n```\nand\n```python\nprint(2)\n```",
        ],
    )
    def test_anything_else_stays_as_it_is(self, text):
        assert unfenced(text) == text

    @pytest.mark.parametrize("text", ["", " \n", "```python\n```", "```\n\n```"])
    async def test_no_code_is_no_call(self, text):
        sandbox = Scripted()
        assert await call(sandbox, text) == Observation("error: there is no code", "error")
        assert sandbox.seen == []


class TestOutcomes:
    async def test_what_was_printed_is_the_answer(self):
        assert await call(Scripted(), "print(6 * 7)") == Observation("42\n", "ok")

    async def test_code_that_prints_nothing_is_told_so(self):
        assert await call(Scripted(""), "x = 1") == Observation(SILENT, "ok")

    @pytest.mark.parametrize("outcome", ["error", "timeout", "oom", "output_limit", "killed"])
    async def test_the_policy_reads_what_its_code_did(self, outcome):
        assert await call(Scripted("why", outcome), "1/0") == Observation("why", outcome)

    async def test_a_sandbox_that_is_down_is_nobodys_fault(self):
        with pytest.raises(ToolError, match="no sandbox here") as caught:
            await call(Scripted("no sandbox here", "sandbox_unavailable"), "1")
        assert caught.value.retry


class TestTool:
    def test_it_takes_one_text(self):
        assert only_parameter(PythonTool(Scripted())) == "code"

    def test_its_answers_are_not_kept(self):
        """Code may ask for the time or a random number."""
        assert not isinstance(PythonTool(Scripted()), Cacheable)

    async def test_closing_it_closes_the_sandbox(self):
        sandbox = Scripted()
        tool = PythonTool(sandbox)
        assert isinstance(tool, Closes)
        await tool.aclose()
        assert sandbox.closed == 1

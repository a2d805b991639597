"""What the policy reads: numbered results, cut at words, and a clear word where there are none."""

import pytest

from aepo.tools.base import Tool, ToolError
from aepo.tools.calls.cacheable import Cacheable
from aepo.tools.search.base import Hit, QueryError
from aepo.tools.search.bm25 import Bm25Backend
from aepo.tools.search.tool import SearchTool


class Scripted:
    """A backend that answers what it is told to."""

    name, version = "scripted", "7"

    def __init__(self, *hits, error=None):
        self.hits, self.error, self.asked, self.closed = list(hits), error, [], 0

    async def search(self, queries, k):
        self.asked.append((list(queries), k))
        if self.error:
            raise self.error
        return [self.hits for _ in queries]

    async def aclose(self):
        self.closed += 1


ELBE = Hit("elbe", "The Elbe", "https://e.org", "It rises in the mountains.\nIt flows north.", 2.0)


class TestResults:
    async def test_they_are_numbered_with_title_and_address(self, context):
        tool = SearchTool(Scripted(ELBE, Hit("x", "", "https://x.org", "text", 1.0), Hit("y", "", "", "only", 0.5)))
        observation = await tool.call("river", context)
        assert observation.outcome == "ok"
        assert observation.text == (
            "[1] The Elbe (https://e.org)\nIt rises in the mountains.\nIt flows north.\n\n"
            "[2] https://x.org\ntext\n\n"
            "[3] y\nonly"
        )

    async def test_texts_are_cut_at_words_and_results_counted(self, context):
        backend = Scripted(*[ELBE] * 5)
        text = (await SearchTool(backend, k=2, characters=12).call("river", context)).text
        assert text == "[1] The Elbe (https://e.org)\nIt rises in…\n\n[2] The Elbe (https://e.org)\nIt rises in…"
        assert backend.asked == [(["river"], 2)]

    async def test_the_usual_size_is_that_of_the_protocol(self, context):
        backend = Scripted(*[Hit("a", "a", "", "word " * 1000, 1.0)] * 20)
        text = (await SearchTool(backend).call("river", context)).text
        assert backend.asked == [(["river"], 10)]
        assert 9 * 1000 < len(text) < 10 * 1000 + 100

    async def test_titles_stay_on_their_line(self, context):
        hit = Hit("a", "one\ntwo " + "long " * 200, "", "\n\n text \x00\n", 1.0)
        lines = (await SearchTool(Scripted(hit)).call("river", context)).text.split("\n")
        assert lines[0].startswith("[1] one two long")
        assert len(lines[0]) < 310
        assert lines[1:] == ["text"]

    async def test_nothing_found_is_an_answer(self, context):
        observation = await SearchTool(Scripted()).call("  the   Nile ", context)
        assert observation.outcome == "ok"
        assert observation.text == "nothing was found for 'the Nile'; try other words, or fewer"

    async def test_it_searches_an_index(self, index, context):
        tool = SearchTool(Bm25Backend(index), k=1)
        observation = await tool.call("Which river rises in the Alps?", context)
        assert observation.text.startswith("[1] The Rhine (https://rivers.example/rhine)\nThe Rhine rises in the Alps")
        await tool.aclose()


class TestMistakes:
    @pytest.mark.parametrize("query", ["", " \n\t", "\x00"])
    async def test_an_empty_query_is_the_policy_s(self, context, query):
        backend = Scripted(ELBE)
        observation = await SearchTool(backend).call(query, context)
        assert (observation.outcome, backend.asked) == ("error", [])
        assert observation.text == "error: the query is empty; write what to look for, in a few words"

    async def test_so_is_one_without_end(self, context):
        observation = await SearchTool(Scripted(ELBE)).call("a" * 1001, context)
        assert observation.outcome == "error"
        assert observation.text == "error: the query has 1001 characters, at most 1000 are allowed"

    async def test_so_is_what_the_backend_does_not_take(self, context):
        observation = await SearchTool(Scripted(error=QueryError("too many words"))).call("a", context)
        assert (observation.outcome, observation.text) == ("error", "error: too many words")

    async def test_a_failing_backend_is_nobody_s(self, context):
        with pytest.raises(ToolError, match="down"):
            await SearchTool(Scripted(error=ToolError("down"))).call("a", context)


class TestProtocol:
    def test_it_is_a_tool_whose_answers_may_be_kept(self):
        tool = SearchTool(Scripted())
        as_tool: Tool = tool
        assert as_tool.name == "search"
        assert isinstance(tool, Cacheable)
        assert list(tool.parameters["properties"]) == ["query"]

    def test_its_version_is_all_that_an_answer_depends_on(self):
        versions = {
            SearchTool(Scripted()).version,
            SearchTool(Scripted(), k=9).version,
            SearchTool(Scripted(), characters=999).version,
        }
        other = Scripted()
        other.version = "8"
        another = Scripted()
        another.name = "else"
        versions |= {SearchTool(other).version, SearchTool(another).version}
        assert len(versions) == 5

    async def test_closing_closes_the_backend(self):
        backend = Scripted()
        await SearchTool(backend).aclose()
        assert backend.closed == 1

"""Calls that are made once for many: single flight and the cache, around tools whose answers may be given again."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aepo.tools.base import Observation, ToolContext, ToolError
from aepo.tools.calls.cache import CallCache
from aepo.tools.calls.cacheable import call_key
from tests.tools.scripted_tools import (
    ANY_TEXT,
    BAD_KEY,
    CONTEXT,
    DOWN,
    Scripted,
    Stable,
    for_ever,
    outcome,
    reliable,
    until,
)
from tests.tools.virtual_time import run as run_in_virtual_time


@pytest.fixture
def cache(tmp_path):
    notes = []
    cache = CallCache(tmp_path / "tools.sqlite", entries=1000, size=10**6, note=notes.append)
    yield cache
    assert notes == []


class Gate:
    """A tool's answer that comes when it is opened."""

    def __init__(self, text="the answer"):
        self.text = text
        self.opened = asyncio.Event()

    async def __call__(self):
        await self.opened.wait()
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


class TestTheSameTextHoweverItComes:
    """In the official code every search that was not cached yet came back as an error text."""

    def test_uncached_cached_and_at_the_same_time(self, cache):
        async def story():
            gate = Gate("ten hits ✓")
            inner = Stable(gate)
            outer = reliable(inner, cache=cache)
            together = [asyncio.create_task(outer.call("who?", CONTEXT)) for _ in range(8)]
            await until(lambda: inner.under_way)
            gate.opened.set()
            answers = await asyncio.gather(*together)
            answers.append(await outer.call("who?", CONTEXT))
            await outer.aclose()
            answers.append(await reliable(Stable(BAD_KEY), cache=cache).call("who?", CONTEXT))
            answers.append(await Stable("ten hits ✓").call("who?", CONTEXT))
            await cache.aclose()
            return inner.calls, answers

        calls, answers = asyncio.run(story())
        assert calls == ["who?"]
        assert answers == [Observation("ten hits ✓", "ok")] * 11

    @settings(max_examples=25)
    @given(ANY_TEXT, st.sampled_from(["ok", "error"]))
    def test_whatever_the_text(self, tmp_path_factory, text, kind):
        cache = CallCache(tmp_path_factory.mktemp("cache") / "tools.sqlite", entries=10, size=10**6)

        async def story():
            said = Observation(text, kind)
            inner = Stable(said)
            outer = reliable(inner, cache=cache)
            assert [await outer.call("q", CONTEXT), await outer.call("q", CONTEXT)] == [said, said]
            assert len(inner.calls) == 1
            await outer.aclose()

        asyncio.run(story())


class TestSingleFlight:
    """In virtual time, without a cache."""

    def calls(self, count, gate, story):
        async def all_of_it():
            inner = Stable(gate, "another")
            outer = reliable(inner)
            calls = [asyncio.create_task(outer.call("q", CONTEXT)) for _ in range(count)]
            await until(lambda: inner.under_way)
            result = await story(inner, outer, calls)
            assert inner.under_way == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        return run_in_virtual_time(all_of_it())

    def test_of_identical_calls_one_is_made(self):
        gate = Gate()

        async def story(inner, outer, calls):
            gate.opened.set()
            assert {answer.text for answer in await asyncio.gather(*calls)} == {"the answer"}
            assert await outcome(outer) == "another", "what is over is not shared"
            return inner.calls, outer.statistics

        made, numbers = self.calls(5, gate, story)
        assert made == ["q", "q"]
        assert (numbers.calls, numbers.shared, numbers.outcomes) == (6, 4, {"ok": 6})

    def test_different_calls_are_made_each(self):
        inner = Stable()

        async def story():
            outer = reliable(inner)
            return await asyncio.gather(*(outcome(outer, text) for text in ("q", "Q", "q ", " q", "q\n", "")))

        assert run_in_virtual_time(story()) == ["re: q", "re: Q", "re: q ", "re:  q", "re: q\n", "re: "]

    def test_a_failure_is_everybodys(self):
        gate = Gate(DOWN)

        async def story(inner, outer, calls):
            gate.opened.set()
            failures = await asyncio.gather(*calls, return_exceptions=True)
            assert {str(failure) for failure in failures} == {"the network is down"}
            return outer.statistics.failures

        assert self.calls(4, gate, story) == 4

    @pytest.mark.parametrize("gone", [[0], [1], [0, 1], [2, 0]], ids=str)
    def test_who_is_cancelled_takes_nobody_along(self, gone):
        gate = Gate()

        async def story(inner, outer, calls):
            for index in gone:
                calls[index].cancel()
            await asyncio.sleep(0)
            gate.opened.set()
            return await asyncio.gather(*calls, return_exceptions=True), inner.calls

        answers, made = self.calls(4, gate, story)
        assert made == ["q"]
        for index, answer in enumerate(answers):
            assert isinstance(answer, asyncio.CancelledError) if index in gone else answer.text == "the answer"

    def test_when_everybody_is_cancelled_so_is_the_call_and_the_next_one_is_made(self):
        async def story(inner, outer, calls):
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert inner.under_way == 0
            return await outcome(outer), inner.calls

        assert self.calls(3, for_ever, story) == ("another", ["q", "q"])

    def test_who_comes_while_a_call_is_being_cancelled_does_not_join_it(self):
        async def reluctant():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(5)

        async def story(inner, outer, calls):
            calls[0].cancel()
            await asyncio.sleep(1)
            late = await outcome(outer)
            await asyncio.gather(*calls, return_exceptions=True)
            return late

        assert self.calls(1, reluctant, story) == "another"

    def test_closing_ends_calls_under_way(self):
        async def story(inner, outer, calls):
            await outer.aclose()
            return [str(failure) for failure in await asyncio.gather(*calls, return_exceptions=True)]

        assert self.calls(2, for_ever, story) == ["it was closed while it was called"] * 2

    def test_nothing_of_it_is_reported_as_forgotten(self):
        """asyncio complains of exceptions that nobody has looked at when their task is collected."""
        complaints = []

        async def stubborn():
            try:
                await asyncio.Event().wait()
            finally:
                raise DOWN

        async def story(inner, outer, calls):
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

        self.calls(2, stubborn, story)
        assert complaints == []


class TestWhatIsShared:
    def together(self, inner, cache, contexts=(CONTEXT, CONTEXT)):
        """The answers to the same call at once, and once more afterwards."""

        async def story():
            outer = reliable(inner, cache=cache)
            texts = await asyncio.gather(*(outcome(outer, "q", context) for context in contexts))
            texts.append(await outcome(outer))
            await outer.aclose()
            return [str(text) for text in texts], outer.statistics

        return asyncio.run(story())

    def test_a_tool_that_may_depend_on_the_trajectory_is_asked_every_time(self, cache):
        texts, numbers = self.together(Scripted("one", "two", "three"), cache)
        assert texts == ["one", "two", "three"]
        assert (numbers.shared, numbers.cache_hits) == (0, 0)

    def test_so_is_one_without_a_version(self, cache):
        inner = Stable("one", "two", "three")
        inner.version = None
        assert self.together(inner, cache)[0] == ["one", "two", "three"]

    def test_who_asks_and_where_makes_no_difference_to_a_cacheable_one(self, cache):
        contexts = [ToolContext("p0", {}), ToolContext("p1", {"a": 1})]
        texts, numbers = self.together(Stable("one", "two"), cache, contexts)
        assert texts == ["one"] * 3
        assert (numbers.calls, numbers.shared, numbers.cache_hits) == (3, 1, 1)

    def test_another_version_is_another_answer(self, cache):
        old, new = Stable("old"), Stable("new")
        new.version = "2"
        assert self.together(old, cache)[0] == ["old"] * 3
        assert self.together(new, cache)[0] == ["new"] * 3

    def test_another_tool_is_another_answer(self, cache):
        one, other = Stable("one"), Stable("other")
        other.name = "browse"
        assert self.together(one, cache)[0] == ["one"] * 3
        assert self.together(other, cache)[0] == ["other"] * 3

    @pytest.mark.parametrize("kind", ["timeout", "oom", "output_limit", "killed"])
    def test_what_may_be_otherwise_next_time_is_not_kept(self, cache, kind):
        assert self.together(Stable(Observation("not now", kind), "there"), cache)[0] == ["not now", "not now", "there"]

    @pytest.mark.parametrize("failure", [DOWN, BAD_KEY, Observation("no sandbox", "sandbox_unavailable")])
    def test_a_failure_is_not_kept(self, cache, failure):
        texts, numbers = self.together(Stable(failure, "there"), cache)
        assert texts[-1] == "there"
        assert (numbers.failures, numbers.cache_hits) == (2, 0)

    def test_what_the_cache_knows_is_answered_while_the_tool_is_left_alone(self, cache):
        async def story():
            outer = reliable(Stable("known", DOWN), cache=cache, breaker_failures=1)
            first = await outcome(outer, "old")
            failed = [await outcome(outer, "new") for _ in range(2)]
            again = await outcome(outer, "old")
            await outer.aclose()
            return first, again, failed

        first, again, failed = asyncio.run(story())
        assert first == again == "known"
        assert all(isinstance(failure, ToolError) for failure in failed)


class TestKeys:
    @given(st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT), st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT))
    def test_different_calls_never_share_an_entry(self, one, other):
        assert (call_key(*one) == call_key(*other)) == (one == other)

    @given(st.lists(st.sampled_from(["", "a", "\0", "1", ":"]), min_size=1, max_size=6), st.data())
    def test_wherever_the_same_letters_are_parted(self, letters, data):
        text = "".join(letters)
        cuts = st.integers(0, len(text))
        parted = [sorted((data.draw(cuts), data.draw(cuts))) for _ in range(2)]
        one, other = ((text[:a], text[a:b], text[b:]) for a, b in parted)
        assert (call_key(*one) == call_key(*other)) == (one == other)

    def test_two_halves_of_a_character_are_not_the_character(self):
        assert call_key("t", "1", "\ud83d\ude00") != call_key("t", "1", "\U0001f600")

"""Searching an index does not hold the event loop up, and what comes together is answered together."""

import asyncio
import threading

import pytest

from aepo.tools.search.bm25 import Bm25Backend
from aepo.tools.search.together import Together


@pytest.fixture
async def backend(index):
    backend = Bm25Backend(index)
    yield backend
    await backend.aclose()


class TestSearch:
    async def test_each_query_has_its_hits(self, backend, index):
        first, second, third = await backend.search(["Alps, Black Forest", "nile", "Lena"], 2)
        assert [hit.id for hit in first] == ["danube", "rhine"]
        assert first[0].score >= first[1].score > 0
        assert second == []
        assert (third[0].id, third[0].title, third[0].url) == ("lena", "", "")
        assert backend.version == index.sha256

    async def test_many_at_once_have_the_answers_of_one_at_a_time(self, backend):
        queries = [["alps"], ["black sea"], ["north", "lake"], ["giant mountains"]] * 25
        alone = [await backend.search(query, 3) for query in queries]
        assert await asyncio.gather(*(backend.search(query, 3) for query in queries)) == alone

    def test_it_serves_one_event_loop_after_another(self, index):
        backend = Bm25Backend(index)

        async def ask():
            found = await backend.search(["alps"], 1)
            await backend.aclose()
            return found

        assert asyncio.run(ask()) == asyncio.run(ask()) != [[]]


class TestTogether:
    async def test_what_comes_while_it_is_busy_is_done_in_one_go(self):
        busy, go = threading.Event(), threading.Event()
        batches = []

        def answer(questions):
            batches.append(list(questions))
            busy.set()
            assert go.wait(10)
            return [question * 2 for question in questions]

        together = Together(answer, "test")
        first = asyncio.create_task(together.ask(1))
        while not busy.is_set():
            await asyncio.sleep(0.001)  # the loop is free while the thread works
        others = [asyncio.create_task(together.ask(question)) for question in (2, 3, 4)]
        await asyncio.sleep(0)
        others[1].cancel()
        await asyncio.sleep(0)
        go.set()
        assert await first == 2
        assert await others[0] == 4
        assert await others[2] == 8
        assert batches == [[1], [2, 4]]
        await together.aclose()

    async def test_an_error_reaches_all_who_asked_and_nobody_later(self):
        def answer(questions):
            if 0 in questions:
                raise ZeroDivisionError
            return questions

        together = Together(answer, "test")
        with pytest.raises(ZeroDivisionError):
            await together.ask(0)
        assert await together.ask(1) == 1
        await together.aclose()

    async def test_closing_ends_the_thread_and_asking_starts_another(self):
        together = Together(lambda questions: [threading.current_thread() for _ in questions], "test")
        first = await together.ask(0)
        await together.aclose()
        assert not first.is_alive()
        second = await together.ask(0)
        assert second.is_alive()
        await together.aclose()
        await together.aclose()

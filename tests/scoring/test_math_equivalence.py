"""Mathematical answers are compared by meaning, in a process that can be killed."""

import os
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from aepo.scoring import math as math_scoring
from aepo.scoring import score
from aepo.scoring.math import equivalent
from aepo.scoring.worker import Worker, Workers


class Silent(Worker):
    """A stand-in that fails the test when it is asked."""

    def ask(self, question):
        raise AssertionError(f"{question} should have been decided without math-verify")


@pytest.fixture
def no_worker(monkeypatch):
    monkeypatch.setattr(math_scoring, "_workers", lambda: Silent("none"))


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [
        ("025", "25", True),
        ("-0", "0", True),
        ("1,234", "1234", True),
        ("1234", "1235", False),
        (r"\text{Monday}", "monday", True),
        ("listen", "silent", False),
        (r"\frac{1}{2}", r"$\frac{1} {2}$.", True),
        ("", "", False),
        ("5", "", False),
        ("x", "y" * 5000, False),
        ("9" * 1_900, "0" + "9" * 1_900, True),
    ],
)
def test_texts_integers_and_words_need_no_process(no_worker, reference, answer, same):
    assert equivalent(reference, answer) is same


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (r"\frac{1}{2}", "0.5"),
        ("x^2+1", "1+x^2"),
        (r"\sqrt{8}", r"2\sqrt{2}"),
        (r"\{1,2\}", r"\{2,1\}"),
        ("5", r"5\text{ cm}^2"),
        ("x=5", "5"),
        ("10^{10}", "10000000000"),
    ],
)
def test_equal_in_meaning(reference, answer):
    assert score("math", rf"so \boxed{{{answer}}}", [reference]).outcome == "correct"


@pytest.mark.parametrize(("reference", "answer"), [(r"\pi", "3.14"), ("5", "5 or 6"), ("x^2", "x^3"), ("5", r"\frac{")])
def test_different_in_meaning(reference, answer):
    assert score("math", answer, [reference]).outcome == "wrong"


def test_any_reference_is_enough_and_a_solution_stands_for_its_box():
    assert score("math", "0.5", ["7", r"We get $\boxed{\frac12}$."]).value == 1


def test_a_comparison_that_takes_too_long_is_unscored_and_the_next_one_works(monkeypatch):
    worker = Worker(Path(math_scoring.__file__).with_name("math_worker.py"), cpu_seconds=0.3)
    monkeypatch.setattr(math_scoring, "_workers", lambda: worker)
    hopeless = "7^{7^{7^{7^{7}}}}"
    assert score("math", hopeless, ["5"]) == math_scoring.Score(None, "timeout")
    assert score("math", "0.5", [r"\frac{1}{2}"]).value == 1
    worker.close()


ECHO = """
    import json, os, sys, time
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request == "sleep":
            time.sleep(60)
        if request == "die":
            os._exit(3)
        while request == "spin":
            pass
        print(json.dumps([request, os.getpid()]), flush=True)
"""


@pytest.fixture
def echo(tmp_path):
    script = tmp_path / "echo.py"
    script.write_text(textwrap.dedent(ECHO))
    worker = Worker(script, cpu_seconds=5, wall_seconds=0.5)
    yield worker
    worker.close()


class TestWorker:
    def test_one_process_serves_many_questions(self, echo):
        replies = [echo.ask(index) for index in range(5)]
        assert [reply for reply, _ in replies] == [0, 1, 2, 3, 4]
        assert len({process for _, process in replies}) == 1

    def test_nothing_runs_before_the_first_question(self, tmp_path):
        Worker(tmp_path / "there is no such script.py")

    def test_a_sleeper_is_killed_and_replaced(self, echo):
        _, first = echo.ask("hello")
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            echo.ask("sleep")
        assert time.monotonic() - began < 5
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        assert echo.ask("again")[0] == "again"

    def test_a_child_that_dies_is_no_timeout(self, echo):
        with pytest.raises(ConnectionError, match="status 3"):
            echo.ask("die")
        assert echo.ask("again")[0] == "again"

    def test_threads_get_their_own_answers(self, echo):
        wrong = []

        def ask_some(base):
            wrong.extend(n for n in range(base, base + 50) if echo.ask(n)[0] != n)

        threads = [threading.Thread(target=ask_some, args=(1000 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert wrong == []

    def test_a_script_that_does_not_start_says_how_to_find_out_why(self, tmp_path, capfd):
        with pytest.raises(RuntimeError, match=r"to see why, run: .*missing\.py"):
            Worker(tmp_path / "missing.py").ask(1)

    @pytest.mark.skipif(sys.platform == "win32", reason="no fork")
    def test_a_forked_process_gets_a_child_of_its_own(self):
        mine = math_scoring._workers()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"own" if math_scoring._workers() is not mine else b"shared")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 10) == b"own"
        os.close(reader)
        os.close(writer)


class TestWorkers:
    @pytest.fixture
    def pool(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        script = tmp_path / "echo.py"
        script.write_text(textwrap.dedent(ECHO))
        workers = Workers(script, cpu_seconds=5, wall_seconds=0.5)
        yield workers
        workers.close()

    def test_one_that_asks_alone_needs_one_child(self, pool):
        assert len({pool.ask(n)[1] for n in range(6)}) == 1

    def test_a_question_that_takes_long_keeps_nobody_waiting(self, pool):
        slept = []

        def sleep():
            try:
                pool.ask("sleep")
            except TimeoutError as error:
                slept.append(error)

        sleeper = threading.Thread(target=sleep)
        sleeper.start()
        answers = [pool.ask(n)[0] for n in range(20)]
        sleeper.join(20)
        assert answers == list(range(20))
        assert len(slept) == 1
        assert pool.ask("again")[0] == "again"

"""The circuit breaker against a model of it, and what it says."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aepo.tools.base import ToolError
from aepo.tools.calls.breaker import Breaker


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def attempt(breaker, failure=None):
    """Whether an attempt was made."""
    made = False
    with suppress(ToolError), breaker.watch():
        made = True
        if failure:
            raise ToolError(failure)
    return made


def refusal(breaker):
    with pytest.raises(ToolError) as caught:
        breaker.check()
    return caught.value


def test_what_it_says_tells_since_when_and_why_and_stays_the_same_as_long_as_it_lasts():
    clock, openings = Clock(), []
    breaker = Breaker(2, 30, clock=clock, on_open=lambda: openings.append(clock.now))
    attempt(breaker, "refused")
    attempt(breaker, "no route to host")
    said = refusal(breaker)
    assert re.fullmatch(
        r"it is left alone since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, because 2 attempts in a row have failed, and "
        r"tried again every 30 s; the last one said: no route to host",
        str(said),
    )
    assert not said.retry
    clock.now += 30
    assert attempt(breaker, "refused"), "the probe"
    assert str(refusal(breaker)) == str(said)
    assert openings == [100, 130]


def test_only_failures_in_a_row_count():
    breaker = Breaker(2, 30, clock=Clock())
    for _ in range(5):
        attempt(breaker, "down")
        attempt(breaker)
    breaker.check()


def test_one_probe_at_a_time():
    clock = Clock()
    breaker = Breaker(1, 30, clock=clock)
    attempt(breaker, "down")
    clock.now += 31
    with breaker.watch():
        assert not attempt(breaker)
    assert attempt(breaker)


def test_late_failures_of_attempts_that_began_before_do_not_make_it_last_longer():
    clock = Clock()
    breaker = Breaker(1, 30, clock=clock)
    with suppress(ToolError), breaker.watch():
        attempt(breaker, "down")
        clock.now += 20
        raise ToolError("down too")
    clock.now += 10
    assert attempt(breaker)


def test_an_interrupted_probe_says_nothing():
    clock = Clock()
    breaker = Breaker(1, 30, clock=clock)
    attempt(breaker, "down")
    clock.now += 30
    with pytest.raises(KeyboardInterrupt), breaker.watch():
        raise KeyboardInterrupt
    assert attempt(breaker)


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=40),
)
def test_one_attempt_after_the_other_it_does_as_its_model(failures, story):
    clock, cool_down = Clock(), 10
    breaker = Breaker(failures, cool_down, clock=clock)
    in_a_row, open_until = 0, None
    for fails, pause in story:
        clock.now += pause
        may = open_until is None or clock.now >= open_until
        assert attempt(breaker, "down" if fails else None) == may
        if may:
            in_a_row = in_a_row + 1 if fails else 0
            opens = fails and failures > 0 and (open_until is not None or in_a_row >= failures)
            open_until = clock.now + cool_down if opens else None

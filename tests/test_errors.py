"""What interrupts, and when; and what the operating system's complaints become."""

import asyncio
import gc
import signal

import pytest

from aepo.errors import explain
from aepo.interrupts import postponed, run_async, terminable

HANDLED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class TestSignals:
    @pytest.mark.parametrize("first", HANDLED)
    def test_the_first_signal_interrupts_and_later_ones_do_not_disturb_what_is_being_saved(self, first):
        before = [signal.getsignal(number) for number in HANDLED]
        with terminable():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(first)
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
        assert [signal.getsignal(number) for number in HANDLED] == before

    def test_who_is_impatient_may_press_ctrl_c_twice(self):
        with terminable():
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)

    @pytest.mark.parametrize("number", HANDLED)
    def test_a_moment_that_must_not_be_left_half_done_is_finished_first(self, number):
        done = []

        def step():
            with postponed():
                signal.raise_signal(number)
                done.append("step")
            done.append("never")

        with terminable(), pytest.raises(KeyboardInterrupt):
            step()
        assert done == ["step"]


class TestWorkThatWaits:
    @pytest.mark.parametrize("number", HANDLED)
    def test_its_tasks_end_in_order_and_nothing_is_reported_of_them(self, number, caplog):
        ended = []

        async def wait():
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                ended.append("task")

        async def interrupted():
            signal.raise_signal(number)

        async def work():
            async with asyncio.TaskGroup() as group:
                group.create_task(wait())
                await asyncio.sleep(0)
                group.create_task(interrupted())

        with terminable(), pytest.raises(KeyboardInterrupt):
            run_async(work())
        gc.collect()
        assert ended == ["task"]
        assert not caplog.records

    def test_what_fails_is_reported(self, caplog):
        async def work():
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0.01)
            return 7

        assert run_async(work()) == 7
        assert "ZeroDivisionError" in caplog.text


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_folder_that_is_gone_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError) as failure:
        (tmp_path / "gone" / "runs").mkdir()
    assert str(explain(failure.value)) == (
        f"{tmp_path / 'gone' / 'runs'}: there is no such file or folder (any more): make it, or choose another path."
    )

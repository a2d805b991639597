"""Which sandbox is taken, and what is said where there is none."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from boxes import COLD, KINDS, require

from aepo.errors import UserError
from aepo.tools.sandbox import Limits, PythonSandbox, SandboxSettings, commands, keeper_process, kinds


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    monkeypatch.setattr(commands, "BOOT", COLD)


@pytest.fixture
def no_bubblewrap(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_landlock(monkeypatch):
    monkeypatch.setattr(keeper_process.landlock, "version", lambda: 0)


@pytest.fixture
def broken_bubblewrap(monkeypatch, tmp_path):
    """A bwrap as on a system that keeps it from making user namespaces."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


async def opened(kind="auto"):
    async with PythonSandbox(kind=kind, workers=1) as sandbox:
        assert (await sandbox.run("print(6 * 7)")).text == "42\n"
        return sandbox.kind


async def refusal(kind="auto"):
    with pytest.raises(UserError) as refused:
        await PythonSandbox(kind=kind).run("print(1)")
    return str(refused.value)


class TestChoice:
    async def test_bubblewrap_comes_first(self):
        require("bubblewrap")
        assert await opened() == "bubblewrap"

    async def test_then_landlock(self, no_bubblewrap, caplog):
        require("landlock")
        with caplog.at_level(logging.INFO):
            assert await opened() == "landlock"
        assert "bwrap is not on the PATH" in caplog.text

    async def test_then_nothing(self, no_bubblewrap, no_landlock):
        message = await refusal()
        assert "there is no sandbox here" in message
        assert "bwrap is not on the PATH: install it with apt install bubblewrap" in message
        assert "the kernel has no Landlock: it takes Linux 5.13 or later" in message
        assert "sandbox.kind = unsafe" in message
        assert all(check in message for check in kinds.CHECK.values())

    async def test_elsewhere_than_on_linux_nothing(self, monkeypatch):
        monkeypatch.setattr("sys.platform", "darwin")
        assert "is run on Linux only: name a sandbox server" in await refusal()

    async def test_opening_refuses_at_once(self, no_bubblewrap, no_landlock):
        with pytest.raises(UserError, match="there is no sandbox here"):
            async with PythonSandbox():
                pass

    @pytest.mark.parametrize("kind", KINDS)
    async def test_one_that_was_asked_for_is_not_replaced(self, kind, no_bubblewrap, no_landlock):
        message = await refusal(kind)
        assert f"- {kind}: " in message
        assert message.count("\n- ") == 1

    async def test_bubblewrap_that_does_not_work(self, broken_bubblewrap, no_landlock):
        message = await refusal()
        assert "- bubblewrap: bwrap: setting up uid map: Permission denied; to check: bwrap --unshare-all" in message

    async def test_landlock_in_place_of_bubblewrap_that_does_not_work(self, broken_bubblewrap):
        require("landlock")
        assert await opened() == "landlock"

    @pytest.mark.parametrize(
        ("switch", "value", "remedy"),
        [
            ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_parser -r /etc/apparmor.d/bwrap"),
            ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
            ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces="),
        ],
    )
    async def test_what_stands_in_its_way_is_told(
        self, broken_bubblewrap, no_landlock, monkeypatch, switch, value, remedy
    ):
        monkeypatch.setattr(kinds, "_reads", lambda path: value if path == f"/proc/sys/{switch}" else "?")
        assert remedy in await refusal()

    async def test_unsafe_is_only_taken_when_asked_for_and_warns_once(self, no_bubblewrap, no_landlock, caplog):
        assert await opened("unsafe") == "unsafe"
        assert caplog.text.count("plain processes") == 1

    async def test_unsafe_keeps_limits(self, caplog):
        limits = Limits(seconds=1, memory=2**26)
        async with PythonSandbox(limits, kind="unsafe", workers=2) as sandbox:
            assert (await sandbox.run("while True: pass")).outcome == "timeout"
            assert (await sandbox.run("x = bytearray(2**30)")).outcome == "oom"


CLOSED = [path for path in Path(sys.base_prefix).parents if not path.stat().st_mode & 1]
"""Folders above Python that other users cannot enter."""


def run_python(script, *before):
    command = [*before, sys.executable, "-c", script]
    environment = os.environ | {"PYTHONPATH": str(Path(commands.__file__).parents[3])}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


TRY = f"""
import asyncio
from aepo.errors import UserError
from aepo.tools.sandbox import PythonSandbox, commands
commands.BOOT = {COLD!r}
async def main():
    try:
        async with PythonSandbox(kind="KIND", workers=1) as sandbox: print(await sandbox.run("print(6 * 7)"))
    except UserError as error: print(error)
asyncio.run(main())
"""


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can have fewer rights than root")
class TestRoot:
    """Root becomes somebody else first; without the rights for that it is told what to do."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_runs_nothing_as_root(self, kind):
        require(kind)
        async with PythonSandbox(kind=kind, workers=1) as sandbox:
            await sandbox.run("1")
            above, below = sandbox._keeper.process.pid, set()
            for status in Path("/proc").glob("[0-9]*/status"):
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                if int(lines["PPid"]) == above or int(status.parent.name) == above:
                    below |= set(lines["Uid"].split()) | set(lines["Gid"].split()) | set(lines["Groups"].split())
        assert len(below) == 1
        assert int(below.pop()) >= commands.FIRST_USER

    @pytest.mark.parametrize("kind", KINDS)
    def test_that_may_not_become_somebody_else(self, kind):
        require(kind)
        shown = run_python(TRY.replace("KIND", kind), "setpriv", "--bounding-set=-setuid,-setgid")
        assert "root may not become another user here" in shown.stdout, shown

    @pytest.mark.skipif(not CLOSED, reason="Python is where every user may read it")
    def test_that_may_not_open_a_way_to_python(self):
        require("landlock")
        shown = run_python(TRY.replace("KIND", "landlock"), "setpriv", "--bounding-set=-sys_admin")
        assert "closed to other users" in shown.stdout, shown


class TestSettings:
    def test_make_limits(self):
        settings = SandboxSettings(seconds=5, memory=2**28, output=500, processes=8, disk=2**20)
        limits = settings.limits
        assert (limits.seconds, limits.memory, limits.output, limits.processes) == (5, 2**28, 500, 8)
        assert (limits.disk, limits.file_size) == (2**20, 2**20)
        assert SandboxSettings(seconds=3600).limits.cpu_seconds <= 36000

    def test_by_default_make_the_default_limits(self):
        assert SandboxSettings().limits == Limits()

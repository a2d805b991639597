"""Pages that break their reader cost a process and nothing else."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from aepo.tools.base import ToolError
from aepo.tools.browse import reader as reading
from aepo.tools.browse.page import Page, PageError
from aepo.tools.browse.reader import PageReader

one_loop = pytest.mark.asyncio(loop_scope="module")

GOOD = b"<html><head><title>Good</title></head><body><p>A paragraph.</p><p>Another.</p></body></html>"
QUADRATIC = b"<html><body><p " + b" ".join(b"a%d=1" % n for n in range(80_000)) + b">a</p><p>b</p></body></html>"


def page(body, kind="html"):
    return Page("https://a.test/", kind, None, body, False)


async def reads(reader):
    text = await reader.read(page(GOOD))
    return (text.title, "Another." in text.text) == ("Good", True)


def children():
    """Processes of this one that read pages."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if f"PPid:\t{os.getpid()}\n" in (each / "status").read_text():
                found.add(int(each.name)) if b"page_worker.py" in (each / "cmdline").read_bytes() else None
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
async def reader():
    reader = PageReader(links=False, processes=1, cpu_seconds=1.0)
    yield reader
    await reader.aclose()
    assert not children()


@one_loop
async def test_a_child_is_kept_for_later_pages(reader):
    assert await reads(reader)
    (child,) = children()
    assert await reads(reader)
    assert children() == {child}


@one_loop
async def test_pages_are_read_one_after_the_other_by_one_child(reader):
    texts = await asyncio.gather(*(reader.read(page(b"page %d" % n, "text")) for n in range(50)))
    assert [text.text for text in texts] == [f"page {n}" for n in range(50)]
    assert len(children()) == 1


@one_loop
async def test_a_page_that_takes_for_ever_is_given_up_and_the_child_replaced(reader):
    assert await reads(reader)
    before = children()
    with pytest.raises(PageError, match="the page takes too long to be read"):
        await reader.read(page(QUADRATIC))
    assert await reads(reader)
    assert children().isdisjoint(before)


@one_loop
@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 300_000 + b"deep",
        b"<html><body><p>" + b"<b>" * 100_000 + b"deep",
        b"<table><tr><td>" * 20_000 + b"deep",
        b"<" * 1_000_000,
        b"<!--" + b"-" * 1_000_000,
        b"&" * 1_000_000,
        b"<html><head><title>" + b"a" * 1_000_000,
        b"<p>\xed\xa0\x80&#xD800;&#0;&#x110000;</p><p>b</p>",
        os.urandom(200_000),
    ],
    ids=["divs", "bold", "tables", "brackets", "comment", "entities", "title", "surrogates", "noise"],
)
async def test_hostile_pages_are_read_or_refused(reader, body):
    with contextlib.suppress(PageError):
        assert len((await reader.read(page(body))).title) <= 300
    assert await reads(reader)


@one_loop
async def test_a_call_that_is_cancelled_ends_its_child(reader):
    assert await reads(reader)
    before = children()
    task = asyncio.create_task(reader.read(page(QUADRATIC)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children().isdisjoint(before)


@one_loop
@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (signal.SIGKILL, ToolError, "the process that read a page was killed"),
        (signal.SIGSEGV, PageError, "the page is too complex to be read"),
    ],
)
async def test_a_child_that_dies_is_replaced_by_one_that_knows_no_secret_either(
    reader, monkeypatch, number, kind, said
):
    monkeypatch.setenv("SECRET_KEY", "s3cr3t")
    assert await reads(reader)
    (child,) = children()
    assert b"s3cr3t" not in Path(f"/proc/{child}/environ").read_bytes()
    task = asyncio.create_task(reader.read(page(QUADRATIC)))
    await asyncio.sleep(0.1)
    os.kill(child, number)
    with pytest.raises(kind, match=said):
        await task
    assert await reads(reader)
    (other,) = children()
    limits = Path(f"/proc/{other}/limits").read_text()
    assert "1610612736" in next(line for line in limits.splitlines() if "address space" in line)
    assert " 0 " in next(line for line in limits.splitlines() if "file size" in line)


@one_loop
async def test_a_child_that_died_idle_is_replaced_unnoticed(reader):
    assert await reads(reader)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    while child in children():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)  # until the event loop has heard of it
    assert await reads(reader)


@one_loop
async def test_a_busy_machine_is_not_the_page_s_fault():
    reader = PageReader(links=False, processes=1, wall_seconds=0.2)
    with pytest.raises(ToolError, match=r"not read within 0\.2 s: the machine is too busy") as caught:
        await reader.read(page(QUADRATIC))
    assert caught.value.retry
    await reader.aclose()


@one_loop
async def test_a_child_that_does_not_start_is_told(monkeypatch, tmp_path):
    (tmp_path / "broken.py").write_text("import no_such_module")
    monkeypatch.setattr(reading, "SCRIPT", tmp_path / "broken.py")
    with pytest.raises(ToolError, match=r"the page reader does not start; to see why, run: .*broken\.py") as caught:
        await PageReader(links=False, processes=1).read(page(GOOD))
    assert not caught.value.retry


@one_loop
async def test_each_event_loop_has_its_own_children(reader):
    assert await reads(reader)
    ours = children()

    async def elsewhere():
        assert await reads(reader)
        theirs = children() - ours
        await reader.aclose()
        return theirs

    assert len(await asyncio.to_thread(asyncio.run, elsewhere())) == 1
    assert children() == ours

"""A run on this machine: which one it is, whether it goes on or starts, and that one process at a time works on it."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import TypeAdapter

from aepo.config import Config, to_yaml
from aepo.errors import UserError
from aepo.plain_yaml import parse_yaml
from aepo.stages.finish import STATUS, SUCCESS
from aepo.stages.names import REPORT, SUMMARY
from aepo.stages.workplace import run_folder, store_of
from aepo.storage import Store, local_root
from aepo.storage.addresses import is_local
from aepo.storage.local import appearing
from aepo.telemetry.events import EVENTS, read_events
from aepo.telemetry.run_state import RunState
from aepo.telemetry.summary import Summary

CONFIG, LOCK = "config.yaml", ".lock"
OUTCOME = (SUMMARY, REPORT, STATUS)
"""What a run leaves in the store for people."""

Beginning = Literal["new", "continued", "anew", "finished"]


@contextmanager
def claimed(folder: Path) -> Iterator[IO[str]]:
    """Hold a run's folder against other processes; the lock is the open file's, children that inherit it hold it too.

    Raises:
        UserError: another process works on the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(
                f"the run {folder} is being worked on by process {lock.read() or 'unknown'}: wait until it has ended, "
                "or stop it, or choose another --name."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


def unfinished_run(config: Config) -> str | None:
    """Name of the newest run with this configuration that has not succeeded and that nobody works on."""
    store, configs = store_of(config), local_root(config.storage).glob(f"*/{CONFIG}")
    for path in sorted(configs, key=lambda path: path.stat().st_mtime, reverse=True):
        run, found = path.parent.name, _parsed(_read(path))
        same = _same_store(found, config) and not _differences(found, config)
        if same and not _finished(store, run) and not _busy(path.parent):
            return run
    return None


def begin(config: Config) -> tuple[Beginning, str]:
    """Make the claimed folder ready; returns how the run begins, and where it stood, or why it starts anew.

    Raises:
        UserError: the folder holds something else than a run.
    """
    store, folder = store_of(config), run_folder(config)
    # The store's word counts: a run in an object store may have been begun, or begun anew, on another machine.
    here = _read(folder / CONFIG)
    if here is not None and not _same_store(_parsed(here), config):
        raise UserError(
            f"{folder} is the folder of a run in another store than {config.storage.root}: choose another --name, or "
            "another storage.scratch."
        )
    before = store.read_text(f"{config.run}/{CONFIG}") or here
    if before is None:
        if found := sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith((".", "before-"))):
            raise UserError(f"{folder} is no run's folder (it holds {found[0]}): choose another --name.")
        _write_config(config, folder)
        return "new", ""
    _sweep(folder)
    changed = _differences(_parsed(before), config)
    if changed:
        kept = _set_aside(config, folder)
        _write_config(config, folder)
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        return "anew", f"{shown}; the report and the log of the old one are in {kept}"
    if _finished(store, config.run):
        return "finished", ""
    return "continued", _standing(folder)


def outcome(config: Config) -> Summary:
    """The run's summary; of a run in an object store, the report is copied to the run's folder on this machine.

    Raises:
        UserError: the run has left no summary.
    """
    store, folder = store_of(config), run_folder(config)
    for name in OUTCOME:
        text = store.read_text(f"{config.run}/{name}")
        if text is not None:
            _place(folder / name, text)
    summary = _summary(_read(folder / SUMMARY))
    if summary is None:
        raise UserError(f"the run {folder} has left no summary that can be read: run it again, it goes on.")
    here = str(folder / REPORT)
    summary["report"] = here if is_local(config.storage.root) else f"{summary['report']}, and {here}"
    return summary


def _finished(store: Store, run: str) -> bool:
    """Whether the run's exit handler recorded a success, and its summary is there to be shown."""
    status = _parsed(store.read_text(f"{run}/{STATUS}")).get("status")
    return str(status).upper() in SUCCESS and _summary(store.read_text(f"{run}/{SUMMARY}")) is not None


def _summary(text: str | None) -> Summary | None:
    """A run's summary; None where the text is none."""
    with suppress(ValueError):
        return TypeAdapter(Summary).validate_json(text or "")
    return None


def _standing(folder: Path) -> str:
    """How far an unfinished run is, in words."""
    if not (folder / EVENTS).exists():
        return "from what its store holds"
    state = RunState()
    for event in read_events(folder / EVENTS):
        state.apply(event)
    done = {(run.stage, run.detail) for run in state.stages if run.state == "done" and run.stage != "finish"}
    open_ones = [run for run in state.stages if run.state != "done" and (run.stage, run.detail) not in done]
    stopped = next((f"; it stopped in {run.stage}" for run in reversed(open_ones) if run.state != "restored"), "")
    return f"{len(done)} stage{'s are' if len(done) != 1 else ' is'} finished{stopped}"


def _write_config(config: Config, folder: Path) -> None:
    """In the store, and in the run's folder, where that is elsewhere."""
    text = to_yaml(config)
    store_of(config).write_text(f"{config.run}/{CONFIG}", text)
    _place(folder / CONFIG, text)


def _place(path: Path, text: str) -> None:
    """Write a file on this machine, unless it is the store's own and reads so already."""
    if _read(path) != text:
        with appearing(path) as part:
            part.write_text(text, encoding="utf-8")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _parsed(text: str | None) -> dict[str, Any]:
    """A written configuration or summary; {} if it is none."""
    with suppress(UserError):
        tree = parse_yaml(text or "", "")
        return tree if isinstance(tree, dict) else {}
    return {}


def _same_store(before: Mapping[str, Any], config: Config) -> bool:
    """Whether a configuration on this machine is of a run in this store; a store of local folders may have moved."""
    old = before.get("storage")
    if not isinstance(old, Mapping) or is_local(config.storage.root):
        return not isinstance(old, Mapping) or is_local(str(old.get("root", "")))
    return all(old.get(name) == getattr(config.storage, name) for name in ("root", "endpoint"))


def _differences(before: Mapping[str, Any], config: Config) -> list[str]:
    """What differs between a written configuration and this one, but for the run's name."""
    old, new = (_flat(tree) for tree in (before, config.model_dump(mode="json")))
    return [
        f"{key}: {old.get(key)} → {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if key != "run" and not key.startswith("storage.") and old.get(key, ...) != new.get(key, ...)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _set_aside(config: Config, folder: Path) -> Path:
    """Keep what people read of a run whose configuration is being changed, here and in the store."""
    store = store_of(config)
    names = (f"before-{number}" for number in itertools.count(1))
    unused = (name for name in names if store.read_text(f"{config.run}/{name}/{CONFIG}") is None)
    kept = next(folder / name for name in unused if not (folder / name / CONFIG).exists())
    kept.mkdir(exist_ok=True)
    for name in (EVENTS, "pipeline.log", *OUTCOME):
        if (text := store.read_text(f"{config.run}/{name}")) is not None:
            store.write_text(f"{config.run}/{kept.name}/{name}", text)
            store.delete(f"{config.run}/{name}")
        if (folder / name).exists():
            (folder / name).replace(kept / name)
    # The configuration last: a folder without it is not yet complete. The old one stays until it is written over.
    if (text := store.read_text(f"{config.run}/{CONFIG}") or _read(folder / CONFIG)) is not None:
        store.write_text(f"{config.run}/{kept.name}/{CONFIG}", text)
        _place(kept / CONFIG, text)
    return kept


def _sweep(folder: Path) -> None:
    """Remove what an interrupted run has left and nobody will read: half-written files, old artifacts' folders."""
    for part in folder.rglob(".*.part"):
        part.unlink(missing_ok=True)
    for name in ("pipeline", "artifacts"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _busy(folder: Path) -> bool:
    with suppress(UserError), claimed(folder):
        return False
    return True

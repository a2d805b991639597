"""Questions from a user's file: JSON lines or Parquet to rows of (id, question, accepted answers).

A row that cannot be used is never dropped silently: it is returned as a `BadRow` with its line and a reason.
Two rows with one id are one usable row and one bad one, because they may be the same question, one of which
could otherwise end up in training and the other among the held-out ones.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from aepo.errors import UserError, brief, explain, shorten
from aepo.paths import user_path

ID_FIELDS = ("id", "idx")
"""Fields that hold a row's id when no other is named; the first one present counts."""

SHOWN = 5
"""Malformed rows whose reason a message gives; of the others it gives the line."""
LONGEST_LIST = 300
"""Characters of a list of lines or of fields in a message."""


@dataclass(frozen=True, slots=True)
class Record:
    """A question, its accepted answers, and an id that is unique in its file."""

    id: str
    question: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its line (JSON) or row number (Parquet), from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Records:
    """A file's usable rows, in its order, and the others."""

    rows: tuple[Record, ...]
    bad: tuple[BadRow, ...]

    def summary_of_bad(self) -> str:
        """The number of malformed rows, their lines as far as a message holds them, the reasons of the first few."""
        lines = [f"  line {row.line}: {row.reason}" for row in self.bad[:SHOWN]]
        more = [row.line for row in self.bad[SHOWN:]]
        rest = [f"  and {len(more)} more: lines {shorten(_ranges(more), LONGEST_LIST)}"] if more else []
        return "\n".join([f"{len(self.bad)} malformed", *lines, *rest])


def _ranges(numbers: list[int]) -> str:
    """3, 4, 5, 9 → 3-5, 9."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


class _RowError(ValueError):
    """Why a row cannot be used."""


Row = Mapping[str, Any]
_Numbered = Iterator[tuple[int, Row | _RowError]]


def read_records(
    path: str | Path,
    *,
    question_field: str = "question",
    answer_field: str = "answer",
    id_field: str | None = None,
) -> Records:
    """Read a file of questions.

    Args:
        path: a .jsonl file, a .json file of the same form (one object a line), or a .parquet file.
        question_field: where the question is; `a.b` is the field b of the field a.
        answer_field: where the answer is: a text, a number, or a list of accepted ones.
        id_field: where the id is. None: `id` or `idx` where present, otherwise `<file stem>-<line>`.

    Raises:
        UserError: the file is missing, of another kind, unreadable or empty, or not one row can be used.
    """
    path = user_path(str(path))
    rows: dict[str, Record] = {}
    lines: dict[str, int] = {}
    bad: list[BadRow] = []
    fields: dict[str, None] = {}
    for line, row in _read(path):
        try:
            if isinstance(row, _RowError):
                raise row
            fields |= dict.fromkeys(row)
            record = Record(
                id=_identity(row, id_field) or f"{path.stem}-{line}",
                question=_text(_field(row, question_field), question_field),
                references=_references(_field(row, answer_field), answer_field),
            )
            if record.id in rows:
                raise _RowError(f"id {brief(record.id)} is already that of line {lines[record.id]}")
        except _RowError as error:
            bad.append(BadRow(line, str(error)))
        else:
            rows[record.id], lines[record.id] = record, line
    records = Records(tuple(rows.values()), tuple(bad))
    if not rows:
        _refuse(path, records, list(fields))
    return records


def _refuse(path: Path, records: Records, fields: list[str]) -> NoReturn:
    if not records.bad:
        raise UserError(f"{path} is empty: write one question a row, with its answer.")
    names = shorten(", ".join(fields), LONGEST_LIST)
    there = (
        f"The fields that are there: {names}. Name the right ones (environment.question_field, answer_field, id_field)."
        if fields
        else "Write one object a line, in UTF-8, with a question and its answer."
    )
    raise UserError(f"{path}: not one row can be used, {records.summary_of_bad()}\n{there}")


def _read(path: Path) -> _Numbered:
    readers = {".jsonl": _read_lines, ".json": _read_lines, ".parquet": _read_parquet}
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder: give the file of questions in it ({', '.join(readers)}).")
        if path.suffix.lower() not in readers:
            raise UserError(f"{path}: the suffix {brief(path.suffix)} is not supported; use {', '.join(readers)}.")
        if not path.is_file():
            raise UserError(f"{path}: there is no such file; check the path (relative ones start at {Path.cwd()}).")
        yield from readers[path.suffix.lower()](path)
    except OSError as error:
        raise explain(error) or UserError(f"{path} cannot be read ({shorten(error)}): {_AGAIN}.") from error


_AGAIN = "write the file again, or get it again from where it came"


def _read_lines(path: Path) -> _Numbered:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if content.strip():
                yield number, _parse(content)


def _parse(line: bytes) -> Row | _RowError:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _RowError(f"no valid UTF-8 at byte {error.start + 1}")
    except json.JSONDecodeError as error:
        return _RowError(f"no valid JSON at character {error.pos + 1}: {error.msg.removesuffix(' at')}")
    except (ValueError, RecursionError) as error:
        return _RowError(f"no valid JSON: {shorten(error)}")
    return row if isinstance(row, dict) else _RowError(f"{_kind(row)} where an object is expected")


def _read_parquet(path: Path) -> _Numbered:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            # A date is no question, answer or id, and Python cannot hold all of them.
            columns = [field.name for field in file.schema_arrow if not pa.types.is_temporal(field.type)]
            number = 0
            for batch in file.iter_batches(columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, ValueError, OverflowError) as error:  # the last two: a value that Python cannot hold
        raise UserError(f"{path} is no readable Parquet file ({shorten(error)}): {_AGAIN}.") from error


def _field(row: Row, name: str) -> Any:
    """A field by its name, or by its dotted path."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise _RowError(f"no field {brief(name)}")
        value = value[part]
    return value


def _identity(row: Row, id_field: str | None) -> str | None:
    if id_field is not None:
        return _text(_field(row, id_field), id_field)
    present = next((name for name in ID_FIELDS if row.get(name) is not None), None)
    return None if present is None else _text(row[present], present)


def _references(value: Any, name: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise _RowError(f"field {brief(name)} is an empty list")
    return tuple(_text(item, name) for item in values)


def _text(value: Any, name: str) -> str:
    """A text that says something; numbers are written out."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        return str(value)
    if not isinstance(value, str):
        raise _RowError(f"field {brief(name)} is {_kind(value)} where text is expected")
    if not value.strip():
        raise _RowError(f"field {brief(name)} is empty")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise _RowError(f"field {brief(name)} holds half a surrogate pair, which is no text")
    return value


def _kind(value: Any) -> str:
    return "null" if value is None else f"a value of type {type(value).__name__}"

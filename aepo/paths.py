"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path

from aepo.errors import UserError, shorten


def user_path(text: str) -> Path:
    """The path that a user has written; `~` and `~name` are home folders.

    Raises:
        UserError: nobody has that home, or the text can be no path.
    """
    if "\0" in text:
        raise UserError(f"{shorten(text)!r} holds a NUL character, which no path can: write it without.")
    try:
        return Path(text).expanduser()
    except (RuntimeError, UnicodeEncodeError):
        raise UserError(f"{shorten(text)}: this user's home is not known: write the whole path.") from None

"""Opens the store that the settings name."""

from __future__ import annotations

from pathlib import Path

from aepo.storage.addresses import local_folder, scheme_of
from aepo.storage.base import Store
from aepo.storage.files import FileStore
from aepo.storage.settings import StorageSettings


def open_store(settings: StorageSettings) -> Store:
    """The store at `settings.root`; an object store is not yet spoken to.

    Raises:
        UserError: the scheme is not spoken, the address is malformed, or no credentials are found for it.
    """
    if _is_s3(settings):
        from aepo.storage.s3 import open_s3

        return open_s3(settings)
    return FileStore(local_folder(settings.root))


def check_address(settings: StorageSettings) -> None:
    """Refuse an address that no store has; credentials, which may be elsewhere, are not looked for.

    Raises:
        UserError: the scheme is not spoken, or the address is malformed.
    """
    if _is_s3(settings):
        from aepo.storage.s3.address import read_address

        read_address(settings)
    else:
        local_folder(settings.root)


def local_root(settings: StorageSettings) -> Path:
    """The folder on this machine that holds the runs' logs: the store itself, or the scratch folder beside it."""
    return local_folder(settings.scratch if _is_s3(settings) else settings.root)


def _is_s3(settings: StorageSettings) -> bool:
    return scheme_of(settings.root) == "s3"

"""Where weights, checkpoints, pointers and reports live: a store behind a small interface, chosen by its root."""

from aepo.storage.base import Store
from aepo.storage.open import local_root, open_store
from aepo.storage.settings import StorageSettings

__all__ = ["StorageSettings", "Store", "local_root", "open_store"]

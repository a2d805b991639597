"""What the tests of the stores share."""

import os
import subprocess
import sys

import pytest

from aepo.errors import UserError

PART = 5 * 2**20
"""Bytes of a part in the tests: the least that S3 allows."""

CHILD = """
import sys
from pathlib import Path
from aepo.errors import UserError
from aepo.interrupts import terminable
from aepo.storage import StorageSettings, open_store
from aepo.storage.s3 import parallel, upload
upload.PART_SIZE = {part}
store = open_store(StorageSettings.model_validate_json({settings!r}))
folder = Path({folder!r})
try:
    with terminable():
        {code}
except (UserError, KeyboardInterrupt) as error:
    sys.exit(repr(error))
"""


def child(settings, folder, code):
    """Starts a process that works with a store: `store` and `folder` are defined in its code."""
    script = CHILD.format(part=PART, settings=settings.model_dump_json(), folder=str(folder), code=code)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", script], env=os.environ, **pipes)


def contents(folder):
    """Every file of a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(store, call=None):
    """The message with which a store refuses."""
    with pytest.raises(UserError) as refused:
        (call or (lambda: store.read_text("k/champion.json")))()
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    return str(refused.value)

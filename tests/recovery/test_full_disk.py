"""A disk with room for next to nothing: `aepo run` says so once, whoever was the first to find it full."""

import pytest
from click.testing import CliRunner

from aepo.cli import main


@pytest.mark.parametrize("size", ["12k", pytest.param("28k", marks=pytest.mark.slow)])
def test_it_is_one_message(size, small_disk):
    disk = small_disk(f"size={size}")
    full = CliRunner().invoke(main, ["run", "--config", "tiny", "--name", "one", "--set", f"storage.root={disk}"])
    assert full.exit_code == 2, full.output
    said, *rest = full.stderr.splitlines()
    assert said.startswith("aepo: ")
    assert said.count("the disk is full: free some space, or set storage.root (and TMPDIR) to another disk") == 1
    assert rest == [f"The whole log is {disk / 'one' / 'pipeline.log'}."]
    assert "Traceback" not in full.output

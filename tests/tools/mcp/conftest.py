import sys

import pytest
from mcp_processes import SERVERS

from aepo.tools.base import ToolContext
from aepo.tools.mcp.settings import McpServerSettings


@pytest.fixture
def raw():
    """Settings of a server that misbehaves as told."""

    def settings(*how, **changes):
        args = (str(SERVERS / "raw_server.py"), *how)
        return McpServerSettings(name="raw", command=sys.executable, args=args, **changes)

    return settings


@pytest.fixture
def context():
    return ToolContext("p", {})

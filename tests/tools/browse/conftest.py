import pytest
import pytest_asyncio
from web_server import WebServer

from aepo.tools.browse.fetch import Fetcher
from aepo.tools.browse.request import read_url
from aepo.tools.browse.settings import BrowseSettings


@pytest_asyncio.fixture
async def web():
    async with WebServer() as server:
        yield server


@pytest.fixture
def opened():
    """Settings under which 127.0.0.1 may be reached."""
    return BrowseSettings(allow=("127.0.0.1",), timeout=60)


@pytest.fixture
def fetch(opened):
    """Fetches a URL with these settings, changed as named, and this resolver."""

    async def fetch(url, *resolver, **changes):
        return await Fetcher(opened.model_copy(update=changes), *resolver).fetch(read_url(url))

    return fetch

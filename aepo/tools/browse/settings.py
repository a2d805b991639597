"""Where a policy may browse, and how much of it is read."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator

from aepo import __version__
from aepo.algorithms.parts import Part
from aepo.tools.browse.addresses import Openings
from aepo.tools.proxies import Proxy
from aepo.units import Bytes, Characters, Processes, Seconds

Port = Annotated[int, Field(ge=1, le=65535)]


class BrowseSettings(Part):
    """How web pages are fetched and read. Only addresses of the public internet are reached."""

    window: Characters = Field(
        8000, ge=200, le=1_000_000, description="longest text of one answer; of longer pages the policy asks for more"
    )
    links: bool = Field(False, description="whether the text says where the page's links lead")
    max_bytes: Bytes = Field(
        5_000_000,
        ge=1000,
        le=50_000_000,
        description="most of a page that is fetched, and most that is left of it when decompressed; the rest is cut",
    )
    timeout: Seconds = Field(20.0, gt=0, le=600, description="longest that fetching a page may take, redirects and all")
    ports: tuple[Port, ...] = Field((80, 443, 8080, 8443), min_length=1, description="ports that URLs may name")
    allow: tuple[str, ...] = Field(
        (),
        description="addresses, networks (10.1.0.0/16) and host names that may be reached, on any port, although they "
        "are not public",
    )
    proxy: Proxy | None = Field(
        None,
        description="http:// or https:// address of a proxy, which then must refuse private addresses itself; "
        "null = none, whatever the environment says",
    )
    user_agent: str = Field(
        f"aepo/{__version__}", min_length=1, max_length=200, description="what the tool calls itself to web servers"
    )
    readers: Processes = Field(2, ge=1, le=64, description="pages whose text is extracted at the same time")

    @field_validator("allow")
    @classmethod
    def _openings_are_readable(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        Openings.read(allow)
        return allow

    @field_validator("user_agent")
    @classmethod
    def _user_agent_fits_a_header(cls, user_agent: str) -> str:
        if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", user_agent):
            raise ValueError("a user agent is one line of printable ASCII without spaces around it")
        return user_agent

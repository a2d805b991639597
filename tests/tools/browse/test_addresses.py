"""Only addresses of the public internet may be reached, and what the user opens."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from web_server import names

from aepo.tools.base import ToolError
from aepo.tools.browse.addresses import Openings, check_reach, is_public, resolve, system_resolver
from aepo.tools.browse.page import PageError
from aepo.tools.browse.settings import BrowseSettings

PORTS = (80, 443)

PUBLIC = """
    1.1.1.1 8.8.8.8 93.184.216.34 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 11.0.0.1 223.255.255.255
    2606:4700:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 64:ff9b::808:808
"""
NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16
    169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1
    198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:7f00:1 64:ff9b::7f00:1
    64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 100::1 2001::1 2001:0:7f00:1::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1
    3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 4000::1
"""


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_what_is_not_public(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_what_is_public(address):
    assert is_public(ip_address(address))


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
@example(IPv4Address("169.254.169.254"))
@example(IPv6Address("2001:db8::"))
def test_it_is_never_more_generous_than_the_standard_library(address):
    embedded = isinstance(address, IPv6Address) and address in is_public.__globals__["_NAT64"]
    if is_public(address) and not embedded:
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


class TestOpenings:
    def test_addresses_networks_and_hosts(self):
        openings = Openings.read(["127.0.0.1", "10.1.0.0/16", "fd00::/8", "Wiki.intern"])
        assert openings.admit("x", ip_address("127.0.0.1"))
        assert openings.admit("x", ip_address("10.1.255.1"))
        assert openings.admit("x", ip_address("fd12::1"))
        assert openings.admit("WIKI.intern.", ip_address("192.168.0.1"))
        assert not openings.admit("x", ip_address("127.0.0.2"))
        assert not openings.admit("x.wiki.intern", ip_address("192.168.0.1"))

    @pytest.mark.parametrize("entry", ["", "10.1.0.1/16", "300.1.1.1", "a b", "http://a.b", "*.intern", "-a", "a..b"])
    def test_anything_else_is_refused(self, entry):
        with pytest.raises(ValidationError, match="is no address, network or host name"):
            BrowseSettings(allow=(entry,))


class TestReach:
    def check(self, *addresses, port=443, allow=(), host="page.test"):
        check_reach(host, port, [*map(ip_address, addresses)], ports=PORTS, openings=Openings.read(allow))

    def test_public_hosts_may_be_reached(self):
        self.check("8.8.8.8", "2606:4700:4700::1111")
        self.check("8.8.8.8", port=80)

    @pytest.mark.parametrize("addresses", [("10.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("2606:4700::1", "::1")])
    def test_one_private_address_is_enough_to_refuse_a_host(self, addresses):
        with pytest.raises(PageError, match=r"'page\.test' is not on the public internet"):
            self.check(*addresses)

    def test_other_ports_may_not_be_used(self):
        with pytest.raises(PageError, match="port 22 may not be used, only 80, 443"):
            self.check("8.8.8.8", port=22)

    def test_what_is_opened_is_open_on_every_port(self):
        self.check("10.0.0.1", port=22, allow=("10.0.0.1",))
        self.check("10.0.0.1", port=22, allow=("page.test",))

    def test_an_opening_does_not_open_the_host_s_other_addresses(self):
        with pytest.raises(PageError, match="not on the public internet"):
            self.check("10.0.0.1", "10.0.0.2", allow=("10.0.0.1",))
        with pytest.raises(PageError, match="port 22"):
            self.check("10.0.0.1", "8.8.8.8", port=22, allow=("10.0.0.1",))


class TestResolution:
    @pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0"])
    async def test_every_way_to_write_this_machine_is_seen_through(self, host):
        addresses = await resolve(host, 80, system_resolver)
        with pytest.raises(PageError, match="not on the public internet"):
            check_reach(host, 80, addresses, ports=PORTS, openings=Openings())

    @pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..b", "a\0b", "é" * 300])
    async def test_what_is_no_name_is_told(self, host):
        with pytest.raises(PageError, match=r"is no host name|there is no host"):
            await resolve(host, 80, system_resolver)

    async def test_a_host_that_does_not_exist(self):
        with pytest.raises(PageError, match=r"there is no host 'none\.test'"):
            await resolve("none.test", 80, names())

    async def test_a_name_service_that_fails_is_nobody_s_fault(self):
        async def failing(host, port):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        with pytest.raises(ToolError, match=r"the name service fails on 'a\.test': Temporary failure") as caught:
            await resolve("a.test", 80, failing)
        assert caught.value.retry

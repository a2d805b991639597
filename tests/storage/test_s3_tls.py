"""A store that speaks TLS: with an authority of one's own, and with none that is known."""

import re
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fault_proxy import FaultProxy, cut, times
from storage_helpers import PART, contents, refusal

from aepo.storage import open_store


@pytest.fixture
def authority(tmp_path):
    """A certificate of one's own: the file, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "store.pem"
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0])
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


@pytest.fixture
def secure(server, authority):
    with FaultProxy(server, tls=authority[1]) as proxy:
        yield proxy


def test_an_authority_of_ones_own_is_trusted_when_it_is_named(
    settings, credentials, quick, secure, authority, sealed, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    store = open_store(settings.model_copy(update={"endpoint": secure.endpoint}))
    folder = sealed(**{"large.bin": 2 * PART, "small.bin": 10})
    secure.twists.append(
        times(1, cut(lambda request: request.method == "GET" and request.name.endswith("large.bin"), 2 * 2**20))
    )
    store.upload(folder, "k")
    assert contents(store.fetch("k", "weights").folder) == contents(folder)
    assert store.replace_text("t", None, "a")
    bodies = [request for request in secure.requests if request.is_part]
    assert all("content-md5" in {name.lower() for name in request.headers} for request in bodies)


def test_an_unknown_authority_is_told_at_once(settings, credentials, secure):
    store = open_store(settings.model_copy(update={"endpoint": secure.endpoint}))
    begun = time.monotonic()
    assert re.search(r"no TLS connection .*self.signed.*Set SSL_CERT_FILE to the authority", refusal(store))
    assert time.monotonic() - begun < 5

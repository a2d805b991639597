"""Where a store is and whose keys are used: from settings and environment, and never with a secret in a message."""

import http.server
import json
import logging
import os
import threading

import pytest
import urllib3

from aepo.errors import UserError
from aepo.storage import StorageSettings, open_store
from aepo.storage.s3.address import read_address
from aepo.storage.s3.credentials import find_credentials

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfi"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Nothing but what a test sets."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINIO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


class TestAddress:
    @pytest.mark.parametrize(
        ("root", "bucket", "prefix", "uri"),
        [
            ("s3://bucket", "bucket", "", "s3://bucket/k"),
            ("s3://bucket/", "bucket", "", "s3://bucket/k"),
            ("s3://my.bucket-1/a/b c/", "my.bucket-1", "a/b c", "s3://my.bucket-1/a/b c/k"),
            ("S3://bucket/a@b:c", "bucket", "a@b:c", "s3://bucket/a@b:c/k"),
        ],
    )
    def test_a_root_names_bucket_and_prefix(self, root, bucket, prefix, uri, monkeypatch):
        monkeypatch.setenv("MINIO_ACCESS_KEY", "key")
        monkeypatch.setenv("MINIO_SECRET_KEY", SECRET)
        settings = StorageSettings(root=root)
        address, store = read_address(settings), open_store(settings)
        assert (address.bucket, address.prefix) == (bucket, prefix)
        assert store.uri("k") == uri

    @pytest.mark.parametrize(
        ("root", "expected"),
        [
            ("s3://", "names no bucket: write s3://bucket/prefix"),
            ("s3:///prefix", "names no bucket"),
            ("s3://Bucket/x", "a bucket's name has 3 to 63 lower-case letters"),
            ("s3://ab", "a bucket's name"),
            ("s3://a..b/x", "a bucket's name"),
            ("s3://10.0.0.1/x", "a bucket's name"),
            ("s3://-bucket/x", "a bucket's name"),
            ("s3://under_score/x", "a bucket's name"),
            ("s3://minio:9000/bucket", "holds credentials or a port"),
            (f"s3://KEY:{SECRET}@bucket/x", "holds credentials or a port: write s3://bucket/prefix, and give the keys"),
            ("s3://KEY:bPxRfi@bucket/x", r"\*\*\*@bucket/x holds credentials"),
            ("s3://bucket/x?endpoint=minio", "the prefix may hold no '\\?'"),
            ("s3://bucket/x#y", "the prefix may hold no"),
            ("s3://bucket/a/../b", "without empty, '.' or '..' parts"),
            ("s3://bucket/a//b", "without empty"),
        ],
    )
    def test_a_malformed_root_is_refused(self, root, expected):
        with pytest.raises(UserError, match=expected) as refused:
            open_store(StorageSettings(root=root))
        assert not any(part in str(refused.value) for part in ("wJalr", "MDENG", "bPxRfi", "KEY:"))

    @pytest.mark.parametrize(
        ("environment", "setting", "endpoint"),
        [
            ({}, None, "https://s3.amazonaws.com"),
            ({"AWS_ENDPOINT_URL": "http://a:9000"}, None, "http://a:9000"),
            ({"AWS_ENDPOINT_URL": "http://a:9000", "AWS_ENDPOINT_URL_S3": "https://b"}, None, "https://b"),
            ({"AWS_ENDPOINT_URL_S3": "https://b"}, "http://minio.kubeflow:9000/", "http://minio.kubeflow:9000"),
            ({}, "http://[::1]:9000", "http://[::1]:9000"),
        ],
    )
    def test_the_endpoint_is_the_setting_else_the_environment_else_aws(
        self, environment, setting, endpoint, monkeypatch
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert read_address(StorageSettings(root="s3://bucket", endpoint=setting)).endpoint == endpoint

    @pytest.mark.parametrize(
        ("endpoint", "expected"),
        [
            ("minio:9000", "storage.endpoint minio:9000 lacks http:// or https://, or a host"),
            ("minio", "lacks http://"),
            ("ftp://minio", "lacks http://"),
            ("http://", "lacks http://"),
            ("http://minio:9000/bucket", "has more than a host and a port"),
            ("http://minio:9000?x=1", "has more than a host and a port"),
            ("http://minio:port", "is no address"),
            (f"http://KEY:{SECRET}@minio:9000", r"storage.endpoint http://\*\*\*@minio:9000 holds credentials"),
            (f"KEY:{SECRET}@minio:9000", "holds credentials"),
        ],
    )
    def test_a_malformed_endpoint_is_refused(self, endpoint, expected, monkeypatch):
        with pytest.raises(UserError, match=expected) as refused:
            open_store(StorageSettings(root="s3://bucket", endpoint=endpoint))
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(UserError, match="AWS_ENDPOINT_URL") as refused_too:
            open_store(StorageSettings(root="s3://bucket"))
        assert not any(part in f"{refused.value}{refused_too.value}" for part in ("wJalr", "MDENG", "KEY:"))

    def test_the_region_is_the_setting_else_the_environment_else_the_first_of_aws(self, monkeypatch):
        region = lambda **setting: read_address(StorageSettings(root="s3://bucket", **setting)).region  # noqa: E731
        assert region() == "us-east-1"
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
        assert region() == "eu-north-1"
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        assert region() == "eu-west-1"
        assert region(region="eu-central-1") == "eu-central-1"


class TestCredentials:
    def test_a_mounted_secret_comes_first_and_is_read_anew(self, tmp_path, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
        (tmp_path / "accesskey").write_text("mounted\n")
        (tmp_path / "secretkey").write_text(f"{SECRET}\n")
        provider = find_credentials(str(tmp_path))
        assert (provider.retrieve().access_key, provider.retrieve().secret_key) == ("mounted", SECRET)
        (tmp_path / "secretkey").write_text("rotated")
        assert provider.retrieve().secret_key == "rotated"

    def test_a_mounted_secret_without_its_files_is_told(self, tmp_path):
        with pytest.raises(UserError, match=rf"the secret {tmp_path} \(files accesskey, secretkey\) cannot be read"):
            find_credentials(str(tmp_path))

    @pytest.mark.parametrize(
        "names",
        [
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
            ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"),
        ],
    )
    def test_the_environment_is_read(self, names, monkeypatch):
        for name, value in zip(names, ("key ", f"{SECRET}\n", "token"), strict=False):
            monkeypatch.setenv(name, value)
        provider = find_credentials(None)
        found = provider.retrieve()
        assert (found.access_key, found.secret_key) == ("key", SECRET)
        assert found.session_token == ("token" if len(names) == 3 else None)
        assert provider.origin == f"the environment ({names[0]}, {names[1]})"

    @pytest.mark.parametrize(("name", "value"), [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", SECRET)])
    def test_half_of_a_pair_is_told(self, name, value, monkeypatch):
        monkeypatch.setenv(name, value)
        with pytest.raises(UserError, match="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"):
            find_credentials(None)

    def test_what_cannot_be_a_key_is_told_without_it(self, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}\nsecond line")
        with pytest.raises(UserError, match="hold characters that no key has") as refused:
            find_credentials(None)
        assert SECRET not in str(refused.value)

    def test_the_aws_file_is_read_after_the_environment(self, tmp_path, monkeypatch):
        (tmp_path / "home" / ".aws").mkdir(parents=True)
        (tmp_path / "home" / ".aws" / "credentials").write_text(
            f"[default]\naws_access_key_id = filed\naws_secret_access_key = {SECRET}\n"
        )
        assert find_credentials(None).retrieve().access_key == "filed"
        monkeypatch.setenv("AWS_PROFILE", "absent")
        with pytest.raises(UserError, match="no credentials"):
            find_credentials(None)

    def test_none_at_all_is_told_with_what_to_set(self):
        with pytest.raises(
            UserError, match=r"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or mount a secret .* set storage.secret"
        ):
            open_store(StorageSettings(root="s3://bucket"))

    def test_a_pod_s_role_is_used_where_the_environment_announces_it(self, role_server, monkeypatch):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{role_server.address}/credentials")
        found = find_credentials(None).retrieve()
        assert (found.access_key, found.secret_key, found.session_token) == ("ROLE", SECRET, "session")

    def test_a_web_identity_is_never_part_of_an_address_or_a_message(self, role_server, tmp_path, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG)
        (tmp_path / "token").write_text("the-pods-token")
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/trainer")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        provider = find_credentials(None)
        request = urllib3.PoolManager.urlopen
        monkeypatch.setattr(  # the address of AWS's token service leads to the test's server
            urllib3.PoolManager,
            "urlopen",
            lambda self, method, url, *args, **kwargs: request(
                self, method, url.replace("https://sts.amazonaws.com", role_server.address), *args, **kwargs
            ),
        )
        assert provider.retrieve().access_key == "ROLE"
        assert b"WebIdentityToken=the-pods-token" in role_server.bodies[0]
        assert b"RoleArn=arn" in role_server.bodies[0]
        role_server.status = 403
        with pytest.raises(UserError, match="the credentials in the role arn:aws:iam::1:role/trainer cannot be read"):
            find_credentials(None).retrieve()
        assert not any("the-pods-token" in text for text in (caplog.text, *role_server.paths))


@pytest.fixture
def role_server():
    """Hands out a role's credentials, as a pod's agent and AWS's token service do."""
    keys = {"AccessKeyId": "ROLE", "SecretAccessKey": SECRET}
    expiry = {"Expiration": "2999-01-01T00:00:00Z"}
    xml = "".join(f"<{n}>{v}</{n}>" for n, v in (keys | {"SessionToken": "session"} | expiry).items())
    name = "AssumeRoleWithWebIdentity"
    answers = {
        "GET": json.dumps(keys | {"Token": "session"} | expiry),
        "POST": f"<{name}Response><{name}Result><Credentials>{xml}</Credentials></{name}Result></{name}Response>",
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.paths.append(self.path)
            self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            body = answers[self.command].encode()
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.address, server.status = f"http://127.0.0.1:{server.server_port}", 200
        server.paths, server.bodies = [], []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()

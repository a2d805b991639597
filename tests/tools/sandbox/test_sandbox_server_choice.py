"""Which sandbox is used: a server in every cluster, and on no machine one beside an object store's keys."""

import pytest

from aepo.errors import UserError
from aepo.storage.s3 import credentials
from aepo.tools.sandbox import PythonSandbox, SandboxSettings, surroundings
from aepo.tools.sandbox.choose import open_sandbox
from aepo.tools.sandbox.remote import RemoteSandbox

URL = "http://aepo-sandbox:8080"


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """A machine of one's own, without keys."""
    for name in (*surroundings.KEYS, "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(surroundings, "ACCOUNT_TOKEN", tmp_path / "token")


@pytest.fixture(params=["the service of Kubernetes", "an account's token"])
def cluster(request, monkeypatch, tmp_path):
    """Either of what a pod is known by."""
    if request.param == "an account's token":
        (tmp_path / "token").write_text("secret")
    else:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")


def refused(settings, **given):
    with pytest.raises(UserError) as caught:
        open_sandbox(settings, **given)
    return str(caught.value)


class TestAlone:
    def test_the_sandbox_is_on_this_machine(self):
        assert isinstance(open_sandbox(SandboxSettings()), PythonSandbox)

    @pytest.mark.parametrize("kind", ["auto", "unsafe"])
    def test_a_server_that_is_named_is_used(self, kind):
        sandbox = open_sandbox(SandboxSettings(kind=kind, url=URL))
        assert isinstance(sandbox, RemoteSandbox)
        assert sandbox.url == URL


class TestClusters:
    @pytest.mark.parametrize("kind", ["auto", "bubblewrap", "landlock", "unsafe"])
    def test_the_policys_code_runs_in_pods_of_its_own(self, cluster, kind):
        message = refused(SandboxSettings(kind=kind))
        assert "kubectl apply -k manifests/base" in message
        assert f"sandbox.url to their service, {URL}" in message

    def test_a_server_is_used_though_the_step_has_keys(self, cluster, monkeypatch, tmp_path):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        assert isinstance(open_sandbox(SandboxSettings(url=URL), secret=tmp_path), RemoteSandbox)


class TestKeys:
    @pytest.mark.parametrize("name", surroundings.KEYS)
    @pytest.mark.parametrize("kind", ["auto", "unsafe"])
    def test_no_sandbox_runs_beside_them(self, monkeypatch, name, kind):
        monkeypatch.setenv(name, "hunter2")
        message = refused(SandboxSettings(kind=kind))
        assert f"while {name} is in the environment" in message
        assert "~/.aws/credentials" in message
        assert "aepo sandbox serve" in message
        assert "hunter2" not in message

    def test_all_of_them_are_named(self, monkeypatch):
        for name in ("MINIO_SECRET_KEY", "AWS_ACCESS_KEY_ID"):
            monkeypatch.setenv(name, "hunter2")
        assert "while AWS_ACCESS_KEY_ID, MINIO_SECRET_KEY are in the environment" in refused(SandboxSettings())

    def test_an_empty_variable_holds_nothing(self, monkeypatch):
        monkeypatch.setenv("AWS_SESSION_TOKEN", "")
        assert isinstance(open_sandbox(SandboxSettings()), PythonSandbox)

    def test_nor_where_the_stores_secret_is_mounted(self, tmp_path):
        (tmp_path / "secretkey").write_text("hunter2")
        message = refused(SandboxSettings(), secret=tmp_path)
        assert f"mounted at {tmp_path} (storage.secret)" in message
        assert "hunter2" not in message
        assert isinstance(open_sandbox(SandboxSettings(), secret=tmp_path / "elsewhere"), PythonSandbox)

    def test_every_variable_that_the_store_reads_is_known(self):
        read = {name for names in (credentials._AWS, credentials._MINIO, credentials._ROLES) for name in names if name}
        assert read <= set(surroundings.KEYS)

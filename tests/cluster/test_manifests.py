"""The Kubernetes manifests: they render, every object is valid, and the network policies allow what steps need."""

import ipaddress
import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import latest_version

from pipelines.tasks import POD_LABEL

ROOT = Path(__file__).parents[2]
BASE = ROOT / "manifests" / "base"
VERSIONS = ("1.29", latest_version())
"""The oldest and the newest Kubernetes that the manifests are for."""

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl, which renders them, is not here")


@pytest.fixture(scope="module")
def rendered():
    """The objects of manifests/base."""
    return render(BASE)


@pytest.fixture(scope="module")
def policies(rendered):
    """The network policies for the pods of stages."""
    return [thing for thing in rendered if thing["metadata"]["labels"]["app.kubernetes.io/component"] == "network"]


def render(folder):
    result = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(result.stdout))


def validate(thing, version):
    kubernetes_validate.validate(thing, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(rendered, version):
    for thing in rendered:
        validate(thing, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "mistake",
    [
        lambda policy: policy["spec"].update(policyType=["Egress"]),
        lambda policy: policy["spec"].update(policyTypes="Egress"),
        lambda policy: policy["spec"]["egress"][0]["ports"][0].update(port=[53]),
    ],
    ids=["a field that does not exist", "text for a list", "a list for a number"],
)
def test_a_mistake_is_refused(rendered, version, mistake):
    (policy,) = (json.loads(json.dumps(thing)) for thing in rendered if thing["metadata"]["name"] == "aepo-allow-dns")
    mistake(policy)
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(policy, version)


@pytest.mark.parametrize("folder", ["network", "sandbox"])
def test_every_file_is_used(folder):
    files = {path.name for path in (BASE / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(yaml.safe_load((BASE / folder / "kustomization.yaml").read_text())["resources"])


def test_policies_are_named_after_their_files(policies):
    files = {path.stem for path in (BASE / "network").glob("*.yaml")} - {"kustomization"}
    assert {f"aepo-{name}" for name in files} == {policy["metadata"]["name"] for policy in policies}


def test_names_and_labels_are_of_one_kind(rendered):
    for thing in rendered:
        metadata = thing["metadata"]
        assert metadata["namespace"] == "kubeflow"
        assert metadata["labels"]["app.kubernetes.io/name"] == "aepo"
        assert {"app.kubernetes.io/component", "app.kubernetes.io/managed-by"} < set(metadata["labels"])


def test_the_overlay_in_the_documentation_works(tmp_path):
    text = (ROOT / "docs" / "cluster.md").read_text()
    (overlay,) = re.findall(r"```yaml\n(# kustomization\.yaml\n.*?)```", text, re.DOTALL)
    (tmp_path / "kustomization.yaml").write_text(overlay)
    shutil.copytree(BASE, tmp_path / "aepo" / "manifests" / "base")
    things = render(tmp_path)
    assert {thing["metadata"]["namespace"] for thing in things} == {"alice"}
    assert allowed(things, "203.0.113.7", "TCP/443")
    for thing in things:
        validate(thing, VERSIONS[0])


class TestNetwork:
    """What the pods of stages may reach. The evaluation below is that of the API's reference: rules add up."""

    def test_the_policies_select_the_pods_of_stages(self, policies):
        label, value = POD_LABEL
        for policy in policies:
            assert policy["kind"] == "NetworkPolicy"
            assert policy["spec"]["podSelector"] == {"matchLabels": {label: value}}

    def test_nothing_comes_in_and_what_goes_out_is_restricted(self, policies):
        assert {kind for policy in policies for kind in policy["spec"]["policyTypes"]} == {"Ingress", "Egress"}
        assert not any("ingress" in policy["spec"] for policy in policies)

    @pytest.mark.parametrize(
        ("destination", "port"),
        [
            ({"namespace": "kube-system", "k8s-app": "kube-dns"}, "UDP/53"),
            ({"namespace": "kubeflow", "app": "seaweedfs"}, "TCP/8333"),
            ({"namespace": "kubeflow", "app": "minio"}, "TCP/9000"),
            ({"namespace": "kubeflow", "app": "ml-pipeline"}, "TCP/8887"),
            ({"namespace": "kubeflow", "component": "metadata-grpc-server"}, "TCP/8080"),
            ("10.96.0.1", "TCP/443"),
            ("172.18.0.2", "TCP/6443"),
            ({"namespace": "kubeflow", "app.kubernetes.io/name": "aepo-sandbox"}, "TCP/8080"),
        ],
    )
    def test_what_a_step_needs_is_allowed(self, policies, destination, port):
        assert allowed(policies, destination, port)

    @pytest.mark.parametrize(
        ("destination", "port"),
        [
            ("1.1.1.1", "TCP/443"),
            ("169.254.169.254", "TCP/80"),
            ("10.0.0.7", "TCP/22"),
            ({"namespace": "kubeflow", "app": "mysql"}, "TCP/3306"),
            ({"namespace": "kubeflow", "app": "seaweedfs"}, "TCP/8888"),
            ({"namespace": "elsewhere", "app": "seaweedfs"}, "TCP/8333"),
            ({"namespace": "elsewhere", "app.kubernetes.io/name": "aepo-sandbox"}, "TCP/8080"),
            ({"namespace": "kubeflow", "app.kubernetes.io/part-of": "aepo"}, "TCP/29500"),
        ],
        ids=[
            "the internet",
            "the cloud's credentials",
            "a machine of the private network",
            "the database",
            "another port of the object store",
            "a pod that calls itself an object store",
            "another namespace's sandbox",
            "another stage",
        ],
    )
    def test_what_it_does_not_need_is_not(self, policies, destination, port):
        assert not allowed(policies, destination, port)


def allowed(policies, destination, port):
    """Whether the policies let a packet out to an address, or to a pod given by its labels."""
    rules = [(policy, rule) for policy in policies for rule in policy["spec"].get("egress", [])]
    return any(
        port in {f"{item['protocol']}/{item['port']}" for item in rule["ports"]}
        and any(matches(peer, destination, policy["metadata"]["namespace"]) for peer in rule["to"])
        for policy, rule in rules
    )


def matches(peer, destination, own):
    """Whether a peer of a policy in the namespace `own` is the destination."""
    if isinstance(destination, str):
        block = peer.get("ipBlock")
        return block is not None and ipaddress.ip_address(destination) in ipaddress.ip_network(block["cidr"])
    if "podSelector" not in peer:
        return False
    selector = peer.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": own}})
    namespace = selector["matchLabels"]["kubernetes.io/metadata.name"]
    return {"namespace": namespace, **peer["podSelector"]["matchLabels"]}.items() <= destination.items()

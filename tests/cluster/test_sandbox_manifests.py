"""The sandbox on Kubernetes: what its pods may and may not do, read from the rendered objects."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import latest_version

from aepo.tools.sandbox import server, wire
from components.images import RUNTIME_IMAGE, SANDBOX_IMAGE
from pipelines.tasks import POD_LABEL

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
VERSIONS = ("1.29", latest_version())

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl, which renders them, is not here")


def kustomize(folder):
    result = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(result.stdout))


def overlay(folder, *components):
    """The base with components, in another namespace."""
    shutil.copytree(MANIFESTS, folder / "manifests")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "alice",
        "resources": ["manifests/base"],
        "components": [f"manifests/components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return kustomize(folder)


@pytest.fixture(scope="module")
def base():
    return kustomize(MANIFESTS / "base")


@pytest.fixture(scope="module")
def deployment(base):
    return only(base, "Deployment")


@pytest.fixture(scope="module")
def pod(deployment):
    return deployment["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (container,) = pod["containers"]
    return container


def only(things, kind, name="aepo-sandbox"):
    (thing,) = (thing for thing in things if (thing["kind"], thing["metadata"]["name"]) == (kind, name))
    return thing


def quantity(text):
    """Bytes or cores."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi|)", text).groups()
    return int(number) * {"Mi": 2**20, "Gi": 2**30, "": 1}[unit]


class TestPod:
    def test_it_has_no_account_no_secret_and_no_environment(self, pod, container):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert "serviceAccountName" not in pod
        assert not {"env", "envFrom"} & container.keys()
        assert [set(volume) for volume in pod["volumes"]] == [{"name", "emptyDir"}]
        assert not re.search(r"secret|configmap|projected|hostpath|token(?!\": false)", json.dumps(pod).lower())

    def test_it_shares_nothing_with_its_node(self, pod, container):
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & pod.keys()
        assert not any("hostPort" in port for port in container["ports"])

    def test_it_keeps_to_the_restricted_profile_of_pod_security(self, pod, container):
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }

    def test_its_user_is_the_images(self, pod):
        user = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "images/sandbox/Dockerfile").read_text(), re.MULTILINE)[-1]
        assert user == (str(pod["securityContext"]["runAsUser"]), str(pod["securityContext"]["runAsGroup"]))

    def test_it_may_write_to_tmp_only_and_that_is_bounded(self, pod, container):
        assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
        assert pod["volumes"][0]["emptyDir"].keys() == {"medium", "sizeLimit"}
        assert quantity(pod["volumes"][0]["emptyDir"]["sizeLimit"]) < quantity(
            container["resources"]["limits"]["memory"]
        )

    def test_everything_it_uses_is_limited(self, container):
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits.keys() == requests.keys() == {"cpu", "memory", "ephemeral-storage"}
        assert all(quantity(requests[name]) <= quantity(limits[name]) for name in limits)

    def test_names_are_asked_of_nobody(self, pod):
        assert pod["dnsPolicy"] == "None"
        assert pod["dnsConfig"] == {"nameservers": ["127.0.0.1"]}

    def test_the_dead_are_buried(self, pod):
        """The server is no init process; in a shared namespace Kubernetes' own pause process is one."""
        assert pod["shareProcessNamespace"] is True

    def test_no_proxy_is_put_into_it(self, deployment):
        assert deployment["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


class TestServer:
    def test_it_is_the_image_that_components_name(self, container):
        assert container["image"] == SANDBOX_IMAGE != RUNTIME_IMAGE

    def test_its_command_is_one_that_the_server_understands(self, container):
        assert container["command"] == ["python3", "-m", server.__name__]
        arguments = server.parser().parse_args(container["args"])
        assert [{"name": "http", "containerPort": arguments.port}] == container["ports"]
        assert arguments.host == "0.0.0.0"

    def test_probes_ask_what_the_server_answers(self, container):
        paths = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
        assert paths == {"startupProbe": wire.READY, "readinessProbe": wire.READY, "livenessProbe": wire.HEALTHY}

    def test_it_ends_in_order_before_it_is_killed(self, pod, container):
        (_, pause) = container["lifecycle"]["preStop"]["exec"]["command"]
        assert int(pause) + server.drain_seconds(server.Limits()) < pod["terminationGracePeriodSeconds"]

    def test_its_calls_fit_into_its_memory(self, pod, container):
        arguments = server.parser().parse_args(container["args"])
        tmp = quantity(pod["volumes"][0]["emptyDir"]["sizeLimit"])
        assert arguments.workers * server.Limits().memory + tmp <= quantity(container["resources"]["limits"]["memory"])


class TestMoreThanOne:
    def test_they_are_spread_and_replaced_one_by_one(self, base, deployment, pod):
        (spread,) = pod["topologySpreadConstraints"]
        selector = deployment["spec"]["selector"]
        assert deployment["spec"]["replicas"] > 1
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert spread["topologyKey"] == "kubernetes.io/hostname"
        assert spread["labelSelector"] == only(base, "PodDisruptionBudget")["spec"]["selector"] == selector
        assert selector["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()

    def test_the_service_leads_to_them(self, base, deployment, container):
        service = only(base, "Service")["spec"]
        assert service["selector"] == deployment["spec"]["selector"]["matchLabels"]
        (port,) = service["ports"]
        assert (port["port"], port["targetPort"]) == (container["ports"][0]["containerPort"], "http")


class TestNetwork:
    def test_stages_and_nobody_else_may_call_it(self, base, deployment, container):
        policy = only(base, "NetworkPolicy")["spec"]
        label, value = POD_LABEL
        assert policy["podSelector"] == deployment["spec"]["selector"]
        (rule,) = policy["ingress"]
        assert rule["from"] == [{"podSelector": {"matchLabels": {label: value}}}]
        assert rule["ports"] == [{"protocol": "TCP", "port": container["ports"][0]["containerPort"]}]

    def test_it_may_call_nobody(self, base, deployment):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        mine = [policy["spec"] for policy in base if policy["kind"] == "NetworkPolicy" and selects(policy, labels)]
        assert [policy["policyTypes"] for policy in mine] == [["Ingress", "Egress"]]
        assert not any("egress" in policy for policy in mine)

    def test_a_sandbox_is_no_stage(self, deployment):
        """A pod with the label of stages may reach the object store."""
        assert POD_LABEL[0] not in deployment["spec"]["template"]["metadata"]["labels"]


def selects(policy, labels):
    return policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


class TestComponents:
    def test_gvisor_changes_the_runtime_class_and_nothing_else(self, tmp_path, deployment):
        (tmp_path / "plain").mkdir()
        plain, things = overlay(tmp_path / "plain"), overlay(tmp_path, "gvisor")
        assert only(things, "Deployment")["spec"]["template"]["spec"].pop("runtimeClassName") == "gvisor"
        assert things == plain

    def test_agent_sandbox_keeps_the_same_pods(self, tmp_path, deployment):
        things = overlay(tmp_path, "gvisor", "agent-sandbox")
        sandboxes = [thing for thing in things if thing["kind"] == "Sandbox"]
        assert len(sandboxes) > 1
        for sandbox in sandboxes:
            assert sandbox["apiVersion"] == "agents.x-k8s.io/v1beta1"
            assert sandbox["metadata"]["namespace"] == "alice"
            assert sandbox["spec"].keys() == {"podTemplate", "operatingMode"}
            template = sandbox["spec"]["podTemplate"]
            assert template["spec"].pop("runtimeClassName") == "gvisor"
            assert template == deployment["spec"]["template"]
        assert not {"Deployment", "PodDisruptionBudget"} & {thing["kind"] for thing in things}
        assert only(things, "Service")["spec"]["selector"].items() <= template["metadata"]["labels"].items()

    @pytest.mark.parametrize("version", VERSIONS)
    def test_every_object_is_valid(self, tmp_path, version):
        """Those that Kubernetes itself knows; a Sandbox's pod as a pod."""
        for thing in overlay(tmp_path, "gvisor", "agent-sandbox"):
            known = thing
            if thing["kind"] == "Sandbox":
                known = {"apiVersion": "v1", "kind": "Pod", **thing["spec"]["podTemplate"]}
            kubernetes_validate.validate(known, version, strict=True)

    def test_every_component_is_tried_above(self):
        assert {path.name for path in (MANIFESTS / "components").iterdir()} == {"gvisor", "agent-sandbox"}

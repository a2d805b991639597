"""The images: what their Dockerfiles may and may not do, and, where Docker runs, that the image works."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from components.images import RUNTIME_IMAGE, SANDBOX_IMAGE

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted(ROOT.glob("images/*/Dockerfile"))
RUNTIME = ROOT / "images" / "runtime" / "Dockerfile"
SANDBOX = ROOT / "images" / "sandbox" / "Dockerfile"


def instructions(path):
    """The instructions of a Dockerfile, as (word, rest)."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined if line.strip())]


def stages(path):
    """The instructions by stage; those before the first FROM are the stage ""."""
    found = {"": []}
    name = ""
    for word, rest in instructions(path):
        if word == "FROM":
            name = re.search(r" AS (\w+)$", rest, re.IGNORECASE)[1]
            found[name] = []
        found[name].append((word, rest))
    return found


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
class TestRules:
    def test_the_base_image_is_the_users_to_pin(self, path):
        parts = stages(path)
        (argument,) = (rest for word, rest in parts.pop("") if word == "ARG")
        assert argument.startswith("BASE_IMAGE=")
        assert not argument.endswith(":latest")
        for (_, source), *_ in parts.values():
            assert source.split()[0] in ("${BASE_IMAGE}", *parts)

    def test_it_ends_as_a_user_by_number_who_is_not_root(self, path):
        *_, last = stages(path).values()
        users = [rest for word, rest in last if word == "USER"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
        assert [word for word, _ in last][-1] == "USER"

    def test_kubeflow_gives_the_command(self, path):
        assert not {"ENTRYPOINT", "CMD"} & {word for word, _ in instructions(path)}

    def test_nothing_is_fetched_but_packages_and_those_only_in_earlier_stages(self, path):
        assert "ADD" not in {word for word, _ in instructions(path)}
        *_, last = stages(path).values()
        for word, rest in last:
            assert word != "RUN" or not re.search(r"\b(pip|apt|apt-get|curl|wget|git|uv)\b", rest)

    def test_no_cache_is_left(self, path):
        build = stages(path)["build"]
        assert any(word == "ENV" and "PIP_NO_CACHE_DIR=1" in rest for word, rest in build)
        assert not any("--mount" in rest for word, rest in build if word == "RUN")  # the plain builder knows none

    def test_no_secret_is_in_it(self, path):
        names = re.findall(r"(?:^|\s)(\w+)=", " ".join(rest for word, rest in instructions(path) if word == "ENV"))
        names += [rest.partition("=")[0] for word, rest in instructions(path) if word == "ARG"]
        assert len(names) > 5
        assert not [name for name in names if re.search(r"PASSW|SECRET|TOKEN$|CREDENTIAL|_KEY", name)]

    def test_what_is_copied_exists_and_reaches_the_builder(self, path):
        sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        copies = [rest.split() for word, rest in instructions(path) if word == "COPY" and "--from" not in rest]
        sources = [source for copy in copies for source in copy[:-1]]
        assert sources
        for source in sources:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in sent, source


def test_only_sources_reach_the_builder():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.lstrip("!").startswith((".", "runs", "tests", "/"))]


def test_the_dependencies_that_are_installed_first_are_the_packages():
    listed = subprocess.run(
        [sys.executable, "images/requirements.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert listed == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def test_some_of_them_are_listed_with_the_same_versions():
    command = [sys.executable, "images/requirements.py"]
    listed = subprocess.run([*command, "numpy", "math-verify"], cwd=ROOT, capture_output=True, text=True, check=True)
    every = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert listed.stdout.splitlines() == [
        text for name in ("numpy", "math-verify") for text in every if re.match(rf"{name}\b", text)
    ]
    refused = subprocess.run([*command, "nunpy"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "no dependency of the package: nunpy\n")


NOTHING_ELSE = """
import sys
class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"{name} is not installed")
sys.meta_path.insert(0, Missing)
import aepo.tools.sandbox.server
print(*sys.modules)
"""


class TestSandbox:
    """The sandbox's image has what its server imports and what code may import, and nothing else of the package's."""

    @pytest.fixture(scope="class")
    def installed(self):
        return set(re.search(r"requirements\.py ([\w -]+) >", SANDBOX.read_text())[1].split())

    @pytest.fixture(scope="class")
    def imported(self, installed):
        """Modules that the server imports where nothing else is installed."""
        there = with_their_own(installed) | {"aepo"}
        packages = metadata.packages_distributions().items()
        others = [name for name, owners in packages if not {plain(owner) for owner in owners} & there]
        assert {"torch", "kfp", "minio", "httpx"} <= set(others)
        command = [sys.executable, "-c", NOTHING_ELSE, *others]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout.split()

    def test_what_the_server_imports_is_installed(self, imported):
        assert "aepo.tools.sandbox.server" in imported

    def test_what_is_installed_is_imported_or_for_the_policys_code(self, installed, imported):
        assert installed == {"numpy", "sympy"} | (installed & set(imported))

    def test_of_the_package_it_takes_a_few_modules(self, imported):
        others = {name for name in imported if name.startswith("aepo.") and not name.startswith("aepo.tools.sandbox")}
        assert others <= {
            "aepo.algorithms",
            "aepo.algorithms.conditions",
            "aepo.algorithms.parts",
            "aepo.errors",
            "aepo.tools",
            "aepo.tools.base",
            "aepo.units",
        }


def with_their_own(names):
    """Distributions, those that they need, and so on."""
    found, unseen = set(), set(names)
    while unseen:
        name = unseen.pop()
        found.add(name)
        needed = [Requirement(text) for text in metadata.requires(name) or ()]
        unseen |= {
            plain(item.name) for item in needed if not item.marker or item.marker.evaluate({"extra": ""})
        } - found
    return found


def plain(name):
    """The name of a distribution in its usual form."""
    return name.lower().replace("_", "-")


def test_make_builds_the_image_that_the_components_name():
    command = subprocess.run(
        ["make", "--dry-run", "images", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f'--tag "{RUNTIME_IMAGE}"' in command
    assert f"--file {RUNTIME.relative_to(ROOT)} --target cpu" in command
    assert list(stages(RUNTIME)) == ["", "build", "cpu"]


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def built(image):
    return shutil.which("docker") is not None and docker("image", "inspect", image).returncode == 0


CONFINED = (
    "--read-only",
    "--network=none",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:mode=1777",
)
"""Pod Security's restricted profile and more: a read-only root, no network."""


@pytest.mark.slow
@pytest.mark.skipif(not built(RUNTIME_IMAGE), reason=f"{RUNTIME_IMAGE} is not built here: make images")
class TestBuilt:
    """The image as a pod runs it."""

    def run(self, *command, user=None):
        chosen = ["--user", user] if user else []
        home = "--tmpfs=/home/aepo:mode=1777"
        return docker("run", "--rm", *CONFINED, home, *chosen, RUNTIME_IMAGE, *command)

    def test_it_runs_as_no_root_and_installs_nothing(self):
        assert self.run("id", "-u").stdout.strip() == "10001"
        assert "No module named pip" in self.run("python3", "-m", "pip", "--version").stderr

    @pytest.mark.parametrize("user", [None, "4711:4711"], ids=["its own user", "a user of the cluster's choice"])
    def test_a_run_trains_in_it(self, user):
        result = self.run("aepo", "train", "--config", "tiny", "--name", "trial", user=user)
        assert result.returncode == 0, result.stderr
        assert "verdict" in result.stdout

    def test_the_command_that_kubeflow_gives_works_in_it(self):
        from components.finish import finish

        container = finish.pipeline_spec.deployment_spec["executors"]["exec-finish"]["container"]
        config = json.dumps({"run": "trial"})
        final = {"state": "SUCCEEDED", "pipelineJobResourceName": "run", "pipelineTaskName": "run"}
        given = {
            "inputs": {"parameterValues": {"config": config, "status": final}},
            "outputs": {"outputFile": "/tmp/out"},
        }
        command = [*container["command"], "--executor_input", json.dumps(given), "--function_to_execute", "finish"]
        result = self.run(*command)
        assert result.returncode == 0, result.stderr

    def test_labels_say_what_it_is(self):
        labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", RUNTIME_IMAGE).stdout)
        assert labels["org.opencontainers.image.version"] == RUNTIME_IMAGE.rpartition(":")[2]
        assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.slow
@pytest.mark.skipif(not built(SANDBOX_IMAGE), reason=f"{SANDBOX_IMAGE} is not built here: make images")
class TestBuiltSandbox:
    """The sandbox's image as its pods run it."""

    @pytest.fixture(scope="class", params=[None, "4711:4711"], ids=["its own user", "a user of the cluster's choice"])
    def container(self, request):
        chosen = ["--user", request.param] if request.param else []
        server = ["python3", "-m", "aepo.tools.sandbox.server"]
        name = docker("run", "--detach", *CONFINED, *chosen, SANDBOX_IMAGE, *server).stdout.strip()
        yield name
        docker("rm", "--force", name)

    def call(self, container, code):
        """The answer to a call made in the container itself, whose network is its own."""
        client = (
            "import json, sys, time, urllib.request as u\n"
            "body, kind = json.dumps({'code': sys.argv[1]}).encode(), {'content-type': 'application/json'}\n"
            "for _ in range(100):\n"
            "    try: answer = u.urlopen(u.Request('http://127.0.0.1:8080/run', body, kind)); break\n"
            "    except u.URLError: time.sleep(0.2)\n"
            "print(answer.read().decode())\n"
        )
        result = docker("exec", container, "python3", "-c", client, code)
        assert result.returncode == 0, result.stderr + docker("logs", container).stderr
        return json.loads(result.stdout)

    def test_code_runs_in_it(self, container):
        code = (
            "import os, numpy, sympy; print(sympy.factorint(numpy.arange(85)[-1]), os.getuid() != 0, len(os.environ))"
        )
        answer = self.call(container, code)
        assert answer["outcome"] == "ok", answer
        assert answer["text"].startswith("{2: 2, 3: 1, 7: 1} True")

    def test_code_finds_no_other_process(self, container):
        code = (
            "import os\nfor pid in range(1, 100):\n    try: os.kill(pid, 9)\n    except OSError: pass\nos.kill(-1, 9)"
        )
        self.call(container, code)
        assert self.call(container, "print(6 * 7)") == {"text": "42\n", "outcome": "ok"}

    def test_it_ends_in_order(self, container):
        docker("stop", container)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip() == "0"

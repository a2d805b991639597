"""The contracts of pyproject.toml catch what they are there for: each is broken once, in a copy of the packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VIOLATIONS = {
    "aepo/tools/upwards.py": "def later():\n    from aepo.rollout import explorer",
    "aepo/storage/heavy.py": "import torch",
    "aepo/newcomer.py": "",
    "aepo/evaluation/direct.py": "import minio.error",
    "aepo/stages/kubeflow.py": "def later():\n    from kfp import dsl",
    "aepo/training/remote.py": "from kubernetes import client",
    "aepo/rollout/extra.py": "def later():\n    import vllm",
    "components/sharded.py": "import deepspeed",
    "components/upwards.py": "from pipelines import training",
}
COMPLAINTS = {
    "pipelines use components, components use stages": ["components.upwards -> pipelines.training"],
    "imports within aepo go downwards": ["aepo.tools.upwards -> aepo.rollout.explorer", "aepo.newcomer"],
    "only components and pipelines know Kubeflow": ["aepo.stages.kubeflow -> kfp"],
    "kubernetes, vllm and deepspeed have one place each": [
        "aepo.training.remote -> kubernetes",
        "aepo.rollout.extra -> vllm",
        "components.sharded -> deepspeed",
    ],
    "only the storage knows the object store's client": ["aepo.evaluation.direct -> minio"],
    "trajectories, artifacts and storage need no torch": ["aepo.storage.heavy -> torch"],
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """What import-linter says of the packages with the violations in them."""
    copy = tmp_path_factory.mktemp("packages")
    for package in ("aepo", "components", "pipelines"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for path, source in VIOLATIONS.items():
        (copy / path).write_text(source)
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    return result.stdout


@pytest.mark.parametrize("contract", COMPLAINTS)
def test_a_violation_breaks_the_contract(contract, complaints):
    assert f"{contract} BROKEN" in complaints
    for complaint in COMPLAINTS[contract]:
        assert complaint in complaints


def test_there_is_a_violation_of_every_contract(complaints):
    assert f"Contracts: 0 kept, {len(COMPLAINTS)} broken." in complaints

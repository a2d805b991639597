"""The files in a component's folder that are written for it say what the component and the catalogue say."""

import re
import shutil
import sys

import kfp
import pytest
import yaml

from components import catalogue, readme
from components.catalogue import CATALOGUE, metadata, oldest_kfp


def test_every_component_has_a_row():
    assert {path.parent.name for path in readme.ROOT.glob("*/component.py")} == set(CATALOGUE)


def test_the_files_are_what_would_be_written():
    assert readme.stale() == []


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A copy of the components' folders, which the generator works on."""
    shutil.copytree(readme.ROOT, tmp_path / "components", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(readme, "ROOT", tmp_path / "components")
    return tmp_path / "components"


def test_files_that_are_stale_are_named_and_written_again(folders, monkeypatch):
    (folders / "train" / "metadata.yaml").write_text("name: train\nstability: stable\n")
    (folders / "rollout" / "README.md").unlink()
    monkeypatch.setattr(sys, "argv", ["readme", "--check"])
    with pytest.raises(SystemExit, match=r"rollout/README\.md, train/metadata\.yaml stale; run `make readme`"):
        readme.main()
    monkeypatch.setattr(sys, "argv", ["readme"])
    readme.main()
    assert readme.stale() == []
    assert (folders / "train" / "metadata.yaml").read_text() == metadata("train")


@pytest.mark.parametrize("name", CATALOGUE)
def test_metadata_has_the_layout_of_kubeflows_component_repository(name):
    content = yaml.safe_load(metadata(name))
    assert list(content) == ["name", "stability", "dependencies", "tags"]
    assert content["name"] == name
    assert content["stability"] in ("experimental", "alpha", "beta", "stable")
    assert content["tags"]
    ((dependency,),) = content["dependencies"].values()
    assert dependency["name"] == "Pipelines"
    assert re.fullmatch(r">=\d+\.\d+\.\d+", dependency["version"])


def test_the_kubeflow_version_is_the_packages_own(tmp_path, monkeypatch):
    def parts(version):
        return tuple(map(int, version.split(".")[:3]))

    assert parts(oldest_kfp()) <= parts(kfp.__version__)
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["kfp-kubernetes>=1.0", "kfp>=9.8.7,<10"]\n')
    monkeypatch.setattr(catalogue, "PYPROJECT", tmp_path / "pyproject.toml")
    assert yaml.safe_load(metadata("train"))["dependencies"]["kubeflow"][0]["version"] == ">=9.8.7"

"""The store of folders: a file appears whole or not at all, whatever goes wrong; and its addresses."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from storage_helpers import contents

from aepo.artifacts import DamagedArtifact
from aepo.errors import UserError
from aepo.storage import StorageSettings, local_root, open_store
from aepo.storage.addresses import local_folder, shown
from aepo.storage.files import FileStore
from aepo.storage.local import locked


@pytest.fixture
def store(tmp_path):
    return open_store(StorageSettings(root=str(tmp_path / "runs")))


def below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class TestUpload:
    def test_the_fetched_folder_is_the_stored_one(self, store, sealed):
        uri = store.upload(sealed(), "policies/abc")
        assert store.fetch("policies/abc", "weights").folder == local_folder(uri) == store.root / "policies" / "abc"

    def test_a_repeated_upload_touches_nothing(self, store, sealed):
        folder = local_folder(store.upload(sealed(), "policies/abc"))
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        store.upload(sealed(), "policies/abc")
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

    def test_an_upload_that_fails_half_way_is_not_there_and_can_be_repeated(self, store, sealed, monkeypatch):
        folder, copyfile = sealed(), shutil.copyfile

        def breaks_half_way(source, target):
            copyfile(source, target)
            if Path(source).name == "0.bin":
                Path(target).write_bytes(b"\0")
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as failing:
            failing.setattr(shutil, "copyfile", breaks_half_way)
            with pytest.raises(OSError, match="No space left"):
                store.upload(folder, "k")
        assert not store.sealed("k")
        with pytest.raises(DamagedArtifact, match="did not finish"):
            store.fetch("k", "weights")
        store.upload(folder, "k")
        assert contents(store.fetch("k", "weights").folder) == contents(folder)

    def test_the_manifest_comes_last_and_everything_before_it_is_on_the_disk(self, store, sealed, monkeypatch):
        folder, order = sealed(), []
        fsync, replace = os.fsync, Path.replace
        monkeypatch.setattr(
            os,
            "fsync",
            lambda fd: (order.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"), fsync(fd)),
        )
        monkeypatch.setattr(Path, "replace", lambda path, to: (order.append(to.name), replace(path, to)))
        store.upload(folder, "k")
        step = ["file", None, "folder"]
        assert order == [name or file for file in ("config.json", "0.bin", "manifest.json") for name in step]

    def test_what_is_copied_is_what_the_manifest_says(self, store, sealed, monkeypatch):
        monkeypatch.setattr(shutil, "copyfile", lambda _, target: Path(target).write_bytes(b"rotten"))
        with pytest.raises(DamagedArtifact, match=r"config\.json was changed after it was written"):
            store.upload(sealed(), "k")
        assert not store.sealed("k")


class TestTexts:
    def test_a_failed_write_keeps_the_old_text(self, store, monkeypatch):
        store.write_text("run/champion", "old")
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            store.write_text("run/champion", "new")
        assert store.read_text("run/champion") == "old"
        assert below(store.root) == {"run/champion"}

    def test_no_scraps_are_left_beside_it(self, store):
        store.write_text("run/champion", "a")
        store.replace_text("run/champion", "a", "b")
        assert below(store.root / "run") == {"champion"}

    def test_writers_wait_for_one_another(self, store, tmp_path):
        store.write_text("champion", "old")
        with locked(store.root / ".locks", "champion"):
            code = (
                "from pathlib import Path; from aepo.storage.files import FileStore\n"
                "print('ready', flush=True)\n"
                f"print(FileStore(Path({str(store.root)!r})).replace_text('champion', 'old', 'new'))"
            )
            other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
            assert other.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(0.3)
            store.write_text("champion", "changed")
        assert other.communicate()[0] == "False\n"

    def test_a_text_that_is_no_text_matches_nothing(self, store):
        store.write_text("champion", "x")
        (store.root / "champion").write_bytes(b"\xff\xfe")
        assert not store.replace_text("champion", "x", "y")


class TestFailures:
    def test_what_the_system_says_is_passed_on(self, store, sealed):
        store.write_text("file", "x")
        with pytest.raises(OSError, match="runs/file"):
            store.upload(sealed(), "file/below")
        with pytest.raises(OSError, match="runs/file"):
            store.write_text("file/below", "x")

    def test_a_folder_that_cannot_be_deleted_is_told(self, store, sealed, monkeypatch):
        for key in ("k", "k/below"):
            store.upload(sealed(), key)
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "denied")))
        with pytest.raises(PermissionError):
            store.delete("k")
        assert not store.sealed("k")
        assert not store.sealed("k/below")

    def test_a_file_that_cannot_be_deleted_is_told(self, store, sealed, monkeypatch):
        store.upload(sealed(), "k")
        monkeypatch.setattr(os, "rmdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "denied")))
        with pytest.raises(PermissionError):
            store.delete("k")

    def test_deleting_a_link_leaves_what_it_points_to(self, store, sealed):
        store.upload(sealed(), "k")
        (store.root / "link").symlink_to(store.root / "k")
        store.delete("link")
        assert store.sealed("k")
        assert not store.sealed("link")


class TestAddresses:
    @pytest.mark.parametrize("root", ["/data/runs", "file:///data/runs", "file://localhost/data/runs"])
    def test_a_path_and_its_file_uri_name_the_same_store(self, root):
        store = open_store(StorageSettings(root=root))
        assert isinstance(store, FileStore)
        assert store.uri("a/b") == "file:///data/runs/a/b"

    def test_relative_and_home_folders_get_absolute_addresses(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert open_store(StorageSettings(root="runs")).uri("x") == (tmp_path / "runs" / "x").as_uri()
        assert open_store(StorageSettings(root="~/runs")).uri("x") == (tmp_path / "home" / "runs" / "x").as_uri()

    @pytest.mark.parametrize("name", ["my runs", "50%", "running №5", "a#b"])
    def test_an_address_leads_back_to_its_folder_whatever_its_name(self, name, tmp_path):
        store = open_store(StorageSettings(root=str(tmp_path / name)))
        assert local_folder(store.uri("policy")) == tmp_path / name / "policy"

    @pytest.mark.parametrize("root", ["gs://bucket", "https://example.org/runs", "hdfs://x"])
    def test_other_schemes_are_refused_by_name(self, root):
        scheme = root.split(":")[0]
        with pytest.raises(UserError, match=f"{root}: the scheme {scheme}:// is not supported; use s3://, file://"):
            open_store(StorageSettings(root=root))

    def test_a_file_address_needs_three_slashes(self):
        with pytest.raises(UserError, match="needs three slashes"):
            open_store(StorageSettings(root="file://data/runs"))

    def test_logs_stay_on_this_machine(self, tmp_path):
        scratch = str(tmp_path / "scratch")
        assert local_root(StorageSettings(root="s3://bucket/x", scratch=scratch)) == tmp_path / "scratch"
        assert local_root(StorageSettings(root=str(tmp_path), scratch=scratch)) == tmp_path

    @pytest.mark.parametrize(
        ("address", "printed"),
        [
            ("s3://bucket/prefix", "s3://bucket/prefix"),
            ("http://minio:9000", "http://minio:9000"),
            ("http://me:secret@minio:9000", "http://***@minio:9000"),
            ("s3://key:sec/ret@bucket/x", "s3://***@bucket/x"),
            ("s3://key:sec@ret@bucket/x", "s3://***@bucket/x"),
            ("s3://key:secret", "s3://key:***"),
            ("key:secret@host", "***@host"),
            ("runs", "runs"),
        ],
    )
    def test_what_looks_like_credentials_is_not_printed(self, address, printed):
        assert shown(address) == printed


def test_the_package_imports_nothing_heavy():
    code = "import sys, aepo.storage; print(*{'minio', 'urllib3', 'torch', 'numpy', 'certifi'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"

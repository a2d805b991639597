"""What holds for every store: folders are there once their manifest is, texts change whole."""

import threading

import pytest
from storage_helpers import contents

from aepo.artifacts import DamagedArtifact, read_manifest
from aepo.errors import UserError
from aepo.storage import StorageSettings, open_store


@pytest.fixture(params=["files", "s3"])
def store(request, tmp_path):
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return open_store(StorageSettings(root=str(tmp_path / "runs")))


class TestFolders:
    def test_a_folder_is_found_again_at_its_address(self, store, sealed):
        folder = sealed()
        uri = store.upload(folder, "run/policies/abc")
        assert uri == store.uri("run/policies/abc")
        fetched = store.fetch("run/policies/abc", "weights")
        assert contents(fetched.folder) == contents(folder)
        assert (fetched.kind, fetched.metadata, fetched.files) == ("weights", {"step": 3}, read_manifest(folder).files)

    @pytest.mark.parametrize(
        "files", [{"empty": b""}, {"a b/č №5 #%+&=?~.bin": b"x"}, {f"{n:03}": 9 for n in range(40)}]
    )
    def test_files_of_any_name_and_size_arrive(self, store, sealed, files):
        folder = sealed(**files)
        store.upload(folder, "k")
        assert contents(store.fetch("k", "weights").folder) == contents(folder)

    def test_a_key_may_hold_what_a_file_name_may(self, store, sealed):
        key = "rün 1/a+b=c&d%20/e#f"
        store.upload(sealed(), key)
        assert store.sealed(key)
        assert contents(store.fetch(key, "weights").folder) == contents(sealed())

    def test_what_stands_at_a_key_is_never_overwritten(self, store, sealed):
        first = sealed(**{"config.json": b"{}"})
        kept = contents(first)
        store.upload(first, "k")
        store.upload(sealed("other", **{"config.json": b"[]"}), "k")
        assert contents(store.fetch("k", "weights").folder) == kept

    def test_what_an_attempt_left_unsealed_is_replaced(self, store, sealed, monkeypatch):
        store.write_text("k/config.json", "of an attempt that was killed")
        assert not store.sealed("k")
        store.upload(sealed(), "k")
        assert contents(store.fetch("k", "weights").folder) == contents(sealed())

    def test_a_folder_without_a_manifest_is_not_there(self, store):
        store.write_text("k/config.json", "{}")
        assert not store.sealed("k")
        with pytest.raises(DamagedArtifact, match=r"k has no manifest.json: the stage that writes it did not finish"):
            store.fetch("k", "weights")

    def test_a_folder_of_another_kind_is_refused(self, store, sealed):
        store.upload(sealed(kind="plan"), "k")
        with pytest.raises(DamagedArtifact, match="k holds plan, where weights is expected"):
            store.fetch("k", "weights")

    @pytest.mark.parametrize("manifest", ["", "{", "[]", '{"kind": "weights", "metadata": {}, "files": {"../x": "0"}}'])
    def test_a_manifest_of_something_else_is_refused(self, store, manifest):
        store.write_text("k/manifest.json", manifest)
        with pytest.raises(DamagedArtifact, match=r"is no manifest of aepo"):
            store.fetch("k", "weights")

    def test_a_file_damaged_in_the_store_is_named(self, store, sealed):
        store.upload(sealed(**{"good.bin": b"1", "bad.bin": b"2"}), "k")
        store.write_text("k/bad.bin", "3")
        with pytest.raises(DamagedArtifact, match=r"k/bad\.bin .*(damaged|was changed)"):
            store.fetch("k", "weights")

    def test_a_file_missing_in_the_store_is_named(self, store, sealed):
        store.upload(sealed(**{"good.bin": b"1", "lost.bin": b"2"}), "k")
        store.delete("k/lost.bin")
        with pytest.raises(DamagedArtifact, match=r"k/lost\.bin is missing although"):
            store.fetch("k", "weights")

    def test_only_a_sealed_folder_is_uploaded(self, store, tmp_path):
        with pytest.raises(DamagedArtifact, match="has no manifest"):
            store.upload(tmp_path, "k")

    def test_a_folder_that_changed_after_it_was_sealed_is_not_uploaded(self, store, sealed):
        folder = sealed()
        (folder / "config.json").write_text("[]")
        with pytest.raises(DamagedArtifact, match=r"config\.json was changed after it was written"):
            store.upload(folder, "k")
        (folder / "config.json").unlink()
        with pytest.raises(DamagedArtifact, match=r"config\.json is missing"):
            store.upload(folder, "k")
        assert not store.sealed("k")

    def test_uploads_of_one_key_at_once_all_succeed(self, store, sealed):
        folder, failures = sealed(**{f"{n}.bin": 100_000 for n in range(6)}), []

        def upload():
            try:
                store.upload(folder, "k")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=upload) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert contents(store.fetch("k", "weights").folder) == contents(folder)


class TestTexts:
    def test_a_text_is_replaced_whole(self, store):
        assert store.read_text("champions/lookup.json") is None
        store.write_text("champions/lookup.json", "první\r\n")
        assert store.write_text("champions/lookup.json", "druhý\r\nřádek\n") == store.uri("champions/lookup.json")
        assert store.read_text("champions/lookup.json") == "druhý\r\nřádek\n"

    def test_an_empty_text_is_a_text(self, store):
        store.write_text("k", "")
        assert store.read_text("k") == ""
        assert not store.replace_text("k", None, "new")

    def test_a_text_is_replaced_only_if_it_still_reads_the_same(self, store):
        assert store.replace_text("k", None, "a")
        assert not store.replace_text("k", None, "b")
        assert not store.replace_text("k", "b", "c")
        assert store.replace_text("k", "a", "b")
        assert store.read_text("k") == "b"
        store.delete("k")
        assert not store.replace_text("k", "b", "c")
        assert store.read_text("k") is None

    def test_of_writers_at_once_exactly_one_replaces(self, store):
        store.write_text("k", "old")
        won = []
        start = threading.Barrier(6)

        def write(name):
            start.wait()
            if store.replace_text("k", "old", name):
                won.append(name)

        threads = [threading.Thread(target=write, args=(f"new {n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [store.read_text("k")]


class TestDeleting:
    def test_a_folder_goes_with_all_below_it_and_nothing_beside_it(self, store, sealed):
        for key in ("run/a", "run/a/b", "run/ab", "run/c"):
            store.upload(sealed(), key)
        store.delete("run/a")
        assert [store.sealed(key) for key in ("run/a", "run/a/b", "run/ab", "run/c")] == [False, False, True, True]
        assert store.read_text("run/a/config.json") is None
        assert store.read_text("run/ab/config.json") == "{}"

    def test_a_text_goes_alone(self, store):
        store.write_text("run/a.json", "a")
        store.write_text("run/b.json", "b")
        store.delete("run/a.json")
        assert (store.read_text("run/a.json"), store.read_text("run/b.json")) == (None, "b")

    def test_what_is_absent_is_no_error(self, store):
        store.delete("nothing/here")

    def test_a_deleted_folder_can_be_written_anew_with_another_content(self, store, sealed):
        store.upload(sealed(**{"a.bin": b"a", "b.bin": b"b"}), "k")
        store.fetch("k", "weights")
        store.delete("k")
        other = sealed("other", **{"a.bin": b"new"})
        store.upload(other, "k")
        assert contents(store.fetch("k", "weights").folder) == contents(other)


class TestKeys:
    @pytest.mark.parametrize("key", ["", "/", "/a", "a//b", "a/", "..", "a/../../b", "./a"])
    def test_a_key_stays_below_the_root(self, store, key, sealed):
        for call in (store.uri, store.sealed, store.read_text, store.delete, lambda key: store.upload(sealed(), key)):
            with pytest.raises(UserError, match="a key is a relative path"):
                call(key)

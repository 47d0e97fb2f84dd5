"""Transcripts are found in a tree, and nothing outside of it is read."""

import os
from pathlib import Path

import pytest

from sessions_app.integrations import files
from sessions_app.integrations.files import Candidate, CannotRead, Other, Refused

NOBODY = 65534


def found(root: Path, kind: type) -> list:
    return [one for one in files.find(root) if isinstance(one, kind)]


def a_file(path: Path, text: str = "{}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Finding:
    def test_takes_jsonl_at_any_depth_in_a_steady_order(self, tmp_path):
        for name in ("b/2.jsonl", "b/1.jsonl", "a/x/y.jsonl", "README.md"):
            a_file(tmp_path / name)
        assert [one.relative for one in found(tmp_path, Candidate)] == ["a/x/y.jsonl", "b/1.jsonl", "b/2.jsonl"]
        assert [one.path.name for one in found(tmp_path, Other)] == ["README.md"]

    def test_takes_a_file_that_was_named_whatever_its_name(self, tmp_path):
        (one,) = files.find(a_file(tmp_path / "notes.txt"))
        assert one.path == tmp_path / "notes.txt"

    def test_follows_a_link_that_was_named(self, tmp_path):
        a_file(tmp_path / "real" / "1.jsonl")
        (tmp_path / "link").symlink_to("real")
        (one,) = files.find(tmp_path / "link")
        assert one.path == tmp_path / "real" / "1.jsonl"

    @pytest.mark.parametrize("name", ["link.jsonl", "link"])
    def test_refuses_links_that_lead_out_of_the_tree(self, tmp_path, name):
        outside = a_file(tmp_path / "outside" / "1.jsonl")
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / name).symlink_to(outside if name.endswith(".jsonl") else outside.parent)
        (refused,) = files.find(tmp_path / "tree")
        assert refused.why == "It is a symbolic link that leads out of the directory."

    def test_passes_over_links_within_the_tree(self, tmp_path):
        one = a_file(tmp_path / "a" / "1.jsonl")
        (tmp_path / "again.jsonl").symlink_to(one)
        (tmp_path / "loop").symlink_to(tmp_path)
        assert [candidate.path for candidate in files.find(tmp_path)] == [one]

    def test_refuses_a_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.jsonl")
        (refused,) = found(tmp_path, Refused)
        assert refused.why == "It is no regular file."

    def test_says_what_is_compressed(self, tmp_path):
        a_file(tmp_path / "rollout.jsonl.zst")
        (refused,) = found(tmp_path, Refused)
        assert refused.why == "It is compressed; unpack it first."


class Opening:
    def test_reads_the_file(self, tmp_path):
        a_file(tmp_path / "a" / "1.jsonl", "text")
        with files.open_beneath(Candidate(tmp_path, "a/1.jsonl", 4)) as file:
            assert file.read() == b"text"

    def test_refuses_a_link_that_took_the_files_place(self, tmp_path):
        a_file(tmp_path / "secret")
        (tmp_path / "1.jsonl").symlink_to("secret")
        with pytest.raises(CannotRead, match="It is a symbolic link"):
            files.open_beneath(Candidate(tmp_path, "1.jsonl", 0))

    def test_refuses_a_link_that_took_a_directorys_place(self, tmp_path):
        a_file(tmp_path / "outside" / "1.jsonl")
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "a").symlink_to(tmp_path / "outside")
        with pytest.raises(CannotRead, match="It is a symbolic link"):
            files.open_beneath(Candidate(tmp_path / "tree", "a/1.jsonl", 0))

    def test_does_not_wait_for_a_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "1.jsonl")
        with pytest.raises(CannotRead, match="It is no regular file"):
            files.open_beneath(Candidate(tmp_path, "1.jsonl", 0))

    @pytest.mark.parametrize("root", ["/dev", "/proc/self"])
    def test_refuses_devices_and_directories(self, root):
        with pytest.raises(CannotRead, match="It is no regular file"):
            files.open_beneath(Candidate(Path(root), "zero" if root == "/dev" else "fd", 0))

    def test_says_what_is_gone(self, tmp_path):
        with pytest.raises(CannotRead, match="It is gone"):
            files.open_beneath(Candidate(tmp_path, "1.jsonl", 0))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_says_what_may_not_be_read(self, tmp_path):
        a_file(tmp_path / "1.jsonl").chmod(0o600)
        os.seteuid(NOBODY)
        try:
            with pytest.raises(CannotRead, match="Permission denied"):
                files.open_beneath(Candidate(tmp_path, "1.jsonl", 0))
        finally:
            os.seteuid(0)

"""A file is there whole or not at all, and every failure names the file and the mend."""

import errno
import os
import shutil
from collections import namedtuple

import pytest

from pipelines.errors import InputError, RunError
from pipelines.files import atomic

Usage = namedtuple("Usage", "total used free")


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_the_file_appears_when_the_body_ends(tmp_path):
    final = tmp_path / "account.csv"
    with atomic.atomic_path(final) as part:
        part.write_text("whole")
        assert part.parent == tmp_path
        assert part.name.startswith(f"account.csv.tmp-{os.getpid()}-")
        assert not final.exists()
    assert final.read_text() == "whole"
    assert names(tmp_path) == ["account.csv"]


def test_two_writers_of_one_file_have_two_temporary_files(tmp_path):
    with atomic.atomic_path(tmp_path / "a") as one, atomic.atomic_path(tmp_path / "a") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a").read_text() == "1"


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_a_failed_body_leaves_the_old_file_and_no_other(tmp_path, stop):
    final = tmp_path / "a"
    final.write_text("old")
    with pytest.raises(stop), atomic.atomic_path(final) as part:  # noqa: PT012
        part.write_text("half")
        raise stop
    assert final.read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full; free some space"),
        (errno.EDQUOT, "quota is used up; free some space"),
        (errno.EACCES, "permission is denied; make its directory writable"),
        (errno.EROFS, "read-only; make its directory writable"),
    ],
)
def test_a_failing_disk_is_one_sentence(tmp_path, number, words):
    with pytest.raises(RunError, match=words) as told, atomic.atomic_path(tmp_path / "soil.tif"):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path / "soil.tif") in str(told.value)
    assert "\n" not in str(told.value)


def test_an_error_without_a_number_on_a_full_disk_is_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 10, 0))
    with pytest.raises(RunError, match="disk is full"), atomic.atomic_path(tmp_path / "a"):
        raise RuntimeError("write error")


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(InputError, match="mine"), atomic.atomic_path(tmp_path / "a"):
        raise InputError("mine")
    with pytest.raises(OSError, match="No such file"), atomic.atomic_path(tmp_path / "a"):
        pass  # nothing was written, so there is nothing to move


def test_out_dir_is_made_with_its_parents(tmp_path):
    out = atomic.prepare_out_dir(tmp_path / "a" / "b", overwrite=False)
    assert out.is_dir()
    assert atomic.prepare_out_dir(out, overwrite=False) == out


def test_out_dir_with_foreign_files_is_refused_even_to_overwrite(tmp_path):
    (tmp_path / "thesis.doc").touch()
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"not empty \(it holds thesis.doc\) and is not an earlier run"):
            atomic.prepare_out_dir(tmp_path, overwrite)


def test_out_dir_of_a_failed_run_can_be_used_as_it_is(tmp_path):
    (tmp_path / "run.log").touch()
    (tmp_path / ".work").mkdir()
    assert atomic.prepare_out_dir(tmp_path, overwrite=False) == tmp_path


def test_out_dir_of_an_earlier_run_needs_overwrite(tmp_path):
    (tmp_path / atomic.RUN_MARK).touch()
    with pytest.raises(InputError, match="--overwrite"):
        atomic.prepare_out_dir(tmp_path, overwrite=False)
    assert atomic.prepare_out_dir(tmp_path, overwrite=True) == tmp_path
    assert names(tmp_path) == [atomic.RUN_MARK]


def test_out_dir_that_is_a_file_or_below_one(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(InputError, match="is a file, but the output needs a directory"):
        atomic.prepare_out_dir(tmp_path / "f", overwrite=False)
    with pytest.raises(InputError, match=r"cannot be written \(not a directory\)"):
        atomic.prepare_out_dir(tmp_path / "f" / "g", overwrite=False)


def test_out_dir_that_may_not_be_written(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(atomic.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(permission denied\); make it writable"):
        atomic.prepare_out_dir(tmp_path, overwrite=False)


def test_require_space(tmp_path, monkeypatch):
    atomic.require_space(tmp_path / "not" / "there" / "yet.tif", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 1_500_000))
    atomic.require_space(tmp_path, 1_500_000)
    with pytest.raises(RunError, match=r"needs 12.0 GB and only 1.5 MB are free on its disk; free some space"):
        atomic.require_space(tmp_path / "x.tif", 12_000_000_000)

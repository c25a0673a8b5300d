"""Errors that a person can cause."""

from __future__ import annotations

import errno
import pickle

import pytest

from dgseg import errors
from dgseg.errors import DgsegError, GeometryError, ScanError, write_error

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
KINDS = [kind for kind in KINDS if issubclass(kind, DgsegError)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_path_is_shown_but_never_public(kind):
    error = kind("It is broken.", remedy="Mend it.", path="/data/Doe_Jane.nii")
    assert str(error) == "/data/Doe_Jane.nii: It is broken. Mend it."
    assert error.public_message == "It is broken. Mend it."
    assert "Doe" not in repr(error)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_cross_processes(kind):
    error = kind("It is broken.", remedy="Mend it.", path="/data/a.nii")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.problem, again.remedy, again.path) == (
        error.problem,
        error.remedy,
        error.path,
    )


def test_parts_may_be_missing():
    error = DgsegError("It is broken.")
    assert str(error) == error.public_message == "It is broken."
    assert error.path is None


def test_a_geometry_error_is_a_scan_error():
    assert issubclass(GeometryError, ScanError)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not be written"),
        (errno.EIO, "reports an error"),
        (errno.EMLINK, "the system says: Too many"),
    ],
)
def test_each_reason_of_a_disk_has_its_sentence(tmp_path, code, reason):
    error = write_error("It could not be saved", tmp_path, OSError(code, "Too many"))

    assert reason in error.problem
    assert error.remedy
    assert str(tmp_path) not in error.public_message

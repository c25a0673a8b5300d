from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from dgseg.redaction import JsonLines, Redactor, redacted_traceback


@pytest.mark.parametrize(
    "text",
    [
        "cannot open /data/Mueller_Hans/T2.nii.gz",
        "[Errno 2] No such file: '/data/Mueller Hans/T2.nii.gz'",
        'File "C:\\scans\\Mueller Hans\\T2.nii" not found',
        "C:\\scans\\Mueller\\T2.dcm: truncated",
        "read Mueller/T2.nii.gz",
        "~/Mueller/T2 is gone",
        "MUELLER_HANS.DCM: bad",
    ],
)
def test_paths_are_struck_out(text):
    assert "mueller" not in Redactor()(text).lower()
    assert "<path>" in Redactor()(text)


@pytest.mark.parametrize(
    "text", ["GM/WM fell by 3 %.", "step 3 of 9", "12.5 s", "The disk is full.", "a / b"]
)
def test_sentences_stay_whole(text):
    assert Redactor()(text) == text


def test_hidden_names_are_struck_out_wherever_they_are():
    redactor = Redactor()
    redactor.hide(Path("/data/Mueller Hans/Hans_M_T2.nii.gz"))
    assert "Hans" not in redactor("series Hans_M_T2 of Mueller Hans is odd")


def test_plain_words_are_no_secrets():
    redactor = Redactor()
    redactor.hide(Path("/data/scans/image.nii.gz"))
    assert redactor("The scans hold no image.") == "The scans hold no image."


def test_a_traceback_keeps_the_place_and_loses_the_path():
    redactor = Redactor()
    try:
        try:
            Path("/data/Mueller/T2.nii.gz").read_bytes()
        except OSError as error:
            raise ValueError("bad") from error
    except ValueError as error:
        lines = redacted_traceback(error, redactor)
    text = "\n".join(lines)
    assert "Mueller" not in text
    assert "dgseg/test_redaction.py" in text
    assert lines[-1] == "ValueError: bad"
    assert any(line.startswith("FileNotFoundError") for line in lines)


def test_a_record_becomes_one_line_of_json():
    record = logging.LogRecord(
        "dgseg", logging.WARNING, "/x/y.py", 1, "lost %s", ("/data/Mueller",), None
    )
    entry = json.loads(JsonLines(Redactor()).format(record))
    assert entry["message"] == "lost <path>"
    assert entry["level"] == "warning"

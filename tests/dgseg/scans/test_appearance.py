"""Scans of the same scanner and sequence are told from others, and no word of it is kept."""

from __future__ import annotations

import json
import re

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.errors import BytesLengthException

from dgseg.scans import appearance
from dgseg.scans.appearance import GROUP_TAGS, group_of
from dgseg.scans.dicom import find_series, read_series
from dgseg.scans.memory import read_memory, write_memory
from dgseg.scans.nifti import read_nifti
from dgseg.scans.scan import ScanSource
from dgseg.scans.sources import discover, read

SIEMENS = {
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Avanto",
    "MagneticFieldStrength": 1.5,
    "SeriesDescription": "t2_tra",
    "Modality": "MR",
}
SIDECAR = {
    "Manufacturer": "Siemens",
    "ManufacturersModelName": "Avanto",
    "MagneticFieldStrength": 1.494,
    "SeriesDescription": "T2 tra",
    "Modality": "MR",
    "PatientName": "Doe^Jane",
}
WORDS = st.text("aZ é_-^\n7", max_size=12)


def group_of_series(dicom, folder, **elements):
    (found,) = find_series(dicom.save(dicom.series(3, **elements), folder))
    return read_series(found.source).group


@pytest.fixture
def with_sidecar(write_nifti):
    def write(content, name="scan"):
        path = write_nifti(f"{name}.nii.gz")
        text = content if isinstance(content, str) else json.dumps(content)
        path.with_name(f"{name}.json").write_text(text, encoding="utf-8")
        return path

    return write


def test_a_series_tells_its_scanner_and_sequence(dicom):
    first = group_of_series(dicom, "first", **SIEMENS)
    assert re.fullmatch("[0-9a-f]{6}", first)
    same = {"PatientName": "Roe^Richard", "SeriesNumber": 7, "EchoTime": 80.0}
    assert group_of_series(dicom, "same", **SIEMENS, **same) == first
    for keyword, value in (
        ("Manufacturer", "Philips"),
        ("ManufacturerModelName", "Aera"),
        ("MagneticFieldStrength", 3.0),
        ("SeriesDescription", "t1_tra"),
        ("Modality", "CT"),
    ):
        other = group_of_series(dicom, keyword, **{**SIEMENS, keyword: value})
        assert other not in ("", first), keyword


def test_the_protocol_stands_in_for_a_missing_description(dicom):
    bare = {**SIEMENS, "SeriesDescription": ""}
    groups = [
        group_of_series(dicom, f"{number}", **bare, **more)
        for number, more in enumerate(
            (
                {},
                {"ProtocolName": "cine"},
                {"SequenceName": "*tfi2d1"},
                {"ProtocolName": "Cine"},
            )
        )
    ]
    assert len(set(groups)) == 3
    assert groups[1] == groups[3]


def test_a_field_strength_that_is_no_number_spoils_no_series(dicom):
    folder = dicom.save(dicom.series(3, **{**SIEMENS, "MagneticFieldStrength": "1.5"}))
    for path in folder.iterdir():
        raw, begin = path.read_bytes(), b"\x18\x00\x87\x00"
        # As if these four bytes were a number of eight.
        path.write_bytes(raw.replace(begin + b"DS", begin + b"FD"))
    with pytest.raises(BytesLengthException):
        _ = pydicom.dcmread(path).MagneticFieldStrength
    (found,) = find_series(folder)
    assert len(read_series(found.source).group) == 6


def test_a_sidecar_tells_what_the_series_tells(dicom, with_sidecar):
    path = with_sidecar(SIDECAR)
    expected = group_of_series(dicom, "series", **SIEMENS)
    assert read_nifti(path).group == expected
    (found,) = discover(path)
    assert read(found.source).group == expected


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1, 2]",
        "[" * 100_000,
        '"SIEMENS"',
        {},
        {"Modality": "MR"},
        {"Manufacturer": None, "SeriesDescription": " _ "},
    ],
)
def test_a_sidecar_that_says_nothing_tells_nothing(with_sidecar, content):
    assert read_nifti(with_sidecar(content)).group == ""


def test_a_sidecar_that_cannot_be_one_is_not_read(with_sidecar, monkeypatch):
    path = with_sidecar(SIDECAR)
    assert read_nifti(path).group
    monkeypatch.setattr(appearance, "_MOST_BYTES", 20)
    assert read_nifti(path).group == ""


def test_without_a_file_nothing_is_known(write_nifti, tmp_path):
    scan = read_nifti(write_nifti())
    assert scan.group == ""
    kept = write_memory(tmp_path, scan)
    assert read_memory(kept).group == ""


def test_the_group_is_no_part_of_the_fingerprint(with_sidecar, write_nifti):
    told, untold = read_nifti(with_sidecar(SIDECAR)), read_nifti(write_nifti("other.nii.gz"))
    assert told.group != untold.group
    assert told.scan_id == untold.scan_id


@given(
    st.dictionaries(
        st.sampled_from(GROUP_TAGS),
        st.one_of(st.none(), WORDS, st.floats(), st.integers(), st.lists(WORDS)),
    )
)
def test_whatever_is_written_there_six_digits_are_all_that_stays(told):
    assert re.fullmatch("([0-9a-f]{6})?", group_of(told.get))
    assert group_of(told.get) == group_of(dict(told).get)


def test_the_source_of_a_scan_holds_no_word_of_it(with_sidecar):
    path = with_sidecar({**SIDECAR, "SeriesDescription": "for Dr Haddock"})
    source = discover(path)[0].source
    assert isinstance(source, ScanSource)
    for word in ("Haddock", "Avanto", "Siemens", "Doe"):
        assert word.casefold() not in f"{source} {read(source)}".casefold()

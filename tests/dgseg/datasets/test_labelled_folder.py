"""Labelled scans are found beside each other and as BIDS has them; what is wrong is named."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dgseg.datasets.labelled_folder import labelled_entries
from dgseg.errors import DatasetError, LabelsError
from dgseg.scans.nifti import label_table
from dgseg.scans.schema import CARDIAC, SPINAL_GM


def save(path, values, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        values = np.random.default_rng(seed).uniform(0, 9, (16, 16, 5)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.diag([1, 1, 5, 1])), path)
    return path


def labels(largest=2):
    values = np.zeros((16, 16, 5), np.uint8)
    values[4:9, 4:9, 1:4] = 1
    values[6:8, 6:8, 2] = largest
    return values


@pytest.fixture
def plain(tmp_path):
    folder = tmp_path / "north"
    for number in range(2):
        save(folder / f"p{number}" / f"P{number}_ED.nii.gz", None, number)
        save(folder / f"p{number}" / f"P{number}_ED_seg.nii.gz", labels())
    save(folder / "P9.nii.gz", None, 9)  # nobody labelled it
    return folder


@pytest.fixture
def bids(tmp_path):
    folder = tmp_path / "cords"
    for who in ("sub-1", "sub-2"):
        save(folder / who / "anat" / f"{who}_T2w.nii.gz", None, 3)
        drawn = folder / "derivatives" / "manual" / who / "anat"
        save(drawn / f"{who}_T2w_desc-cord_dseg.nii.gz", labels())
    (folder / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    return folder


def test_labels_beside_their_scans(plain):
    entries = labelled_entries(plain, SPINAL_GM)
    assert [(e.domain, e.subject, e.labelled) for e in entries] == [
        ("north", "P0", True),
        ("north", "P1", True),
    ]
    item = entries[0].load()
    assert np.flatnonzero(item.annotated).tolist() == [1, 2, 3]
    assert set(np.unique(item.labels)) == {0, 1, 2}
    assert item.domain == "north"


def test_a_bids_data_set_has_its_labels_below_derivatives(bids):
    entries = labelled_entries(bids, SPINAL_GM)
    assert [(e.domain, e.subject) for e in entries] == [("cords", "sub-1"), ("cords", "sub-2")]
    assert entries[1].load().labels.any()


def test_a_name_that_only_begins_like_another_is_another(tmp_path):
    for name in ("scan-1", "scan-10"):
        save(tmp_path / f"{name}.nii.gz", None)
    save(tmp_path / "derivatives" / "labels" / "scan-10_dseg.nii.gz", labels())
    assert [e.subject for e in labelled_entries(tmp_path, SPINAL_GM)] == ["scan-10"]


def test_participants_may_tell_their_site(bids):
    table = "participant_id\tage\tSite\nsub-1\t30\tUCL\nsub-2\t31\tNWU\n"
    (bids / "participants.tsv").write_text(table)
    assert [e.domain for e in labelled_entries(bids, SPINAL_GM)] == ["UCL", "NWU"]


def test_segmentations_go_before_other_labels(plain):
    first = plain / "p0" / "P0_ED_dseg.nii.gz"
    save(first, labels(largest=1))
    item = labelled_entries(plain, SPINAL_GM)[0].load()
    assert set(np.unique(item.labels)) == {0, 1}


def test_a_table_of_the_same_names_is_accepted(plain):
    table = label_table(SPINAL_GM)
    (plain / "p0" / "P0_ED_seg.tsv").write_text(table)
    (plain / "dseg.tsv").write_text(table.replace("\n1\t", "\n0\tbackground\t#000000\tB\n1\t"))
    assert len(labelled_entries(plain, SPINAL_GM)) == 2


def test_a_table_of_other_names_is_refused(plain):
    (plain / "p1" / "P1_ED_seg.tsv").write_text(label_table(CARDIAC))
    with pytest.raises(DatasetError, match=r"left ventricle.*grey matter") as error:
        labelled_entries(plain, SPINAL_GM)
    assert error.value.path.name == "P1_ED_seg.tsv"


def test_a_folder_without_labels_is_refused(tmp_path):
    save(tmp_path / "a.nii.gz", None)
    with pytest.raises(DatasetError, match="None of the 1 scans") as error:
        labelled_entries(tmp_path, SPINAL_GM)
    assert "_dseg" in error.value.remedy
    with pytest.raises(DatasetError, match="no such folder"):
        labelled_entries(tmp_path / "nowhere", SPINAL_GM)


def test_values_of_other_structures_are_refused_when_they_are_read(plain):
    save(plain / "p0" / "P0_ED_seg.nii.gz", labels(largest=3))
    entries = labelled_entries(plain, SPINAL_GM)
    with pytest.raises(LabelsError, match="values other than"):
        entries[0].load()
    assert labelled_entries(plain, CARDIAC)[0].load().labels.max() == 3

"""What a site's corrections show, and how good a network is on them."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from dgseg.adaptation.footing import measure_labelled
from dgseg.methods.base import Labelled
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.nifti import read_nifti
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.store import SliceStore

FABRIC = Fabric(accelerator="cpu", devices=1)


class Thresholds(torch.nn.Module):
    """Class 1 above one intensity, class 2 above another."""

    def __init__(self, *levels):
        super().__init__()
        self.levels = levels

    def forward(self, images):
        found = sum((images > level).long() for level in self.levels)[:, 0]
        return torch.nn.functional.one_hot(found, 3).permute(0, 3, 1, 2).float()


@pytest.fixture
def make_store(tmp_path):
    """Four slices, 32 px: a disc of 0.5 with a core of 1, class 1 and class 2."""

    def make(marks, draw=lambda truth: truth):
        y, x = np.mgrid[:32, :32]
        r = np.hypot(y - 16, x - 16)
        one = np.where(r < 4, 1.0, np.where(r < 9, 0.5, 0.0)).astype(np.float32)
        nib.save(
            nib.Nifti1Image(np.repeat(one[:, :, None], 4, axis=2), np.diag([1, 1, 5, 1])),
            tmp_path / "scan.nii.gz",
        )
        scan = read_nifti(tmp_path / "scan.nii.gz")
        truth = np.round(2 * scan.array / scan.array.max()).astype(np.uint8)
        item = AnnotatedScan(
            scan=scan,
            labels=draw(truth),
            annotated_slices=np.array(marks, dtype=bool),
            domain="here",
        )
        return SliceStore.build([item], Preprocessing(low_percentile=0, high_percentile=100))

    return make


@pytest.mark.parametrize(("marks", "n"), [((1, 0, 0, 0), 1), ((1, 1, 0, 1), 3)])
def test_a_perfect_network_has_a_dice_of_one(make_store, marks, n):
    net = Thresholds(0.25, 0.75)
    found = measure_labelled(net, make_store(marks), 3, 32, 0, FABRIC)
    assert found == Labelled(n, (), 1.0)
    assert net.training


def test_it_is_the_mean_over_the_structures_of_their_dice(make_store):
    # All of the disc is taken for the outer structure.
    found = measure_labelled(Thresholds(0.25), make_store((1, 1, 1, 1)), 3, 32, 0, FABRIC)
    y, x = np.mgrid[:32, :32]
    r = np.hypot(y - 16, x - 16)
    outer, all_ = ((r >= 4) & (r < 9)).sum(), (r < 9).sum()
    assert found.dice == pytest.approx((2 * outer / (outer + all_) + 0) / 2)


def test_what_no_correction_shows_is_named(make_store):
    store = make_store((1, 0, 0, 0), lambda truth: np.minimum(truth, 1))
    assert measure_labelled(Thresholds(0.25), store, 3, 32, 0, FABRIC) == Labelled(1, (2,), 1.0)


def test_other_slices_do_not_count(make_store):
    def draw(truth):
        truth = truth.copy()
        truth[1:] = 2 - truth[1:]
        return truth

    found = measure_labelled(
        Thresholds(0.25, 0.75), make_store((1, 0, 0, 0), draw), 3, 16, 0, FABRIC
    )
    assert found == Labelled(1, (), 1.0)


def test_slices_that_are_hidden_from_this_training_count(make_store):
    found = measure_labelled(
        Thresholds(0.25, 0.75), make_store((1, 0, 0, 0)), 3, 32, 0, FABRIC, n_hidden=2
    )
    assert found == Labelled(3, (), 1.0)


def test_without_corrections_nothing_is_known(make_store):
    store = make_store((0, 0, 0, 0))
    assert measure_labelled(Thresholds(0.25), store, 3, 32, 0, FABRIC) == Labelled(0)

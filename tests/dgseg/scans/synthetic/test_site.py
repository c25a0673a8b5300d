from __future__ import annotations

from dataclasses import replace
from functools import cache

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.schema import CARDIAC, SPINAL_GM
from dgseg.scans.synthetic.site import (
    NEW_CENTRE,
    SCANNERS,
    TRAINING_SCANNERS,
    make_site,
    write_site,
)

CORDS = [name for name, scanner in SCANNERS.items() if scanner.anatomy == "cord"]
HEARTS = [name for name, scanner in SCANNERS.items() if scanner.anatomy == "heart"]


@cache
def one_cord(name: str = "alder", seed: int = 0, n_slices: int = 6) -> AnnotatedScan:
    return make_site("cord", name, 1, seed, n_slices=n_slices, shape=(64, 64))[0]


@cache
def one_heart(name: str = "agate", seed: int = 0) -> AnnotatedScan:
    return make_site("heart", name, 1, seed, shape=(84, 84))[0]


def labels_of(item: AnnotatedScan) -> np.ndarray:
    assert item.labels is not None
    return item.labels


def test_the_same_seed_gives_the_same_scans_and_another_seed_others():
    first, other = one_cord(), one_cord(seed=1)
    again = make_site("cord", "alder", 1, 0, n_slices=6, shape=(64, 64))[0]
    assert first.scan.scan_id == again.scan.scan_id
    assert np.array_equal(labels_of(first), labels_of(again))
    assert first.scan.scan_id != other.scan.scan_id
    assert not np.array_equal(labels_of(first), labels_of(other))


def test_more_scans_leave_the_first_ones_as_they_were():
    two = make_site("cord", "cedar", 2, 5, n_slices=2, shape=(48, 48))
    one = make_site("cord", "cedar", 1, 5, n_slices=2, shape=(48, 48))
    assert two[0].scan.scan_id == one[0].scan.scan_id
    assert two[0].subject != two[1].subject


def test_scans_know_their_domain_and_are_wholly_annotated():
    item = one_cord("birch")
    assert item.domain == "synthetic-birch"
    assert item.scan.source.kind == "memory"
    assert item.annotated.all()
    assert item.scan.array.dtype == np.int16
    assert item.scan.array.min() >= 0


@pytest.mark.parametrize("name", CORDS)
def test_a_cord_has_human_proportions_in_every_slice(name):
    item = one_cord(name, seed=3)
    labels = labels_of(item)
    _, row_mm, column_mm = item.scan.geometry.spacing
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 2}
    assert SPINAL_GM.accepts(labels)
    areas = (labels > 0).sum(axis=(1, 2)) * row_mm * column_mm
    shares = (labels == 1).sum(axis=(1, 2)) / (labels > 0).sum(axis=(1, 2))
    assert 50 < areas.min() <= areas.max() < 110
    assert 0.10 < shares.min() <= shares.max() < 0.26
    whole = (labels == 1).sum() / (labels > 0).sum()
    assert 0.12 < whole < 0.25


def test_cords_stay_human_over_many_people():
    sites = make_site("cord", "fir", 10, 99, n_slices=3, shape=(40, 40))
    pixel = sites[0].scan.geometry.spacing[1] ** 2
    areas = [(labels_of(s) > 0).sum(axis=(1, 2)).mean() * pixel for s in sites]
    assert min(areas) > 60
    assert max(areas) < 105
    assert np.std(areas) > 1


@pytest.mark.parametrize("name", ["alder", "cedar", "maple"])
def test_white_matter_surrounds_grey_matter(name):
    for labels in labels_of(one_cord(name, seed=2)):
        grey, cord = labels == 1, labels > 0
        assert ndimage.label(cord)[1] == 1
        assert np.array_equal(ndimage.binary_fill_holes(cord), cord)
        touches = ndimage.binary_dilation(grey) & ~cord
        # Tips of the horns may reach the surface by a pixel of partial volume.
        assert touches.sum() <= 4
        assert ndimage.label(grey, np.ones((3, 3)))[1] <= 2


def test_the_enlargement_holds_more_grey_matter_than_the_upper_cord():
    shares = []
    for item in make_site("cord", "alder", 5, 4, n_slices=12, shape=(40, 40)):
        labels = labels_of(item)
        share = (labels == 1).sum(axis=(1, 2)) / (labels > 0).sum(axis=(1, 2))
        shares.append(share[:3].mean() - share[-3:].mean())
    assert np.mean(shares) > 0.02


def tissue_means(item: AnnotatedScan) -> tuple[float, float, float]:
    """Grey matter, white matter and the fluid around the cord."""
    labels, image = labels_of(item), item.scan.array
    cord = labels > 0
    plane = np.ones((1, 3, 3), bool)
    fluid = ndimage.binary_dilation(cord, plane, 4) & ~ndimage.binary_dilation(cord, plane, 2)
    return image[labels == 1].mean(), image[labels == 2].mean(), np.median(image[fluid])


@pytest.mark.parametrize("name", TRAINING_SCANNERS["cord"])
def test_training_cords_look_t2_star_weighted(name):
    grey, white, fluid = tissue_means(one_cord(name))
    assert fluid > 1.05 * white
    assert 1.05 * white < grey < fluid


def test_the_new_centre_turns_the_contrast_round():
    grey, white, fluid = tissue_means(one_cord(NEW_CENTRE["cord"]))
    assert fluid < 0.8 * white
    assert grey < 0.97 * white


@pytest.mark.parametrize("name", HEARTS)
def test_blood_is_brighter_than_muscle(name):
    item = one_heart(name)
    labels, image = labels_of(item), item.scan.array
    assert CARDIAC.accepts(labels)
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    muscle = image[labels == 2].mean()
    assert image[labels == 1].mean() > 1.2 * muscle
    assert image[labels == 3].mean() > 1.2 * muscle


@pytest.mark.parametrize("seed", range(3))
def test_muscle_surrounds_the_left_ventricle(seed):
    middle = labels_of(one_heart("agate", seed=seed))
    filled = np.flatnonzero((middle == 1).any(axis=(1, 2)))
    assert filled.size >= 5
    for labels in middle[filled]:
        cavity = labels == 1
        rim = ndimage.binary_dilation(cavity) & ~cavity
        assert np.all(labels[rim] == 2)
        assert ndimage.label(labels == 2)[1] == 1


def test_hearts_have_human_volumes_and_two_phases():
    volumes = []
    for item in make_site("heart", "granite", 7, 1, shape=(84, 84)):
        voxel_ml = np.prod(item.scan.geometry.spacing) / 1000
        labels = labels_of(item)
        volumes.append([(labels == value).sum() * voxel_ml for value in (1, 2, 3)])
    left, muscle, right = np.array(volumes).T
    assert 20 < left.min() < 70
    assert 85 < left.max() < 200
    assert 60 < muscle.min() <= muscle.max() < 220
    assert 30 < right.min() <= right.max() < 260


def test_scanners_differ_in_intensity_by_orders_of_magnitude():
    means = [one_cord(name).scan.array.mean() for name in CORDS]
    assert max(means) > 30 * min(means)


@pytest.mark.parametrize("name", [*CORDS, *HEARTS])
def test_the_grid_is_the_scanners_own_and_canonical_is_radiological(name):
    scanner = SCANNERS[name]
    make = one_cord if scanner.anatomy == "cord" else one_heart
    geometry = make(name).scan.geometry
    assert nib.aff2axcodes(geometry.affine) == tuple(scanner.axes)
    assert geometry.plane == "axial"
    assert geometry.end_letters == (("I", "S"), ("A", "P"), ("R", "L"))
    spacing = (scanner.slice_spacing_mm, *scanner.spacing_mm)
    assert np.allclose(geometry.spacing, spacing, atol=1e-6)
    assert geometry.obliquity_deg > 0
    assert geometry.slice_axis == next(i for i, c in enumerate(scanner.axes) if c in "SI")


def test_canonical_to_original_and_back_is_exact():
    scan = one_cord("maple").scan
    stored = scan.geometry.to_original(scan.array)
    assert stored.shape == scan.geometry.shape
    assert np.array_equal(scan.geometry.to_canonical(stored), scan.array)


def test_thicker_slices_cover_more_of_the_body():
    thin, thick = (
        replace(SCANNERS["alder"], thickness_mm=mm, noise=0.0, motion_mm=0.0)
        for mm in (1.0, 8.0)
    )
    a = make_site("cord", thin, 1, 3, n_slices=8, shape=(32, 32))[0]
    b = make_site("cord", thick, 1, 3, n_slices=8, shape=(32, 32))[0]
    assert a.scan.geometry.spacing[0] == pytest.approx(1.0)
    assert b.scan.geometry.spacing[0] == pytest.approx(8.0)

    def change(item: AnnotatedScan) -> float:
        area = (labels_of(item) == 1).sum(axis=(1, 2)).astype(float)
        return float(np.ptp(area) / area.mean())

    assert change(b) > change(a)


def test_unknown_and_unfit_scanners_are_refused():
    with pytest.raises(ValueError, match="unknown scanner"):
        make_site("cord", "nonesuch", 1, 0)
    with pytest.raises(ValueError, match="images the heart"):
        make_site("cord", "agate", 1, 0)


def test_the_new_centres_are_no_training_scanners():
    for anatomy, name in NEW_CENTRE.items():
        assert SCANNERS[name].anatomy == anatomy
        assert name not in TRAINING_SCANNERS[anatomy]
        assert len(TRAINING_SCANNERS[anatomy]) >= 4


def test_sites_are_written_as_nifti_with_neutral_names(tmp_path):
    scans = make_site("cord", "maple", 2, 8, n_slices=3, shape=(32, 40))
    paths = write_site(tmp_path / "site", scans, with_labels=True)
    assert [path.name for path in paths] == ["scan-01.nii.gz", "scan-02.nii.gz"]
    image = nib.load(paths[1])
    stored = Geometry.guess(image.shape, image.affine)
    assert stored.same_grid(scans[1].scan.geometry)
    assert stored.slice_axis == scans[1].scan.geometry.slice_axis
    read = stored.to_canonical(np.asarray(image.dataobj))
    assert np.array_equal(read, scans[1].scan.array)
    folder = tmp_path / "site" / "derivatives" / "labels"
    labels = nib.load(folder / "scan-02_dseg.nii.gz")
    assert labels.get_data_dtype() == np.uint8
    assert np.array_equal(stored.to_canonical(np.asarray(labels.dataobj)), scans[1].labels)


def test_labels_are_written_only_when_asked_for(tmp_path):
    write_site(tmp_path, make_site("cord", "fir", 1, 0, n_slices=2, shape=(32, 32)))
    assert [path.name for path in tmp_path.iterdir()] == ["scan-01.nii.gz"]

"""What a step looks at."""

from __future__ import annotations

import pytest
import torch

from dgseg.augment.config import AugmentConfig
from dgseg.augment.intensity import IntensityAugment
from dgseg.augment.spatial import SpatialAugment
from dgseg.methods.base import Batch, DomainBatch
from dgseg.methods.views import Viewer

MOVED = {"rotation_deg": 30.0, "translation_px": 5.0, "scale": 0.2, "elastic_px": 2.0}


def viewer(**config):
    config = AugmentConfig(**config)
    return Viewer(SpatialAugment(config), IntensityAugment(config))


def batches(data, *names):
    return [(data.all_domains.index(name), data.domains[name]) for name in names]


def test_labelled_slices_come_first_and_each_has_its_domain(domains):
    data = domains(labelled=2, unlabelled=3, names="abc")
    found = viewer().view(batches(data, "c", "a"))
    c, a = data.domains["c"], data.domains["a"]
    expected = [c.labelled, a.labelled, c.unlabelled, a.unlabelled]
    assert torch.equal(found.images, torch.cat([batch.images for batch in expected]))
    assert found.domains.tolist() == [2, 2, 0, 0, 2, 2, 2, 0, 0, 0]
    assert found.n_labelled == 4
    assert torch.equal(found.labels, torch.cat([c.labelled.labels, a.labelled.labels]))
    assert found.annotated is found.valid is found.target is None


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "n", "n_labelled"),
    [(True, True, 10, 4), (True, False, 4, 4), (False, True, 6, 0)],
)
def test_either_kind_of_slices(domains, labelled, unlabelled, n, n_labelled):
    data = domains(labelled=2, unlabelled=3)
    found = viewer(**MOVED).view(
        batches(data, "a", "b"), labelled=labelled, unlabelled=unlabelled
    )
    assert len(found.images) == len(found.domains) == len(found.valid) == n
    assert found.n_labelled == n_labelled
    assert (found.labels is None) == (n_labelled == 0)


def test_no_slices_no_view(domains):
    data = domains(labelled=2, unlabelled=0)
    assert viewer().view(batches(data, "a"), labelled=False) is None
    assert viewer().view([]) is None
    assert viewer().view([(0, DomainBatch())]) is None


def test_a_teachers_target_moves_as_its_slices_do(domains):
    """Equivariance: what is true of each pixel alone is true after the movement, too."""
    data = domains(labelled=2, unlabelled=4)

    def teacher(images):
        return torch.cat([images, 1 - images], dim=1)

    found = viewer(**MOVED).view(batches(data, "a", "b"), teacher=teacher)
    assert found.target.shape == (8, 2, 32, 32)
    torch.testing.assert_close(found.target, teacher(found.images[4:]), atol=1e-5, rtol=0)
    unmoved = torch.cat([data.domains[name].unlabelled.images for name in "ab"])
    assert (teacher(unmoved) - found.target).abs().mean() > 0.02


def test_labels_and_marks_move_as_their_slices_do(slices):
    _, labels = slices(6, 64)
    marks = labels > 0
    images = labels[:, None] / 2
    found = viewer(**MOVED).view([(0, DomainBatch(Batch(images, labels, marks)))])
    torch.testing.assert_close(found.annotated, (found.labels > 0) & found.valid)
    # Interpolated images and nearest labels differ by less than a step, but at borders.
    agree = (2 * found.images[:, 0] - found.labels).abs() < 0.5
    assert agree.float().mean() > 0.98
    assert (2 * images[:, 0] - found.labels).abs().mean() > 0.05


def test_a_mirrored_slice_is_mirrored_in_all_its_parts(slices):
    images, labels = slices(3)
    marks = torch.rand(3, 32, 32) < 0.5
    flipped = viewer(flip_probability=1.0).view(
        [(0, DomainBatch(Batch(images, labels, marks)))]
    )
    torch.testing.assert_close(flipped.images, images.flip(-1), atol=1e-5, rtol=0)
    assert torch.equal(flipped.labels, labels.flip(-1))
    assert torch.equal(flipped.annotated, marks.flip(-1))
    assert flipped.valid.all()


def test_each_slice_draws_its_own_change(slices):
    image = slices(1)[0].expand(6, -1, -1, -1)
    found = viewer(**MOVED).view([(0, DomainBatch(None, Batch(image)))])
    assert len({tuple(x.flatten().tolist()) for x in found.images}) == 6


def test_pixels_from_outside_are_marked(domains):
    data = domains(labelled=2, unlabelled=2)
    far = viewer(translation_px=1000.0).view(batches(data, "a", "b"))
    assert not far.valid.any()
    assert not far.annotated.any()
    near = viewer(**MOVED).view(batches(data, "a", "b"))
    assert 0.5 < near.valid.float().mean() < 1
    assert torch.equal(near.annotated, near.valid[:4])


def test_where_only_some_slices_have_marks_the_others_count_whole(slices):
    images, labels = slices(4)
    marks = torch.rand(2, 32, 32) < 0.5
    found = viewer().view(
        [
            (0, DomainBatch(Batch(images[:2], labels[:2]))),
            (1, DomainBatch(Batch(images[2:], labels[2:], marks))),
        ]
    )
    assert found.annotated[:2].all()
    assert torch.equal(found.annotated[2:], marks)


def test_the_teacher_is_asked_about_unlabelled_slices_as_they_are(domains):
    data, asked = domains(), []

    def teacher(images):
        asked.append(images)
        return torch.cat([images, 1 - images], dim=1).requires_grad_()

    strong = Viewer(
        SpatialAugment(AugmentConfig.preset("strong")),
        IntensityAugment(AugmentConfig.preset("strong")),
    )
    found = strong.view(batches(data, "a", "b"), teacher=teacher)
    assert len(asked) == 1
    plain = torch.cat([data.domains[name].unlabelled.images for name in "ab"])
    assert torch.equal(asked[0], plain)
    assert strong.view(batches(data, "a"), unlabelled=False, teacher=teacher).target is None
    assert len(asked) == 1
    assert not found.images.requires_grad


def test_intensities_change_in_images_alone(domains):
    data = domains()
    found = viewer(noise=0.5, noise_probability=1.0).view(batches(data, "a", "b"))
    assert found.valid is found.annotated is None
    labels = torch.cat([data.domains[name].labelled.labels for name in "ab"])
    assert torch.equal(found.labels, labels)
    images = torch.cat([data.domains[name].labelled.images for name in "ab"])
    assert not torch.equal(found.images[:4], images)
    assert found.images.min() >= 0
    assert found.images.max() <= 1


def test_a_view_follows_the_seed(domains):
    data, strong = domains(), AugmentConfig.preset("strong")
    found = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        same = Viewer(SpatialAugment(strong), IntensityAugment(strong))
        found.append(same.view(batches(data, "a", "b")))
    assert torch.equal(found[0].images, found[1].images)
    assert torch.equal(found[0].labels, found[1].labels)
    assert not torch.equal(found[0].images, found[2].images)


def test_what_is_compared_with_a_target(domains):
    """Pixels from within the slice, of unlabelled slices, where the teacher is sure."""
    data = domains(labelled=2, unlabelled=3)

    def teacher(images):
        return torch.cat([images, 1 - images], dim=1)

    found = viewer(**MOVED).view(batches(data, "a", "b"), teacher=teacher)
    assert torch.equal(found.compared(), found.valid[4:])
    sure = found.target.amax(1) >= 0.8
    assert 0 < sure.float().mean() < 1
    assert torch.equal(found.compared(0.8), sure & found.valid[4:])
    still = viewer().view(batches(data, "a", "b"), teacher=teacher)
    assert still.compared() is None
    assert torch.equal(still.compared(0.8), still.target.amax(1) >= 0.8)
    assert viewer().view(batches(data, "a", "b")).compared(0.8) is None

"""Crops come from the right place, with the labels that somebody vouched for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dgseg.errors import LabelsError
from dgseg.nets.poses import AS_IT_IS, Pose, posed
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.store import SliceStore

NATIVE = Preprocessing(low_percentile=0, high_percentile=100)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def coordinates_scan(make_scan, **options):
    """A scan whose intensity names the voxel, so that a crop tells where it was cut."""
    item = make_scan("a", **options)
    array = np.arange(item.scan.array.size, dtype=np.float32).reshape(item.scan.array.shape)
    object.__setattr__(item.scan, "array", array)
    return item


def test_a_crop_is_a_piece_of_its_slice_with_its_labels(make_scan):
    item = coordinates_scan(make_scan, size=(3, 20, 24))
    store = SliceStore.build([item], NATIVE)
    batch = store.sample("a", 64, 16, True, generator())
    assert batch.images.shape == (64, 1, 16, 16)
    assert batch.images.dtype == torch.float32
    assert batch.labels.dtype == torch.int64
    assert batch.annotated is None
    found = torch.round(batch.images[:, 0] * (item.scan.array.size - 1)).long().numpy()
    at = np.stack(np.unravel_index(found[:, 8, 8].clip(0), item.scan.array.shape), 1)
    for (index, row, column), labels in zip(at, batch.labels.numpy(), strict=True):
        # float16 blurs neighbouring voxels: allow the crop to be one column off.
        pieces = [
            item.labels[index, row - 8 : row + 8, max(0, c) : max(0, c) + 16]
            for c in (column - 9, column - 8, column - 7)
        ]
        assert any(p.shape == labels.shape and (p == labels).all() for p in pieces)


def test_every_position_can_be_drawn_and_none_outside(make_scan):
    item = make_scan("a", size=(2, 18, 20))
    store = SliceStore.build([item], NATIVE)
    batch = store.sample("a", 400, 16, True, generator(), foreground_share=0.0)
    assert batch.annotated is None
    corners = {tuple(image[0, 0].tolist()) for image in batch.images}
    assert len(corners) == 2 * 3 * 5


def test_labels_that_nobody_vouched_for_reach_no_batch(make_scan):
    item = make_scan("a", size=(4, 32, 32), annotated=[False, True, False, False])
    item.labels[[0, 2, 3]] = 1
    item.labels[1] = 0
    store = SliceStore.build([item], NATIVE)
    assert store.n_slices("a") == 4
    assert store.n_slices("a", labelled=True) == 1
    batch = store.sample("a", 100, 32, True, generator())
    assert not batch.labels.any()
    assert len({image.sum().item() for image in batch.images}) == 1


def test_all_slices_are_unlabelled_ones_too(make_scan):
    item = make_scan("a", size=(4, 32, 32), annotated=[False, True, False, False])
    store = SliceStore.build([item], NATIVE)
    batch = store.sample("a", 100, 32, False, generator())
    assert batch.labels is None
    assert batch.annotated is None
    assert len({image.sum().item() for image in batch.images}) == 4


def test_small_slices_are_mirrored_and_nothing_beyond_is_annotated(make_scan):
    small, large = make_scan("a", size=(1, 20, 30)), make_scan("b", size=(2, 90, 50))
    store = SliceStore.build([small, large], NATIVE)
    batch = store.sample("a", 8, 80, True, generator())
    assert batch.images.shape == (8, 1, 80, 50)
    assert batch.annotated.sum(dim=(1, 2)).tolist() == [600] * 8
    rows = batch.annotated[0].any(dim=1).nonzero().flatten()
    assert (rows[0], rows[-1]) == (30, 49)
    assert (batch.labels[~batch.annotated] == 0).all()
    got = batch.images[0, 0].numpy()
    whole = got[30:50, 10:40]
    assert np.array_equal(got, np.pad(whole, ((30, 30), (10, 10)), "reflect"))


@pytest.mark.parametrize("labelled", [True, False])
def test_no_crop_is_larger_than_the_largest_slice(make_scan, labelled):
    scans = [make_scan("a", size=(2, 20, 30)), make_scan("a", size=(3, 24, 18))]
    store = SliceStore.build(scans, NATIVE)
    assert store.sample("a", 4, 64, labelled, generator()).images.shape == (4, 1, 24, 30)
    assert store.sample("a", 4, 22, labelled, generator()).images.shape == (4, 1, 22, 22)


def test_slices_of_one_size_are_whole_where_crops_could_be_larger(make_scan):
    item = make_scan("a", size=(1, 20, 30))
    store = SliceStore.build([item], NATIVE)
    batch = store.sample("a", 2, 64, True, generator())
    assert batch.annotated is None
    assert (batch.labels.numpy() == item.labels).all()


def test_the_share_near_structures_holds_some(make_scan):
    item = make_scan("a", size=(6, 96, 96))
    small = np.zeros_like(item.labels)
    small[:, 10:12, 80:82] = 1
    object.__setattr__(item, "labels", small)
    store = SliceStore.build([item], NATIVE)

    def share(wanted):
        batch = store.sample("a", 300, 24, True, generator(), foreground_share=wanted)
        return (batch.labels.flatten(1).sum(1) > 0).float().mean().item()

    assert share(1.0) == 1.0
    assert share(0.0) < 0.2
    assert 0.55 < share(0.6) < 0.8


def test_the_generator_alone_decides(make_scan):
    store = SliceStore.build([make_scan("a")], NATIVE)
    first, second = (store.sample("a", 8, 16, True, generator(5)) for _ in range(2))
    other = store.sample("a", 8, 16, True, generator(6))
    assert torch.equal(first.images, second.images)
    assert not torch.equal(first.images, other.images)


def test_slices_are_on_the_models_grid(make_scan):
    item = make_scan("a", size=(2, 40, 60), spacing=(4.0, 1.0, 1.0))
    store = SliceStore.build([item], Preprocessing(spacing_mm=0.5))
    batch = store.sample("a", 2, 128, True, generator())
    expected = item.scan.geometry.canonical_shape
    assert batch.images[0].numel() == 4 * expected[1] * expected[2]
    shares = batch.labels.float().sum(dim=(1, 2)) / 4
    assert shares.numpy() == pytest.approx(item.labels.sum((1, 2)).mean(), rel=0.3)


def test_large_stores_are_mapped_from_a_file_that_goes_away(make_scan, tmp_path):
    items = [make_scan("a"), make_scan("b", seed=1)]
    store = SliceStore.build(items, NATIVE, memory_limit_gb=1e-6, cache_dir=tmp_path)
    in_memory = SliceStore.build(items, NATIVE)
    assert store.mapped
    assert not in_memory.mapped
    for domain in "ab":
        mapped, held = (s.sample(domain, 9, 24, True, generator(1)) for s in (store, in_memory))
        assert torch.equal(mapped.images, held.images)
        assert torch.equal(mapped.labels, held.labels)
    assert list(tmp_path.iterdir())
    del store
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_named(make_scan):
    item = make_scan("a", annotated=[False] * 4)
    store = SliceStore.build([item], NATIVE)
    with pytest.raises(LabelsError, match="no annotated slices"):
        store.sample("a", 1, 16, True, generator())
    with pytest.raises(LabelsError, match="no slices"):
        store.sample("b", 1, 16, False, generator())
    with pytest.raises(LabelsError, match="no scans"):
        SliceStore.build([], NATIVE)


def test_whole_slices_come_in_batches_of_one_size(make_scan):
    sizes = [(5, 20, 24), (2, 18, 24), (3, 20, 24)]
    items = [make_scan("a", size=size, seed=seed) for seed, size in enumerate(sizes)]
    store = SliceStore.build([*items, make_scan("b")], NATIVE)
    batches = list(store.slices("a", at_once=6))
    assert [tuple(b.shape) for b in batches] == [(6, 1, 20, 24), (2, 1, 20, 24), (2, 1, 18, 24)]
    array = items[1].scan.array
    scaled = (array - array.min()) / (array.max() - array.min())
    np.testing.assert_allclose(batches[2][:, 0].numpy(), scaled, atol=1e-3)
    third = items[2].scan.array
    scaled = (third - third.min()) / (third.max() - third.min())
    np.testing.assert_allclose(batches[1][:, 0].numpy(), scaled[1:], atol=1e-3)
    assert list(store.slices("nowhere")) == []


def test_slices_can_come_from_a_file(make_scan, tmp_path):
    item = make_scan("a")
    held = SliceStore.build([item], NATIVE)
    mapped = SliceStore.build([item], NATIVE, memory_limit_gb=1e-9, cache_dir=tmp_path)
    assert mapped.mapped
    for one, two in zip(held.slices("a"), mapped.slices("a"), strict=True):
        assert torch.equal(one, two)


def test_it_knows_the_classes_that_annotated_slices_show(make_scan):
    both, none = make_scan("a"), make_scan("a", annotated=[False] * 5, size=(5, 20, 24))
    assert SliceStore.build([both, none], Preprocessing()).classes() == (0, 1)
    assert SliceStore.build([none], Preprocessing()).classes() == ()


def test_slices_and_labels_are_turned_together(make_scan):
    item = make_scan("a", size=(5, 40, 48))
    bright = item.scan.array > np.median(item.scan.array)
    item.labels[:] = bright
    item.scan.array[:] = bright
    seen = []

    def find(scan_id, asked, slices):
        seen.append((scan_id, asked, *slices.shape))
        return Pose(25.0, 1.2)

    turned = next(SliceStore.build([item], NATIVE, find_pose=find).slices("a"))
    plain = next(SliceStore.build([item], NATIVE).slices("a"))
    assert seen == [(item.scan.scan_id, (1, 2, 3), 3, 1, 40, 48)]
    torch.testing.assert_close(turned, posed(plain, Pose(25.0, 1.2)), atol=1e-3, rtol=0)
    store = SliceStore.build([item], NATIVE, find_pose=find)
    batch = store.sample("a", 32, 48, True, generator())
    sure = (batch.images[:, 0] - 0.5).abs() > 0.45
    assert sure.float().mean() > 0.1
    assert torch.equal((batch.images[:, 0] > 0.5)[sure], (batch.labels == 1)[sure])


@pytest.mark.parametrize(
    ("hidden", "asked"),
    [((), (1, 2, 3)), ((2,), (1, 3)), ((0, 1, 2), (3, 4)), ((0, 1, 2, 3, 4), None)],
)
def test_hidden_slices_have_no_say_in_the_pose(make_scan, hidden, asked):
    item = make_scan("a", size=(5, 20, 24))
    seen = []

    def find(scan_id, slices, images):
        seen.append((slices, images))
        return AS_IT_IS

    flags = np.isin(np.arange(5), hidden)
    items = [
        replace(item, hidden_slices=flags),
        make_scan("b", annotated=[False] * 5, size=(5, 20, 24)),
    ]
    SliceStore.build(items, NATIVE, find_pose=find)
    del seen[-1]
    if asked is None:
        assert not seen
        return
    ((slices, images),) = seen
    assert slices == asked
    wanted = next(SliceStore.build([item], NATIVE).slices("a"))[list(slices)]
    torch.testing.assert_close(images, wanted, atol=1e-2, rtol=1e-2)

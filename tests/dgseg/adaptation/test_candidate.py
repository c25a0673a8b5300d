from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.adaptation.candidate import describe, fine_tune
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.reader import SiteReader, items_without
from dgseg.bundles.bundle import BundleInfo, read_info, read_weights
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import SPINAL_GM
from dgseg.training.store import SliceStore


def test_held_out_slices_reach_the_training_in_no_form(make_item, watcher):
    item = make_item(0, corrected=(0, 2, 4))
    scan = SiteReader([item], watcher).read(item)
    bright = scan.array.copy()
    bright[2] = bright.max()  # a slice that would be known anywhere
    (annotated,) = items_without(SiteReader([item], watcher), {item.scan_id: (2,)})
    marked = type(annotated)(
        type(scan)(bright, scan.geometry, scan.source),
        annotated.labels,
        annotated.annotated_slices,
        annotated.domain,
        hidden_slices=annotated.hidden_slices,
    )
    store = SliceStore.build([marked], Preprocessing())
    assert store.n_slices("clinic") == 5
    assert store.n_slices("clinic", labelled=True) == 2
    generator = torch.Generator().manual_seed(0)
    for labelled in (True, False):
        crops = store.sample("clinic", 64, 32, labelled, generator).images
        assert not (crops == 1).flatten(1).all(dim=1).any()


def test_nothing_is_hidden_where_nothing_is_held_out(make_item, watcher):
    items = [make_item(0, corrected=(0, 1)), make_item(1)]
    store = SliceStore.build(items_without(SiteReader(items, watcher), {}), Preprocessing())
    assert store.n_slices("clinic") == 12
    assert store.n_slices("clinic", labelled=True) == 2


def test_a_candidate_knows_its_parent_and_is_called_adapted_once():
    parent = BundleInfo(
        name="cord",
        method="deepall",
        network={},
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
        domains=("a", "b"),
        licence="CC0",
    )
    child = describe(parent, AdaptConfig(), ("clinic",), {"steps": 3})
    grandchild = describe(child, AdaptConfig(), ("clinic",), {"steps": 3})
    assert grandchild.name == child.name == "cord (adapted)"
    assert grandchild.parent_id == child.bundle_id != parent.bundle_id
    assert grandchild.domains == ("a", "b", "clinic")
    assert child.licence == "CC0"
    assert child.method == "two-teachers"
    assert np.isclose(child.training["steps"], 3)


def test_a_preset_is_written_down_as_its_method():
    parent = BundleInfo(
        name="cord",
        method="deepall",
        network={},
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
        domains=("a",),
    )
    assert describe(parent, AdaptConfig(method="dgnet-plus"), ("b",), {}).method == "dgnet"


def test_any_scans_will_do_and_are_not_read_again_once_it_is_done(
    make_item, bundle, watcher, tmp_path
):
    items = [make_item(0, corrected=(1, 3)), make_item(1)]
    reads = []

    def scans():
        reads.append(1)
        return items_without(SiteReader(items, watcher), {})

    config = AdaptConfig(steps=2, device="cpu", precision="fp32", patch_px=32, threads=1)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for _ in range(2):
        made = fine_tune(scans, bundle, config, folder, watcher, counts=lambda: {"n_scans": 2})
    info = read_info(made)
    assert (info.parent_id, info.domains) == (read_info(bundle).bundle_id, ("a", "clinic"))
    assert (info.training["steps"], info.training["n_scans"]) == (2, 2)
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("method", "options", "sought"),
    [
        ("two-teachers", {}, True),
        ("mean-teacher", {"seek_pose": False}, False),
        ("mean-teacher", {"seek_pose": "false"}, False),
        ("finetune", {}, False),
        ("finetune", {"seek_pose": True}, True),
        ("pose-search", {}, True),
    ],
)
def test_the_new_model_seeks_poses_as_it_was_trained(
    make_item, bundle, watcher, tmp_path, method, options, sought
):
    config = AdaptConfig(
        method=method,
        options=options,
        steps=2,
        device="cpu",
        precision="fp32",
        patch_px=32,
        threads=1,
    )
    items = [make_item(0, corrected=(1, 3)), make_item(1)]

    def adapt(parent, config, folder):
        folder.mkdir()
        return fine_tune(
            lambda: items_without(SiteReader(items, watcher), {}),
            parent,
            config,
            folder,
            watcher,
        )

    made = adapt(bundle, config, tmp_path / "first")
    assert read_info(made).preprocessing.seek_pose is sought
    assert not read_info(bundle).preprocessing.seek_pose
    again = adapt(
        made,
        AdaptConfig(**{**vars(config), "method": "finetune", "options": {}}),
        tmp_path / "second",
    )
    assert read_info(again).preprocessing.seek_pose is sought
    plain = AdaptConfig(
        **{**vars(config), "method": "finetune", "options": {"seek_pose": False}}
    )
    asked_not_to = read_info(adapt(made, plain, tmp_path / "third"))
    assert not asked_not_to.preprocessing.seek_pose


def test_who_learns_nothing_reads_nothing_and_keeps_the_weights(bundle, watcher, tmp_path):
    def unread():
        raise AssertionError("a scan is read")

    config = AdaptConfig(method="pose-search", steps=50, device="cpu", threads=1)
    made = fine_tune(unread, bundle, config, tmp_path, watcher)
    before, after = read_info(bundle), read_info(made)
    assert after.training["steps"] == 0
    kept = read_weights(made, after)
    assert all(torch.equal(v, kept[k]) for k, v in read_weights(bundle, before).items())
    assert (after.parent_id, after.method) == (before.bundle_id, "pose-search")
    assert after.bundle_id != before.bundle_id
    assert after.preprocessing.seek_pose
    # It has learnt nothing of the site, and does not say so.
    assert (after.domains, after.look_bank) == (before.domains, before.look_bank)

"""What slices look like to a model is noted on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.bundles.look_bank import LookBank
from dgseg.factors.distance import distance_to_looks
from dgseg.inference import runner as runner_module
from dgseg.inference.look import LookRecorder, grey_values
from dgseg.inference.segmenter import segment_with
from dgseg.nets.build import build
from dgseg.site.proposals import read_proposal, write_proposal

DISENTANGLED = {
    "kind": "disentangled",
    "in_channels": 1,
    "n_classes": 3,
    "width": 4,
    "depth": 2,
    "anatomy_channels": 4,
    "style_dims": 2,
    "domain_dims": 2,
    "n_domains": 2,
}


@pytest.fixture
def slices(rng):
    array = rng.uniform(0.1, 0.9, (5, 32, 32))
    array[3:] = array[3:] ** 3
    return array


@pytest.fixture
def net(info_of):
    torch.manual_seed(0)
    return build(info_of().network)


def test_it_is_the_mean_of_the_coarsest_features(net, slices):
    images = torch.from_numpy(slices[:, None]).float()
    with LookRecorder(net) as recorder, torch.no_grad():
        net(images)
        found = recorder.take(slices)
        features = net.encoder[0](images)
        features = net.encoder[1](torch.nn.functional.max_pool2d(features, 2))
    assert found.shape == (5, 8)
    np.testing.assert_allclose(found, features.mean(dim=(2, 3)).numpy(), atol=1e-6)
    assert not net.encoder[-1]._forward_hooks


def test_nothing_stays_of_a_batch_that_failed(net, slices):
    images = torch.from_numpy(slices[:, None]).float()
    with LookRecorder(net) as recorder, torch.no_grad():
        net(images)
        recorder.forget()
        net(images[:2])
        assert len(recorder.take(slices[:2])) == 2
        # Nothing since: grey values take its place.
        assert recorder.take(slices).shape == (5, 10)


def test_grey_values_tell_slices_apart(slices):
    values = grey_values(slices)
    assert values.dtype == np.float32
    assert (np.diff(values) >= 0).all()
    assert values[:3].mean() > values[3:].mean() + 0.1


@pytest.mark.parametrize("kind", ["unet", "disentangled"])
def test_a_proposal_carries_it_whatever_the_batches(kind, info_of, scan_of, slices, tmp_path):
    info = info_of()
    if kind == "disentangled":
        info = info.model_copy(update={"network": DISENTANGLED})
    torch.manual_seed(0)
    net = build(info.network)
    whole = segment_with(net, info, scan_of(slices), precision="fp32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(runner_module._BATCH_PIXELS, "cpu", 2 * 32 * 32)
        parts = segment_with(net, info, scan_of(slices), precision="fp32")
    assert whole.traits.look.shape == (5, 8)
    np.testing.assert_allclose(parts.traits.look, whole.traits.look, atol=1e-5)
    assert whole.traits.by_structure.shape == (5, 2)
    write_proposal(tmp_path, whole.proposal("0" * 12))
    np.testing.assert_array_equal(
        read_proposal(tmp_path).traits.packed(), whole.traits.packed()
    )


def test_slices_in_windows_and_other_networks_have_grey_values(
    net, threshold, info_of, scan_of, slices
):
    assert segment_with(threshold, info_of(), scan_of(slices)).traits.look.shape == (5, 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner_module, "LARGEST_SIDE", 24)
        patch.setattr(runner_module, "_WINDOW", 16)
        found = segment_with(net, info_of(), scan_of(slices))
    assert found.traits.look.shape == (5, 10)


def bank_of(n, new_centre=(0.1, 0.2, 0.3)):
    return LookBank(
        level=1,
        domains=("a", "b"),
        mean=(0.5,) * n,
        covariance=tuple(tuple(float(i == j) for j in range(n)) for i in range(n)),
        new_centre=new_centre,
    )


def test_a_proposal_tells_how_far_the_scan_is(net, info_of, scan_of, slices, tmp_path):
    info = info_of().model_copy(update={"look_bank": bank_of(8)})
    found = segment_with(net, info, scan_of(slices), precision="fp32")
    # The coarsest level of this network is the bank's.
    expected = distance_to_looks(info.look_bank, found.traits.look)
    assert found.distance.value == pytest.approx(expected.value, rel=1e-5)
    assert found.distance.foreign
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(runner_module._BATCH_PIXELS, "cpu", 2 * 32 * 32)
        parts = segment_with(net, info, scan_of(slices), precision="fp32")
    assert parts.distance.value == pytest.approx(expected.value, rel=1e-4)
    write_proposal(tmp_path, found.proposal("0" * 12))
    assert read_proposal(tmp_path).distance == found.distance
    assert not any(block._forward_hooks for block in net.encoder)


def test_what_cannot_be_told_is_not(net, threshold, info_of, scan_of, slices):
    info, scan = info_of(), scan_of(slices)
    assert segment_with(net, info, scan).distance is None
    for bank in (
        bank_of(8, new_centre=()),
        bank_of(7),
        bank_of(8).model_copy(update={"level": 5}),
    ):
        given = info.model_copy(update={"look_bank": bank})
        assert segment_with(net, given, scan).distance is None
    given = info.model_copy(update={"look_bank": bank_of(8)})
    assert segment_with(threshold, given, scan).distance is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner_module, "LARGEST_SIDE", 24)
        patch.setattr(runner_module, "_WINDOW", 16)
        assert segment_with(net, given, scan).distance is None

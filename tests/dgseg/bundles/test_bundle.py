"""A bundle is wholly there or clearly refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dgseg.bundles.bundle import (
    INFO_NAME,
    SCHEMA_VERSION,
    WEIGHTS_NAME,
    BundleInfo,
    read_info,
    read_into,
    read_weights,
    write_bundle,
)
from dgseg.errors import BundleError
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import SPINAL_GM


def make_info(**changes) -> BundleInfo:
    content = {
        "name": "test",
        "method": "deepall",
        "network": {"kind": "unet", "width": 4},
        "preprocessing": Preprocessing(spacing_mm=0.5),
        "labels": SPINAL_GM,
        "domains": ("a", "b"),
        "training": {"seed": 3},
        "metrics": {"dice": {"GM": 0.8}},
    }
    return BundleInfo(**(content | changes))


def make_net(width: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width))


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "model"
    write_bundle(folder, make_info(), make_net().state_dict())
    return folder


def rewrite(folder, **changes):
    path = folder / INFO_NAME
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "DROP"}))


def test_what_is_written_is_read(tmp_path):
    net = make_net()
    written = write_bundle(tmp_path / "a" / "model", make_info(), net.state_dict())
    info = read_info(tmp_path / "a" / "model")
    assert info == written
    assert len(info.weights_sha256) == 64
    assert info.domains == ("a", "b")
    state = read_weights(tmp_path / "a" / "model", info)
    assert state.keys() == net.state_dict().keys()
    for name, value in net.state_dict().items():
        assert torch.equal(state[name], value)
        assert state[name].dtype == value.dtype


def test_half_is_half_the_size_and_float32_again(tmp_path):
    net = nn.Conv2d(64, 64, 3)
    for name, half in (("full", False), ("half", True)):
        write_bundle(tmp_path / name, make_info(), net.state_dict(), half=half)
    sizes = [(tmp_path / n / WEIGHTS_NAME).stat().st_size for n in ("full", "half")]
    assert sizes[1] < 0.51 * sizes[0]
    state = read_weights(tmp_path / "half", read_info(tmp_path / "half"))
    assert state["weight"].dtype == torch.float32
    torch.testing.assert_close(state["weight"], net.weight.detach(), rtol=1e-3, atol=1e-4)


def test_each_bundle_has_its_own_id():
    assert make_info().bundle_id != make_info().bundle_id


def test_an_older_bundle_is_replaced_and_nothing_is_left_beside(bundle):
    old = read_info(bundle)
    write_bundle(bundle, make_info(name="newer"), make_net().state_dict())
    info = read_info(bundle)
    assert info.name == "newer"
    assert info.bundle_id != old.bundle_id
    assert [p.name for p in bundle.parent.iterdir()] == ["model"]


def test_other_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="something else"):
        write_bundle(tmp_path, make_info(), make_net().state_dict())
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "model").mkdir()
    write_bundle(tmp_path / "model", make_info(), make_net().state_dict())
    read_info(tmp_path / "model")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_not_saved(bundle, bad):
    before = read_info(bundle)
    state = make_net().state_dict()
    state["0.weight"][0] = bad
    with pytest.raises(BundleError, match=r"0\.weight"):
        write_bundle(bundle, make_info(), state)
    assert read_info(bundle) == before


def test_weights_beyond_float16_are_not_saved_as_half(tmp_path):
    with pytest.raises(BundleError, match="not finite"):
        write_bundle(tmp_path / "m", make_info(), {"w": torch.tensor([1e6])}, half=True)


def test_an_interrupted_write_leaves_the_old_bundle(bundle, monkeypatch):
    before = read_info(bundle)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dgseg.bundles.bundle.write_json", full)
    with pytest.raises(BundleError, match="could not be written"):
        write_bundle(bundle, make_info(), make_net().state_dict())
    assert read_info(bundle) == before
    assert [p.name for p in bundle.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "newer dgseg"),
        ({"schema_version": "one"}, "schema_version"),
        ({"schema_version": "DROP"}, "not written by dgseg"),
        ({"network": "DROP"}, "lacks network"),
        ({"surprise": 1}, "surprise"),
        ({"bundle_id": "../../etc"}, "bundle_id"),
        ({"labels": {"name": "x", "labels": []}}, "labels"),
    ],
)
def test_a_description_that_is_wrong_is_named(bundle, changes, message):
    rewrite(bundle, **changes)
    with pytest.raises(BundleError, match=message) as caught:
        read_info(bundle)
    assert caught.value.remedy
    assert str(bundle) not in caught.value.public_message


def test_a_style_bank_is_part_of_it(tmp_path):
    style = {
        "n_slices": 1,
        "style_mean": [0.5],
        "style_covariance": [[1.0]],
        "domain_mean": [0.5],
        "domain_covariance": [[1.0]],
    }
    info = make_info(style_bank={"domains": {"a": style}})
    write_bundle(tmp_path / "m", info, make_net().state_dict())
    assert read_info(tmp_path / "m").style_bank == info.style_bank
    damaged = {"domains": {"a": style | {"style_mean": [0.5, 1.0]}}}
    rewrite(tmp_path / "m", style_bank=damaged)
    with pytest.raises(BundleError, match=r"style_bank.*2 x 2"):
        read_info(tmp_path / "m")


def test_a_bundle_of_version_1_is_read_and_written_as_the_newest(bundle, tmp_path):
    rewrite(bundle, schema_version=1, style_bank="DROP")
    content = json.loads((bundle / INFO_NAME).read_text())
    del content["preprocessing"]["pixel_scale"]
    (bundle / INFO_NAME).write_text(json.dumps(content))
    old = read_info(bundle)
    assert old.schema_version == 1
    assert old.style_bank is None
    assert old.preprocessing.pixel_scale == 1
    written = write_bundle(tmp_path / "new", old, read_weights(bundle, old))
    assert written.schema_version == SCHEMA_VERSION
    assert read_info(tmp_path / "new") == written


def test_a_bundle_of_version_2_has_a_place_for_styles(bundle):
    rewrite(bundle, style_bank="DROP")
    with pytest.raises(BundleError, match="lacks style_bank"):
        read_info(bundle)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b"null"])
def test_a_description_that_is_no_json_object_is_refused(bundle, content):
    (bundle / INFO_NAME).write_bytes(content)
    with pytest.raises(BundleError):
        read_info(bundle)


def test_foreign_places_are_refused(tmp_path):
    with pytest.raises(BundleError, match="does not exist"):
        read_info(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"holds no bundle\.json"):
        read_info(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(BundleError, match="is a file"):
        read_info(tmp_path / "model.pt")


def test_missing_weights_are_named(bundle):
    (bundle / WEIGHTS_NAME).unlink()
    with pytest.raises(BundleError, match="no weights"):
        read_info(bundle)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_altered_weights_are_refused(bundle, damage):
    info = read_info(bundle)
    path = bundle / WEIGHTS_NAME
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    kept = {"truncate": content[:-10], "flip": content, "empty": b""}[damage]
    path.write_bytes(bytes(kept))
    with pytest.raises(BundleError, match="truncated or altered"):
        read_weights(bundle, info)


def test_weights_that_are_no_safetensors_are_refused(bundle):
    from dgseg.files import sha256_of

    path = bundle / WEIGHTS_NAME
    path.write_bytes(b"\x80\x04pickle?")
    rewrite(bundle, weights_sha256=sha256_of(path))
    with pytest.raises(BundleError, match="cannot be read"):
        read_weights(bundle, read_info(bundle))


def test_weights_of_another_network_are_refused(bundle):
    with pytest.raises(BundleError, match="do not fit"):
        read_into(make_net(width=8), bundle, read_info(bundle))


def test_weights_of_this_network_are_loaded(bundle):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    read_into(net, bundle, read_info(bundle))
    assert torch.equal(net[0].weight, make_net()[0].weight)


def test_a_swapped_weights_file_is_noticed(bundle):
    save_file({"x": torch.zeros(1)}, bundle / WEIGHTS_NAME)
    with pytest.raises(BundleError, match="altered"):
        read_weights(bundle, read_info(bundle))


def test_a_description_is_read_without_torch(bundle):
    code = (
        "import sys; from dgseg.bundles.bundle import read_info;"
        "read_info(sys.argv[1]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(bundle)], check=True, timeout=60)

"""``dgseg inspect``: what it writes, what it says, and whom it names."""

from __future__ import annotations

import csv
import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dgseg.bundles.bundle import default_bundle, read_info, write_bundle
from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.scans.sources import discover, read
from dgseg.scans.synthetic.site import make_site, write_site


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patients")
    write_site(folder / "scans", make_site("cord", "alder", 2, 5, n_slices=3, shape=(40, 40)))
    for index, path in enumerate(sorted((folder / "scans").rglob("*.nii*"))):
        path.rename(path.with_name(f"quince-{index}_{path.name}"))
    return folder / "scans"


@pytest.fixture(scope="module")
def done(scans, disentangled_bundle, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "a" / "b"
    arguments = ["inspect", str(scans), "--out", str(out), "--bundle", str(disentangled_bundle)]
    assert main([*arguments, "--data-name", "north"]) == console.OK
    return out


class Links(HTMLParser):
    """All addresses of a page, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_shows_files_beside_it_and_nothing_else(done):
    text = (done / "index.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert not links.open
    assert all((done / address).is_file() for address in links.addresses)
    drawn = {str(path.relative_to(done)) for path in done.rglob("*.png")}
    assert drawn == {address for address in links.addresses if address.endswith(".png")}
    assert "http" not in text
    assert "tiny &lt;model&gt;" in text
    assert "prefers-color-scheme" in text


def test_it_holds_numbers_of_every_slice(done, scans):
    ids = {read(found.source).scan_id for found in discover(scans) if found.source}
    with open(done / "codes.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["scan"] for row in rows} == ids
    assert len(rows) == 6
    with np.load(done / "factors.npz") as arrays:
        style = arrays["style"]
    np.testing.assert_allclose([float(row["style_2"]) for row in rows], style[:, 1], rtol=1e-4)
    measures = json.loads((done / "measures.json").read_text(encoding="utf-8"))
    assert measures["n_slices"] == 6
    assert 0 <= measures["domain_accuracy"] <= 1
    assert measures["distances"]["north"]["nearest"] in ("north", "south")
    assert [swap["codes"] for swap in measures["swaps"]] == ["its own", "north", "south"]
    assert {path.name for path in (done / "scans").iterdir()} == ids


def test_it_names_nobody(done):
    for path in done.rglob("*"):
        assert "quince" not in path.name
        if path.suffix in (".html", ".csv", ".json"):
            assert "quince" not in path.read_text(encoding="utf-8").lower()


def test_bad_files_are_passed_over(scans, disentangled_bundle, tmp_path, capsys):
    (tmp_path / "bad.nii").write_bytes(b"no image")
    good = str(next(scans.rglob("*.nii*")))
    arguments = [good, str(tmp_path / "bad.nii"), good, "--out", str(tmp_path / "out")]
    code = main(["inspect", *arguments, "--bundle", str(disentangled_bundle)])
    said = capsys.readouterr()
    assert code == console.SOME_FAILED
    assert "bad.nii" in said.err
    assert "given twice" in said.err
    assert "1 scans inspected, 2 failed" in said.out
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_model_without_factors_says_which_have_them(scans, tmp_path, capsys):
    arguments = [
        "inspect",
        str(scans),
        "--out",
        str(tmp_path),
        "--bundle",
        str(default_bundle()),
    ]
    assert main(arguments) == console.FAILED
    assert "DGNet or SDNet" in capsys.readouterr().err


def test_a_model_whose_weights_were_replaced_is_refused(
    scans, disentangled_bundle, write_disentangled, tmp_path, capsys
):
    """Another model's weights under the old description: what is seen would be nobody's."""
    bundle = tmp_path / "bundle"
    shutil.copytree(disentangled_bundle, bundle)
    other = write_disentangled(tmp_path / "other", bank=False, domain_dims=0)
    shutil.copy(other / "weights.safetensors", bundle)
    out = tmp_path / "out"
    assert main(["inspect", str(scans), "--out", str(out), "--bundle", str(bundle)]) == (
        console.FAILED
    )
    assert "weights" in capsys.readouterr().err
    assert not out.exists()


def test_a_model_that_sees_no_finite_codes_leaves_no_page(
    scans, write_disentangled, tmp_path, capsys
):
    bundle = write_disentangled(tmp_path / "sdnet", bank=False, domain_dims=0)
    _spoil(bundle)
    good = str(next(scans.rglob("*.nii*")))
    out = tmp_path / "out"
    assert main(["inspect", good, "--out", str(out), "--bundle", str(bundle)]) == (
        console.FAILED
    )
    assert "no finite anatomy or codes" in capsys.readouterr().err
    assert not list(out.iterdir())


def _spoil(bundle):
    """Make the weights of a bundle so large that what comes of them is no number."""
    info = read_info(bundle)
    state = load_file(bundle / "weights.safetensors")
    spoilt = {
        name: torch.full_like(value, 1e38) if value.is_floating_point() else value
        for name, value in state.items()
    }
    shutil.rmtree(bundle)
    write_bundle(bundle, info, spoilt)


def test_names_must_be_as_many_as_places(scans, tmp_path, capsys):
    arguments = ["inspect", str(scans), "--out", str(tmp_path), "--data-name", "a", "b"]
    assert main(arguments) == console.USAGE
    assert "2 names for 1 places" in capsys.readouterr().err


def test_a_model_without_bank_and_domain_code_has_a_page_too(
    scans, write_disentangled, tmp_path
):
    bundle = write_disentangled(tmp_path / "sdnet", bank=False, domain_dims=0)
    good = str(next(scans.rglob("*.nii*")))
    out = tmp_path / "out"
    assert main(["inspect", good, "--out", str(out), "--bundle", str(bundle)]) == console.OK
    text = (out / "index.html").read_text(encoding="utf-8")
    assert "no style bank" in text
    assert sorted(path.name for path in out.glob("map-*")) == ["map-style-tsne.png"]

"""An adaptation of a site with two scanners, from the files to the candidate."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dgseg.adaptation import candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.bundles.bundle import read_info, write_bundle
from dgseg.methods.meta_disentangle import MetaDisentangle
from dgseg.scans.nifti import read_nifti
from dgseg.site.domains import veiled
from dgseg.site.workspace import Workspace

CONFIG = AdaptConfig(
    method="meta-disentangle",
    rivals=("finetune",),
    steps=6,
    patch_px=32,
    batch_labelled=2,
    batch_unlabelled=2,
    device="cpu",
    precision="fp32",
    threads=1,
)
SCANNERS = ("Avanto", "Ingenia", "Avanto")


@pytest.fixture
def parted_site(make_site):
    """A site whose scans were added before their sidecars were there, and again."""
    path = make_site()
    with Workspace.open(path) as site:
        for record, scanner in zip(site.records, SCANNERS, strict=True):
            image = record.source.path
            told = {"ManufacturersModelName": scanner, "SeriesDescription": "cord of Haddock"}
            sidecar = image.with_name(image.name.replace(".nii.gz", ".json"))
            sidecar.write_text(json.dumps(told))
            site.add(read_nifti(image))
    return path


def written(folder):
    return "\n".join(
        f.name + f.read_bytes().decode("latin-1") for f in folder.rglob("*") if f.is_file()
    )


def test_two_scanners_are_two_domains_of_which_one_is_held_out(
    parted_site, make_job, run_here, disentangled_bundle, monkeypatch
):
    split, seen = MetaDisentangle._split, []

    def spy(self, everything, real):
        parts = split(self, everything, real)
        seen.append((set(real.domains), *map(set, parts)))
        return parts

    def keep(folder, info, weights):
        made.append((info.method, info.domains))
        return write_bundle(folder, info, weights)

    made: list = []
    monkeypatch.setattr(candidate, "write_bundle", keep)
    monkeypatch.setattr(MetaDisentangle, "_split", spy)
    folder = make_job(CONFIG, site=parted_site, bundle=disentangled_bundle)
    assert run_here(folder.path) == 0

    site = Workspace.read_only_view(parted_site)
    groups = [veiled(record.group, site.secret) for record in site.records]
    parts = {f"hospital · {group}" for group in groups}
    assert len(parts) == 2
    assert all(real == parts for real, _, _ in seen)
    assert any(test & parts and train & parts for _, train, test in seen)
    known = {"north", "south"}
    for method, domains in made:
        assert set(domains) == known | (parts if method == CONFIG.method else {"hospital"})
    assert {method for method, _ in made} == {CONFIG.method, *CONFIG.rivals}
    for word in ("Avanto", "Ingenia", "Haddock"):
        assert word not in written(folder.path) + written(parted_site)


def test_the_next_adaptation_knows_the_scanners_again(
    parted_site, make_job, run_here, disentangled_bundle
):
    config = dataclasses.replace(CONFIG, rivals=(), holdout_every=0, steps=2)
    first = make_job(config, site=parted_site, bundle=disentangled_bundle, name="first")
    assert run_here(first.path) == 0
    again = make_job(config, site=parted_site, bundle=first.path / "bundle", name="again")
    assert run_here(again.path) == 0

    before, after = (read_info(job.path / "bundle") for job in (first, again))
    assert after.domains == before.domains
    assert after.network == before.network
    assert list(after.style_bank.domains) == list(after.domains)

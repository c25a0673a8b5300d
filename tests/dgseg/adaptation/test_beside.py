"""Source data enter a training with their labels, and with nothing else."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from dgseg.adaptation import candidate as module
from dgseg.adaptation.beside import SourceReader, find_sources
from dgseg.adaptation.candidate import Plan, train_candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.crossing import cross_judge, site_crossing
from dgseg.adaptation.holdout import Split
from dgseg.adaptation.reader import SiteReader
from dgseg.bundles.bundle import BundleInfo, read_info, write_bundle
from dgseg.errors import AdaptationError, DatasetError
from dgseg.nets.build import build
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import CARDIAC, SPINAL_GM
from dgseg.training.episodes import EpisodeSampler

NETWORK = {"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2}


@pytest.fixture
def bundle(tmp_path):
    torch.manual_seed(0)
    net = build(NETWORK)
    info = BundleInfo(
        name="toy",
        method="deepall",
        network=NETWORK,
        preprocessing=Preprocessing(spacing_mm=None),
        labels=SPINAL_GM,
        domains=("north",),
    )
    write_bundle(tmp_path / "bundle", info, net.state_dict())
    return tmp_path / "bundle"


@pytest.fixture
def folder(tmp_path):
    """Two labelled scans of a centre called "clinic", as the site is."""
    folder = tmp_path / "clinic"
    folder.mkdir()
    for number in range(2):
        rng = np.random.default_rng(40 + number)
        image = rng.uniform(0, 9, (32, 32, 6)).astype(np.float32)
        labels = np.zeros(image.shape, np.uint8)
        labels[8:20, 8:20] = 2
        for name, values in ((f"p{number}", image), (f"p{number}_dseg", labels)):
            nib.save(nib.Nifti1Image(values, np.diag([1, 1, 5, 1])), folder / f"{name}.nii.gz")
    return folder


def source_reader(folder, watcher, site=("clinic",)):
    return SourceReader(find_sources([str(folder)], SPINAL_GM), watcher, site)


CONFIG = AdaptConfig(
    method="mean-teacher",
    steps=2,
    batch_labelled=2,
    batch_unlabelled=2,
    patch_px=16,
    device="cpu",
    precision="fp32",
    threads=1,
)


@pytest.fixture
def episodes(monkeypatch):
    """The episodes that a training was given."""
    seen = []
    draw = EpisodeSampler.episode

    def spy(self, step, total):
        seen.append(draw(self, step, total))
        return seen[-1]

    monkeypatch.setattr(EpisodeSampler, "episode", spy)
    return seen


@pytest.mark.parametrize("method", ["mean-teacher", "finetune"])
@pytest.mark.parametrize("corrected", [(), (2,)])
def test_sources_are_further_domains_with_labels(
    make_item, bundle, folder, watcher, tmp_path, episodes, method, corrected
):
    scans = [make_item(0, corrected), make_item(1)]
    reader = SiteReader(scans, watcher, source_reader(folder, watcher))
    config = CONFIG.__class__(**{**vars(CONFIG), "method": method})
    (tmp_path / "checkpoint").mkdir()
    plan = Plan({}, tmp_path / "checkpoint")
    found = read_info(train_candidate(reader, bundle, config, plan, watcher))
    assert found.domains == ("north", "clinic", "clinic (source)")
    assert found.training["n_source_scans"] == 2
    site, source = (episodes[0].domains[name] for name in ("clinic", "clinic (source)"))
    assert (site.labelled is not None) == bool(corrected)
    assert site.unlabelled is not None
    assert source.unlabelled is None
    assert set(source.labelled.labels.unique().tolist()) <= {0, 2}
    assert not watcher.warnings


def test_without_sources_all_is_as_before(make_item, bundle, watcher, tmp_path, episodes):
    reader = SiteReader([make_item(0, (2,))], watcher)
    (tmp_path / "checkpoint").mkdir()
    train_candidate(reader, bundle, CONFIG, Plan({}, tmp_path / "checkpoint"), watcher)
    assert list(episodes[0].domains) == ["clinic"]
    assert reader.unlabelled is None


def test_trainings_that_judge_have_the_sources_too(
    make_item, bundle, folder, watcher, tmp_path, monkeypatch
):
    item = make_item(0, (2, 4))
    reader = SiteReader([item], watcher, source_reader(folder, watcher))
    plan = Plan({}, tmp_path / "checkpoint")
    plan.checkpoint.mkdir()
    candidate = train_candidate(reader, bundle, CONFIG, plan, watcher)
    given = []
    build_store = module.SliceStore.build

    def spy(items, *args, **options):
        items = list(items)
        given.append([(each.domain, each.annotated.sum()) for each in items])
        return build_store(items, *args, **options)

    monkeypatch.setattr(module.SliceStore, "build", spy)
    folds = ({item.scan_id: (2,)}, {item.scan_id: (4,)})
    crossing = site_crossing(reader, bundle, Split({}, folds), plan)
    cross_judge(crossing, candidate, CONFIG, watcher)
    assert given == [[("clinic", 1), ("clinic (source)", 6), ("clinic (source)", 6)]] * 2


def test_a_damaged_scan_is_passed_over_once(folder, watcher):
    (folder / "p0.nii.gz").write_bytes(b"nothing")
    reader = SourceReader(find_sources([str(folder)], SPINAL_GM), watcher)
    assert len(list(reader.items())) == 1
    (folder / "p1_dseg.nii.gz").write_bytes(b"nothing")
    with pytest.raises(AdaptationError, match="Not one of the"):
        list(reader.items())
    assert len(watcher.warnings) == 1


def test_labels_of_other_structures_end_it_before_anything_is_learnt(
    make_item, bundle, folder, watcher, tmp_path
):
    for path in folder.glob("*_dseg.nii.gz"):
        values = np.asarray(nib.load(path).dataobj).copy()
        values[values == 2] = 3
        nib.save(nib.Nifti1Image(values, np.diag([1, 1, 5, 1])), path)
    reader = SiteReader([make_item(0)], watcher, source_reader(folder, watcher))
    with pytest.raises(AdaptationError, match="Not one of the 2 labelled source scans"):
        train_candidate(reader, bundle, CONFIG, Plan({}, tmp_path / "checkpoint"), watcher)
    assert all("values other than 0 to 2" in problem for problem, _ in watcher.warnings)
    assert len(watcher.warnings) == 2


def test_data_sets_go_by_their_names():
    entries = find_sources(["synthetic-cord"], SPINAL_GM)
    assert {entry.labelled for entry in entries} == {True}
    with pytest.raises(AdaptationError, match=r"grey matter.*left ventricle"):
        find_sources(["synthetic-cord"], CARDIAC)


def test_what_is_neither_a_data_set_nor_a_folder_is_named(tmp_path, folder):
    with pytest.raises(DatasetError, match="neither a known data set nor a folder"):
        find_sources([str(tmp_path / "nowhere")], SPINAL_GM)
    for path in folder.glob("*_dseg.nii.gz"):
        path.unlink()
    with pytest.raises(DatasetError, match="None of the 2 scans"):
        find_sources([str(folder)], SPINAL_GM)
    shutil.rmtree(folder)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer

from napari_dgseg import _sample_data, layers


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *a, **k: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.parametrize("open_", [_sample_data.open_cord, _sample_data.open_heart])
def test_samples_are_an_image_and_its_hidden_labels(open_):
    image, labels = (Layer.create(*one) for one in open_())
    assert isinstance(image, Image)
    assert isinstance(labels, Labels)
    assert image.data.shape == labels.data.shape
    np.testing.assert_allclose(image.translate, labels.translate)
    assert not labels.visible
    assert set(np.unique(labels.data)) == set(range(layers.schema_of(labels).n_classes))
    inside = image.data[labels.data > 0].mean()
    assert inside != pytest.approx(image.data.mean(), rel=0.05)


def test_a_sample_lies_on_disk_once_so_that_a_site_can_take_it(cache):
    first, second = (_sample_data.open_cord()[0] for _ in range(2))
    scans = [layers.noted(one[1]["metadata"], "scan", object) for one in (first, second)]
    assert scans[0].source.kind == "nifti"
    assert scans[0].source.path == scans[1].source.path
    assert scans[0].scan_id == scans[1].scan_id
    assert len(list(cache.rglob("*.nii.gz"))) == 1


def test_a_sample_opens_even_where_nothing_can_be_kept(cache):
    cache.write_text("a file where the folder should be")
    image, labels = _sample_data.open_heart()
    assert layers.noted(image[1]["metadata"], "scan", object).source.kind == "memory"
    assert image[0].shape == labels[0].shape

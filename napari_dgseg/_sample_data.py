"""File > Open Sample: scans of a synthetic centre that no model was trained on."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Literal

from napari_dgseg import layers

if TYPE_CHECKING:
    from dgseg.scans.annotated import AnnotatedScan
    from dgseg.scans.scan import Scan

_SEED = 2026


def open_cord() -> list[layers.LayerTuple]:
    """A spinal cord of a new centre, and its true labels, hidden."""
    return _open("cord")


def open_heart() -> list[layers.LayerTuple]:
    """A short-axis heart of a new centre, and its true labels, hidden."""
    return _open("heart")


def _open(anatomy: Literal["cord", "heart"]) -> list[layers.LayerTuple]:
    from dgseg.scans.schema import CARDIAC, SPINAL_GM
    from dgseg.scans.synthetic.site import NEW_CENTRE, make_site

    example = make_site(anatomy, NEW_CENTRE[anatomy], n_scans=1, seed=_SEED)[0]
    scan = _on_disk(anatomy, example)
    result = [layers.image_layer(scan, name=f"{anatomy} of a new centre")]
    if example.labels is not None:
        schema = SPINAL_GM if anatomy == "cord" else CARDIAC
        name = f"{anatomy}, true labels"
        result.append(layers.labels_layer(example.labels, scan, schema, name, visible=False))
    return result


def _on_disk(anatomy: str, example: AnnotatedScan) -> Scan:
    """The scan as a file among the caches, so that a site's workspace can refer to it."""
    from platformdirs import user_cache_path

    from dgseg.scans.nifti import read_nifti
    from dgseg.scans.synthetic.site import write_site

    folder = user_cache_path("napari-dgseg", appauthor=False) / "samples" / anatomy
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as building:
            (fresh,) = write_site(building, [example])
            # A scan of the same content keeps its file: a workspace may know it.
            target = folder / f"{example.scan.scan_id}.nii.gz"
            if not target.exists():
                fresh.replace(target)
        return read_nifti(target)
    except OSError:
        return example.scan  # nothing can be kept here: the sample lives in memory alone

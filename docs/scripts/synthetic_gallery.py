"""Draw the pictures of the synthetic scanners into docs/images.

Run from the root of the repository: ``python docs/scripts/synthetic_gallery.py``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.schema import CARDIAC, SPINAL_GM, LabelSchema
from dgseg.scans.synthetic.site import NEW_CENTRE, SCANNERS, make_site

IMAGES = Path(__file__).parents[1] / "images"
SEED = 7


def window(image: np.ndarray) -> np.ndarray:
    """Intensities between the percentiles 0.5 and 99.7, as 0 to 1."""
    low, high = np.percentile(image, [0.5, 99.7])
    return np.clip((image - low) / (high - low), 0, 1)


def crop(image: np.ndarray, centre: tuple[int, int], half: tuple[int, int]) -> np.ndarray:
    """A cut-out around `centre`, with black beyond the edge."""
    pad = max(half)
    row, column = centre[0] + pad, centre[1] + pad
    padded = np.pad(image, pad)
    return padded[row - half[0] : row + half[0], column - half[1] : column + half[1]]


def show(axis: plt.Axes, image: np.ndarray, spacing: tuple[float, float]) -> None:
    """An image at its true proportions, without axes."""
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, aspect=spacing[0] / spacing[1])
    axis.set_axis_off()


def overlay(axis: plt.Axes, labels: np.ndarray, schema: LabelSchema) -> None:
    """Labels over an image, in the colours of the schema."""
    colours = ListedColormap([label.color for label in schema.labels])
    shown = np.ma.masked_equal(labels, 0)
    axis.imshow(
        shown, cmap=colours, vmin=1, vmax=len(schema.labels), alpha=0.5,
        aspect=axis.get_aspect(), interpolation="nearest",
    )  # fmt: skip


def column(axes: np.ndarray, item: AnnotatedScan, schema: LabelSchema, half_mm: float) -> None:
    """One scanner: the whole slice, the structure, the structure with its labels."""
    assert item.labels is not None
    image = window(item.scan.array)
    spacing = item.scan.geometry.spacing[1:]
    filled = np.flatnonzero(item.labels.any(axis=(1, 2)))
    index = int(filled[len(filled) // 2])
    rows, columns = np.nonzero(item.labels[index])
    centre = (int(rows.mean()), int(columns.mean()))
    half = (round(half_mm / spacing[0]), round(half_mm / spacing[1]))
    show(axes[0], image[index], spacing)
    for axis in axes[1:]:
        show(axis, crop(image[index], centre, half), spacing)
    overlay(axes[2], crop(item.labels[index], centre, half), schema)


def gallery(anatomy: str, schema: LabelSchema, half_mm: float) -> None:
    """One picture over all scanners of an anatomy."""
    names = [name for name, scanner in SCANNERS.items() if scanner.anatomy == anatomy]
    figure, axes = plt.subplots(
        3, len(names), figsize=(1.45 * len(names), 4.4), facecolor="black",
        gridspec_kw={"wspace": 0.03, "hspace": 0.03},
    )  # fmt: skip
    for i, name in enumerate(names):
        column(axes[:, i], make_site(anatomy, name, 1, SEED)[0], schema, half_mm)
        title = f"{name} (new centre)" if name == NEW_CENTRE[anatomy] else name
        axes[0, i].set_title(title, color="white", fontsize=8)
    figure.subplots_adjust(left=0.005, right=0.995, top=0.94, bottom=0.005)
    path = IMAGES / f"synthetic-{anatomy}.png"
    figure.savefig(path, dpi=90, facecolor="black", pil_kwargs={"optimize": True})
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    gallery("cord", SPINAL_GM, 15.0)
    gallery("heart", CARDIAC, 62.0)

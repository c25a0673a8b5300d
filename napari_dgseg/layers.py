"""Scans, labels and uncertainty as napari layers, in millimetres, with their geometry.

Layers get a scale and a translation only, never the affine: napari does not slice
oblique affines. The true geometry travels in ``layer.metadata["dgseg"]``, where the
writers find it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgseg.errors import LabelsError
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan
from dgseg.scans.schema import LabelSchema

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils import DirectLabelColormap

LayerTuple = tuple[np.ndarray, dict[str, Any], str]
"""What ``Layer.create`` and the readers take: data, keyword arguments, kind."""

METADATA_KEY = "dgseg"

_UNITS = ("mm", "mm", "mm")

_PLANE_ACROSS = {"I": "axial", "S": "axial", "A": "coronal", "P": "coronal"}
"""The plane that one sees when moving along an axis that ends in this letter."""

_LESS, _MORE = "#56b4e9", "#e69f00"
"""Colours of a difference; they differ for colour-blind eyes too."""

_LEAST_RESIDUAL = 0.05
"""A reconstruction that is better than this looks good everywhere."""

_PER_MM = 2**20
"""A power of two: multiples of its inverse are exact."""

_SAMPLES = 200_000
"""Voxels that are looked at for the contrast limits: a few milliseconds."""


def image_layer(scan: Scan, *, name: str = "", **options: object) -> LayerTuple:
    """A scan as an image layer.

    Parameters
    ----------
    scan : Scan
        The scan; its array is used as it is, without a copy.
    name : str
        Name of the layer; the title of the scan's source where empty.
    **options
        Further keyword arguments of `napari.layers.Image`.
    """
    kwargs: dict[str, Any] = {
        "name": name or scan.source.title or f"scan {scan.scan_id}",
        "colormap": "gray",
        "interpolation2d": "linear",
        "contrast_limits": contrast_limits(scan.array),
        **_placement(scan),
        "metadata": _metadata(scan, role="scan"),
    }
    return scan.array, {**kwargs, **options}, "image"


def labels_layer(
    labels: np.ndarray,
    scan: Scan,
    schema: LabelSchema,
    name: str,
    *,
    copy: bool = True,
    **options: object,
) -> LayerTuple:
    """Labels of a scan as a labels layer in the colours of their schema.

    Parameters
    ----------
    labels : ndarray of int, shape (slices, rows, columns)
        In canonical orientation, as the scan's array.
    scan : Scan
        The scan that the labels belong to.
    schema : LabelSchema
        Names and colours.
    name : str
        Name of the layer.
    copy : bool
        Whether the layer gets an array of its own. Without a copy, painting
        changes `labels` itself; it must then be writable, contiguous and uint8.
    **options
        Further keyword arguments of `napari.layers.Labels`.

    Raises
    ------
    LabelsError
        If the shape differs from the scan's, or a value is not in the schema.
    """
    if labels.shape != scan.array.shape:
        raise LabelsError(
            f"The labels have shape {labels.shape}, the scan has {scan.array.shape}.",
            remedy="Choose the labels that were drawn on this scan.",
        )
    if not schema.accepts(labels):
        raise LabelsError(
            f"The labels hold values that are not in the label schema {schema.name!r} "
            f"(0 to {schema.n_classes - 1}).",
            remedy="Choose labels of this task, or convert their values first.",
        )
    # A private, contiguous array: painting must not reach into a proposal on disk,
    # and flipped views make every stroke slower.
    data = np.array(labels, dtype=np.uint8, order="C") if copy else labels
    kwargs: dict[str, Any] = {
        "name": name,
        "colormap": label_colormap(schema),
        "features": label_features(schema),
        "opacity": 0.5,
        **_placement(scan),
        "metadata": _metadata(scan, role="labels", schema=schema),
    }
    return data, {**kwargs, **options}, "labels"


def uncertainty_layer(
    uncertainty: np.ndarray, scan: Scan, name: str = "uncertainty", **options: object
) -> LayerTuple:
    """The uncertainty of a proposal as an image that glows over the scan.

    Parameters
    ----------
    uncertainty : ndarray of uint8, shape (slices, rows, columns)
        0 for certain to 255 for a toss-up, in canonical orientation.
    scan : Scan
        The scan that it belongs to.
    name : str
        Name of the layer.
    **options
        Further keyword arguments of `napari.layers.Image`.

    Raises
    ------
    LabelsError
        If the shape differs from the scan's.
    """
    look = {"colormap": "inferno", "blending": "additive", "opacity": 0.7}
    kwargs = {**look, "contrast_limits": (0, 255), **options}
    return _picture_layer(uncertainty, scan, name, "uncertainty", **kwargs)


def reconstruction_layer(
    reconstruction: np.ndarray, scan: Scan, name: str = "reconstruction", **options: object
) -> LayerTuple:
    """What a model makes of a scan, as an image layer on the scan's grid.

    Parameters
    ----------
    reconstruction : ndarray of float, shape (slices, rows, columns)
        0 to 1, in canonical orientation.
    scan : Scan
        The scan that was rebuilt.
    name : str
        Name of the layer.
    **options
        Further keyword arguments of `napari.layers.Image`.

    Raises
    ------
    LabelsError
        If the shape differs from the scan's.
    """
    kwargs = {"colormap": "gray", "contrast_limits": (0.0, 1.0), **options}
    return _picture_layer(reconstruction, scan, name, "reconstruction", **kwargs)


def residual_layer(
    residual: np.ndarray,
    scan: Scan,
    name: str = "difference",
    *,
    limit: float,
    **options: object,
) -> LayerTuple:
    """Reconstruction less slice, as an image layer: orange for more, blue for less.

    Parameters
    ----------
    residual : ndarray of float, shape (slices, rows, columns)
        -1 to 1, in canonical orientation.
    scan : Scan
        The scan that was rebuilt.
    name : str
        Name of the layer.
    limit : float
        What is shown in full colour; see `residual_limit`.
    **options
        Further keyword arguments of `napari.layers.Image`.

    Raises
    ------
    LabelsError
        If the shape differs from the scan's.
    """
    from napari.utils import Colormap

    colormap = Colormap([_LESS, "black", _MORE], name="less-more")
    kwargs = {"colormap": colormap, "contrast_limits": (-limit, limit), **options}
    return _picture_layer(residual, scan, name, "residual", **kwargs)


def residual_limit(residual: np.ndarray) -> float:
    """The greatest difference that is worth a colour of its own: most lie below it."""
    return max(*(abs(limit) for limit in contrast_limits(residual)), _LEAST_RESIDUAL)


def anatomy_layer(
    channel: np.ndarray, scan: Scan, name: str = "anatomy", **options: object
) -> LayerTuple:
    """A channel of the anatomy as an image layer on the scan's grid.

    It is opaque: what a channel carries may be its dark part as well.

    Parameters
    ----------
    channel : ndarray of uint8, shape (slices, rows, columns)
        In canonical orientation.
    scan : Scan
        The scan that it was found in.
    name : str
        Name of the layer.
    **options
        Further keyword arguments of `napari.layers.Image`.

    Raises
    ------
    LabelsError
        If the shape differs from the scan's.
    """
    kwargs = {"colormap": "gray", "contrast_limits": (0, 255), **options}
    return _picture_layer(channel, scan, name, "anatomy", **kwargs)


def factors_layer(
    features: dict[str, Any], scan: Scan, name: str = "latent factors", **options: object
) -> LayerTuple:
    """A point in the middle of each slice that carries the slice's latent factors.

    Image layers have no features, and those of labels are of a label each; points take
    one row a slice, where any other plugin finds them.

    Parameters
    ----------
    features : dict of str to array
        Columns, with an entry a slice.
    scan : Scan
        The scan that they belong to.
    name : str
        Name of the layer.
    **options
        Further keyword arguments of `napari.layers.Points`.
    """
    n_slices, rows, columns = scan.array.shape
    middle = ((rows - 1) / 2, (columns - 1) / 2)
    kwargs: dict[str, Any] = {
        "name": name,
        "features": features,
        "size": max(rows, columns) / 60,
        "face_color": "#7c9cff",
        "border_color": "white",
        "out_of_slice_display": False,
        **_placement(scan),
        "metadata": _metadata(scan, role="factors"),
    }
    data = np.array([(index, *middle) for index in range(n_slices)], dtype=float)
    return data, {**kwargs, **options}, "points"


def axis_labels(geometry: Geometry) -> tuple[str, str, str]:
    """Names of the sliders: the plane that each one moves through, and its ends.

    For example ``("axial I-S", "coronal A-P", "sagittal R-L")``.
    """
    names = []
    for low, high in geometry.end_letters:
        plane = _PLANE_ACROSS.get(low, "sagittal")
        names.append(f"{plane} {low}-{high}")
    first, second, third = names
    return first, second, third


def contrast_limits(
    array: np.ndarray, low: float = 0.5, high: float = 99.5
) -> tuple[float, float]:
    """Percentiles of a regular subsample of the voxels, as two different numbers."""
    flat = array.reshape(-1) if array.flags.c_contiguous else _thinned(array)
    # An odd step does not fall into line with rows of an even length.
    step = max(1, flat.size // _SAMPLES) | 1
    bottom, top = (float(v) for v in np.percentile(flat[::step], (low, high)))
    if top <= bottom:
        bottom, top = float(array.min()), float(array.max())
    return bottom, top if top > bottom else bottom + 1.0


def _thinned(array: np.ndarray) -> np.ndarray:
    """Some of the slices in one piece: a flipped view is dear to flatten as a whole."""
    per_slice = max(1, array[0].size)
    keep = max(4, 16 * _SAMPLES // per_slice)
    return array[:: max(1, array.shape[0] // keep)].reshape(-1)


def label_colormap(schema: LabelSchema) -> DirectLabelColormap:
    """The schema's colours; the background and unknown values are transparent."""
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, str] = {None: "transparent", 0: "transparent"}
    colours |= {label.value: label.color for label in schema.labels}
    return DirectLabelColormap(color_dict=colours)


def label_features(schema: LabelSchema) -> dict[str, list[Any]]:
    """The features table by which napari shows the name of the label under the cursor."""
    values = [0, *(label.value for label in schema.labels)]
    return {"index": values, "name": ["background", *schema.names]}


def scan_of(layer: Layer) -> Scan | None:
    """The scan that a layer shows or lies on, if it is one of this plugin's."""
    return _noted(layer, "scan", Scan)


def schema_of(layer: Layer) -> LabelSchema | None:
    """The label schema of a layer, if it is one of this plugin's labels layers."""
    return _noted(layer, "schema", LabelSchema)


def _noted(layer: Layer, key: str, kind: type[Any]) -> Any:
    return noted(layer.metadata, key, kind)


def noted(metadata: dict[str, Any], key: str, kind: type[Any]) -> Any:
    """An entry of this plugin in a layer's metadata, or None; foreign entries are ignored."""
    ours = metadata.get(METADATA_KEY)
    value = ours.get(key) if isinstance(ours, dict) else None
    return value if isinstance(value, kind) else None


def _picture_layer(
    picture: np.ndarray, scan: Scan, name: str, role: str, **options: object
) -> LayerTuple:
    """An image layer on the grid of a scan."""
    if picture.shape != scan.array.shape:
        raise LabelsError(
            f"The {name} has shape {picture.shape}, the scan has {scan.array.shape}.",
            remedy="Open the scan again.",
        )
    kwargs: dict[str, Any] = {
        "name": name,
        "interpolation2d": "linear",
        **_placement(scan),
        "metadata": _metadata(scan, role=role),
    }
    return picture, {**kwargs, **options}, "image"


def _placement(scan: Scan) -> dict[str, Any]:
    return {
        "scale": _binary(scan.geometry.spacing),
        "translate": _binary(scan.geometry.translate),
        "units": _UNITS,
        "axis_labels": axis_labels(scan.geometry),
    }


def _binary(lengths_mm: Sequence[float]) -> tuple[float, ...]:
    """Lengths to a millionth of a millimetre, so that sums and quotients are exact.

    napari counts the steps of a slider as ``int(extent / step)``: where rounding leaves
    that a hair too small (16 slices of 2.2 mm from -31.721 mm on), nobody can reach the
    last slice. The true geometry is in the metadata.
    """
    return tuple(round(length * _PER_MM) / _PER_MM for length in lengths_mm)


def _metadata(scan: Scan, *, role: str, **more: object) -> dict[str, Any]:
    return {METADATA_KEY: {"scan": scan, "role": role, **more}}

"""Whether a stack of DICOM slices is one whole, regular volume, and where it lies."""

from __future__ import annotations

import numpy as np

from dgseg.errors import GeometryError, ScanError
from dgseg.scans.dicom_headers import SliceHeader
from dgseg.scans.dicom_stacks import Stack, depths, direction
from dgseg.scans.geometry import Geometry

GAP_TOLERANCE = 0.02
"""Part of the slice spacing by which gaps may differ: positions are rounded in headers."""

SHEAR_TOLERANCE = 1e-3
"""As highdicom: how far from 1 the cosine between stacking and normal may be."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_SEND_AGAIN = "Send or copy the whole series again from the archive."


def lps_from_ras(affine: np.ndarray) -> np.ndarray:
    """An affine to DICOM's patient coordinates from one to RAS+, or the other way round."""
    flipped: np.ndarray = _LPS_TO_RAS @ affine
    return flipped


def check_stack(stack: Stack) -> Geometry:
    """The geometry of a stack's volume: axis 0 along the slices, then rows, columns.

    Parameters
    ----------
    stack : Stack
        Of single-frame images.

    Returns
    -------
    Geometry

    Raises
    ------
    ScanError
        For colour images, or compressed ones that no installed plugin reads.
    GeometryError
        For slices without a position, of which one is missing, there twice,
        or in another plane, and for tilted stacks.
    """
    first = stack.headers[0]
    _check_pixels(first)
    if stack.odd:
        raise GeometryError(
            f"One image of this series (instance number {first.instance_number}) lies in "
            f"another plane, or has another size, than the other {stack.n_series - 1}: "
            "a localizer perhaps.",
            remedy="The other images are listed without it; remove it to silence this.",
            path=first.path,
        )
    if not all(h.position and h.orientation and h.pixel_spacing for h in stack.headers):
        raise GeometryError(
            "The images do not tell where in the patient they lie: screen captures or "
            "films, perhaps.",
            remedy="Choose the original series.",
            path=first.path,
        )
    if len({h.frame_of_reference for h in stack.headers}) > 1:
        raise GeometryError(
            "The slices belong to different frames of reference: the patient was moved "
            "between them.",
            remedy=_SEND_AGAIN,
            path=first.path,
        )
    headers = in_order(stack)
    step = _check_steps(headers)
    return Geometry((len(headers), *first.size), _affine(headers[0], step), 0)


def in_order(stack: Stack) -> list[SliceHeader]:
    """The slices against their normal: slices, rows and columns are right-handed.

    That is how highdicom stacks them, too.
    """
    along = depths(stack.headers)
    return [stack.headers[index] for index in np.argsort(-along)]


def notes_on(stack: Stack, others: list[Stack]) -> str:
    """What a person should know of a sound stack: images missing at an end, set apart.

    A missing last slice leaves no gap, so the counts in the headers are
    compared with what is there.
    """
    notes = []
    told = max(header.images_in_acquisition for header in stack.headers)
    if told > stack.n_series:
        notes.append(f"the header tells of {told} images, {stack.n_series} are here")
    numbers = {header.instance_number for header in stack.headers}
    alone = len(others) == 1
    spread = max(numbers) - min(numbers) + 1
    if alone and len(numbers) == len(stack.headers) > 1 and spread > len(numbers):
        notes.append(f"image numbers run to {max(numbers)}, {len(numbers)} are here")
    elif alone and len(numbers) == len(stack.headers) > 1 and min(numbers) == 2:
        notes.append("image numbers start at 2: the first image may be missing")
    odd = sum(other.odd for other in others)
    if odd:
        notes.append(f"{odd} image{'s' if odd > 1 else ''} of the series set apart")
    return "; ".join(notes)


def check_decoder(transfer_syntax: str, header: SliceHeader) -> None:
    """Raise `ScanError` where no installed plugin unpacks the pixels."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    syntax = UID(transfer_syntax)
    if not transfer_syntax or not syntax.is_transfer_syntax or not syntax.is_compressed:
        return
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise ScanError(
            f"The pixels are compressed ({syntax.name}), and nothing that is installed "
            "can unpack them.",
            remedy="Run: pip install napari-dgseg[pylibjpeg] - or export the series "
            "uncompressed.",
            path=header.path,
        )


def _check_pixels(header: SliceHeader) -> None:
    if header.samples != 1:
        raise ScanError(
            "These are colour images; a scan has one number a voxel.",
            remedy="Choose the original series.",
            path=header.path,
        )
    check_decoder(header.transfer_syntax, header)


def _check_steps(headers: list[SliceHeader]) -> np.ndarray:
    """The vector from slice to slice (LPS+, mm) of slices in order along their normal."""
    down = -direction(headers[0])
    if not np.isclose(np.linalg.norm(down), 1, atol=1e-2):
        raise GeometryError(
            "The directions of rows and columns are not at right angles.",
            remedy=_SEND_AGAIN,
            path=headers[0].path,
        )
    if len(headers) == 1:
        return down * headers[0].slice_mm
    gaps = -np.diff(depths(headers))
    usual = float(np.median(gaps[gaps > 0.01])) if (gaps > 0.01).any() else 0.0
    for gap, here, there in zip(gaps, headers, headers[1:], strict=False):
        _check_gap(float(gap), usual, here, there)
    step = (np.array(headers[-1].position) - headers[0].position) / len(gaps)
    if step @ down / np.linalg.norm(step) < 1 - SHEAR_TOLERANCE:
        raise GeometryError(
            "The slices are not stacked at right angles to their plane (a tilted gantry).",
            remedy="Straighten the series first, for example with dcm2niix.",
            path=headers[0].path,
        )
    return down * float(step @ down)


def _check_gap(gap: float, usual: float, here: SliceHeader, there: SliceHeader) -> None:
    between = f"(instance numbers {here.instance_number} and {there.instance_number})"
    if gap <= max(0.01, 0.05 * usual):
        raise GeometryError(
            f"Two images lie at the same place {between}.",
            remedy="Remove the one that is there twice.",
            path=there.path,
        )
    if gap > 1.5 * usual:
        missing = max(1, round(gap / usual) - 1)
        raise GeometryError(
            f"{missing} slice{'s are' if missing > 1 else ' is'} missing between two images "
            f"{between}: they lie {gap:.2f} mm apart, the others {usual:.2f} mm.",
            remedy=_SEND_AGAIN,
            path=here.path,
        )
    if abs(gap - usual) > GAP_TOLERANCE * usual:
        raise GeometryError(
            f"The slices are not equally spaced: {gap:.2f} mm between two images {between}, "
            f"{usual:.2f} mm between others.",
            remedy="Resample the series to equal spacing first.",
            path=here.path,
        )


def _affine(first: SliceHeader, step: np.ndarray) -> np.ndarray:
    """From (slice, row, column) to RAS+, PS3.3 C.7.6.2.1.1."""
    row, column = np.reshape(first.orientation, (2, 3))
    row_mm, column_mm = first.pixel_spacing
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = column * row_mm
    affine[:3, 2] = row * column_mm
    affine[:3, 3] = first.position
    return lps_from_ras(affine)

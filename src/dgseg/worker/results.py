"""What the worker answers; no torch here. See `dgseg.worker.protocol`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from dgseg.factors.map import OneCode


class HelloResult(BaseModel):
    """Answers `Hello`."""

    version: str
    pid: int


class PredictResult(BaseModel):
    """Answers `Predict`: the proposal is in `out`.

    Attributes
    ----------
    scan_id, bundle_id : str
    out : Path
        As requested.
    seconds : float
        With reading the scan, and loading the model where that was due.
    device : str
        Where it ran, such as ``"cpu"`` or ``"cuda:0"``.
    warnings : tuple of str
        What had to be given up on the way, as sentences for a person.
    """

    scan_id: str
    bundle_id: str
    out: Path
    seconds: float
    device: str
    warnings: tuple[str, ...] = ()


class InspectResult(BaseModel):
    """Answers `Inspect`: the factors are in `out`.

    Attributes
    ----------
    scan_id, bundle_id : str
    out : Path
        As requested.
    seconds : float
        With reading the scan, and loading the model where that was due.
    device : str
        Where it ran, such as ``"cpu"`` or ``"cuda:0"``.
    warnings : tuple of str
        What had to be given up or left out, as sentences for a person.
    """

    scan_id: str
    bundle_id: str
    out: Path
    seconds: float
    device: str
    warnings: tuple[str, ...] = ()


class PicturesResult(BaseModel):
    """Answers `Pictures`: the pictures are in `out`.

    Attributes
    ----------
    out : Path
        As requested.
    n_channels : int
        Of the anatomy.
    seconds : float
    """

    out: Path
    n_channels: int
    seconds: float


class DecodeResult(BaseModel):
    """Answers `Decode`: the picture is in `out`.

    Attributes
    ----------
    out : Path
        As requested.
    seconds : float
    style, domain : tuple of float
        The codes that were used.
    dice : dict of str to (float or None)
        Between the labels of the picture and those of the slice, by short name of the
        structure; None where neither has it. Empty unless asked to segment.
    """

    out: Path
    seconds: float
    style: tuple[float, ...]
    domain: tuple[float, ...]
    dice: dict[str, float | None] = {}


class SheetResult(BaseModel):
    """Answers `Sheet`: the picture is in the file `out`."""

    out: Path


class EmbedResult(BaseModel):
    """Answers `Embed`: the points are in the file `out`."""

    out: Path


class MeasuresResult(BaseModel):
    """Answers `Measures`; None for what cannot be measured on so few slices.

    Attributes
    ----------
    distance_correlation : dict of str to (float or None)
        Between the anatomy and ``"style"``, ``"domain"`` (None where the model has no
        domain code) and ``"both"``; 0 (independent) to 1.
    domain_accuracy : float or None
        Share of slices whose classifier names the scan's domain, where it is known.
    reconstruction : float
        Mean absolute error of the reconstruction, 0 to 1.
    hsic : float or None
        Between style and domain code: normalised, 0 to 1.
    n_slices : int
        How many slices were measured.
    silent : tuple of {'style', 'domain'}
        The codes that carry nothing; see `dgseg.factors.silence`.
    """

    distance_correlation: dict[str, float | None]
    domain_accuracy: float | None
    reconstruction: float
    hsic: float | None
    n_slices: int = 0
    silent: tuple[OneCode, ...] = ()


class MethodInfo(BaseModel):
    """A registered method that adapts a bundle to a site.

    Attributes
    ----------
    name, title : str
    when : str
        When to choose it, as a sentence.
    needs_labels : bool
        Whether it learns from corrections alone, and nothing without any.
    needs_style_bank : bool
        Whether it runs only from a bundle that has a style bank.
    learns : bool
        Whether it trains anything.
    """

    name: str
    title: str
    when: str
    needs_labels: bool = True
    needs_style_bank: bool = False
    learns: bool = True


class MethodsResult(BaseModel):
    """Answers `Methods`."""

    methods: tuple[MethodInfo, ...]


class DeviceInfo(BaseModel):
    """A device; bytes are None where they cannot be known."""

    name: str
    title: str
    free_bytes: int | None
    total_bytes: int | None


class DevicesResult(BaseModel):
    """Answers `Devices`; the first one is what ``"auto"`` takes."""

    devices: tuple[DeviceInfo, ...]


class CancelResult(BaseModel):
    """Answers `Cancel`: whether the target was still to be answered."""

    found: bool


class Done(BaseModel):
    """Answers `Release` and `Quit`."""

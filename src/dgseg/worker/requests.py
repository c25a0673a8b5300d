"""What the worker can be asked; no torch here. See `dgseg.worker.protocol`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dgseg.scans.scan import ScanSource

PROTOCOL_VERSION = 1

_Index = Annotated[int, Field(ge=0)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Code = Annotated[tuple[_Number, ...], Field(max_length=4096)]


class Message(BaseModel):
    """Whatever goes through the pipe, either way."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=PROTOCOL_VERSION, alias="schema", le=PROTOCOL_VERSION)


class WorkerRequest(Message):
    """A question, with its number."""

    id: int


class Hello(WorkerRequest):
    """Ask whether the worker is there; answered at once, without torch."""

    verb: Literal["hello"] = "hello"


class Predict(WorkerRequest):
    """Segment one scan.

    Attributes
    ----------
    source : ScanSource
        The scan; it must be backed by a file.
    bundle : Path
        The model; it stays loaded until another one is asked for.
    out : Path
        Folder for the proposal, as `dgseg.site.proposals.read_proposal` reads it.
    """

    verb: Literal["predict"] = "predict"
    source: ScanSource
    bundle: Path
    out: Path


class Inspect(WorkerRequest):
    """Compute what the bundle sees in all slices of a scan: its latent factors.

    Attributes
    ----------
    source : ScanSource
        The scan; it must be backed by a file.
    bundle : Path
        A model that tells anatomy from appearance.
    out : Path
        Folder for the factors, as `dgseg.factors.record.read_factors` reads it.
    labels : Path or None
        Folder of the bundle's proposal for the scan, to take the uncertainty from.
    """

    verb: Literal["inspect"] = "inspect"
    source: ScanSource
    bundle: Path
    out: Path
    labels: Path | None = None


class Pictures(WorkerRequest):
    """Paint a scan from its factors, on the scan's own canonical grid.

    Attributes
    ----------
    source, bundle
        As in `Inspect`.
    out : Path
        Folder for four files: ``image.npy`` (the normalised slices, 0 to 1),
        ``reconstruction.npy`` and ``difference.npy`` (reconstruction - image), all of
        float32 and shape (slices, rows, columns); ``anatomy.npy``, uint8 of shape
        (channels, slices, rows, columns). See `dgseg.inspection.pictures.ScanPictures`.
    """

    verb: Literal["pictures"] = "pictures"
    source: ScanSource
    bundle: Path
    out: Path


class Decode(WorkerRequest):
    """Paint one slice's anatomy with given codes.

    Attributes
    ----------
    source, bundle
        As in `Inspect`.
    slice : int
        From 0, in canonical orientation.
    out : Path
        Folder for ``picture.npy`` (rows, columns), float32, 0 to 1; with `segment`
        also for ``labels.npy`` (of the picture) and ``own.npy`` (of the slice), uint8.
    style, domain : tuple of float or None
        The codes; None for the slice's own.
    segment : bool
        Whether the picture is segmented too.
    """

    verb: Literal["decode"] = "decode"
    source: ScanSource
    slice: _Index
    bundle: Path
    out: Path
    style: _Code | None = None
    domain: _Code | None = None
    segment: bool = False


class Sheet(WorkerRequest):
    """Draw one slice with one dimension of a code after the other changed.

    Attributes
    ----------
    source, slice, bundle
        As in `Decode`.
    code : {'style', 'domain'}
    out : Path
        The PNG file: a dimension a row, -3 to 3 deviations a column.
    """

    verb: Literal["sheet"] = "sheet"
    source: ScanSource
    slice: _Index
    bundle: Path
    code: Literal["style", "domain"]
    out: Path


class Embed(WorkerRequest):
    """Lay codes out on a plane by t-SNE.

    Attributes
    ----------
    codes : Path
        ``.npy`` file of shape (N, dimensions).
    out : Path
        ``.npy`` file for the result, float32 (N, 2).
    seed : int
        Of the random start.
    """

    verb: Literal["embed"] = "embed"
    codes: Path
    out: Path
    seed: _Index = 0


class Measures(WorkerRequest):
    """Measure over some scans how well the bundle tells anatomy from appearance.

    Attributes
    ----------
    sources : tuple of ScanSource
    bundle : Path
    domain : str
        That they are of, by the name that the bundle may know.
    """

    verb: Literal["measures"] = "measures"
    sources: Annotated[tuple[ScanSource, ...], Field(min_length=1)]
    bundle: Path
    domain: str = ""


class Methods(WorkerRequest):
    """Ask for the registered methods that adapt a bundle to a site."""

    verb: Literal["methods"] = "methods"


class Devices(WorkerRequest):
    """Ask for the devices and their free memory."""

    verb: Literal["devices"] = "devices"


class Cancel(WorkerRequest):
    """Stop request number `target`, whether it runs or waits."""

    verb: Literal["cancel"] = "cancel"
    target: int


class Release(WorkerRequest):
    """Let go of the model and of the device's memory."""

    verb: Literal["release"] = "release"


class Quit(WorkerRequest):
    """Stop what runs and end."""

    verb: Literal["quit"] = "quit"

"""What a job is asked to do: the content of ``job.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from dgseg.adaptation.config import AdaptConfig
from dgseg.scans.scan import ScanSource
from dgseg.training.config import TrainConfig


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    spec_version: Literal[1] = 1


class AdaptJob(_Spec):
    """Adapt a bundle to a site's corrections and unlabelled scans.

    Attributes
    ----------
    site : Path
        The site workspace. It is only read: the corrections are taken from
        the snapshot in the job's ``inputs``, and where that is missing the
        job takes the snapshot itself as it starts.
    bundle : Path
        The bundle to start from.
    config : AdaptConfig
        What the person chose.
    sources : tuple of str
        Labelled source data to learn from beside the site's scans: names of registered
        data sets, or folders.
    """

    kind: Literal["adapt"] = "adapt"
    site: Path
    bundle: Path
    sources: tuple[str, ...] = ()
    config: AdaptConfig = Field(default_factory=AdaptConfig)


class PredictJob(_Spec):
    """Segment many scans; one that fails is reported and passed over.

    Attributes
    ----------
    scans : tuple of ScanSource
        What to segment.
    bundle : Path
        The model.
    out : Path
        Where the results go, a folder.
    output : {'proposals', 'files'}
        ``"proposals"``: ``out/<scan_id>/`` as a site workspace reads them.
        ``"files"``: NIfTI with its table of labels, and DICOM-SEG for DICOM.
    names : tuple of str
        Names of the output files, one for each scan; empty to name them by
        scan id, which never holds the name of a patient.
    device, precision, threads
        As in `AdaptConfig`.
    """

    kind: Literal["predict"] = "predict"
    scans: Annotated[tuple[ScanSource, ...], Field(min_length=1)]
    bundle: Path
    out: Path
    output: Literal["proposals", "files"] = "proposals"
    names: tuple[str, ...] = ()
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None


class TrainJob(_Spec):
    """Train a bundle from scratch; it ends up in the job's ``bundle``.

    Attributes
    ----------
    config : TrainConfig
        What the person chose.
    datasets : tuple of str
        Registered names.
    data_root : Path or None
        Where the data sets lie; None for the usual places.
    name, licence, command : str
        What the bundle says of itself.
    """

    kind: Literal["train"] = "train"
    config: TrainConfig = Field(default_factory=TrainConfig)
    datasets: Annotated[tuple[str, ...], Field(min_length=1)]
    data_root: Path | None = None
    name: str = "model"
    licence: str = ""
    command: str = ""


JobSpec = AdaptJob | PredictJob | TrainJob

job_spec: TypeAdapter[JobSpec] = TypeAdapter(Annotated[JobSpec, Field(discriminator="kind")])
"""Reads and writes any kind of job."""

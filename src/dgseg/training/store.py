"""Every slice of a data set, prepared once, from which crops are drawn by the batch."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from dgseg.errors import LabelsError
from dgseg.methods.base import Batch
from dgseg.nets.poses import AS_IT_IS, Pose, posed, slices_to_ask
from dgseg.nets.resample import resize, resize_labels
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing, grid_size, normalise
from dgseg.training.crops import CropTable, gather

_ANCHORS = 64
"""Positions inside structures that are remembered of each annotated slice."""

_CHUNK = 32
"""Slices that are resampled at once."""


FindPose = Callable[[str, tuple[int, ...], Tensor], Pose]
"""From a scan's id and some of its slices (N, 1, H, W), on the model's grid, to its pose."""


class SliceStore:
    """Slices on the model's grid, by domain, on the device or mapped from a file.

    Labels exist in here only for annotated slices, so that no batch can hold
    a label that nobody vouched for. Every slice, annotated or not, belongs to
    the unlabelled ones of its domain. Built by `SliceStore.build`.

    Attributes
    ----------
    mapped : bool
        Whether the slices stayed in a file because of their size.
    """

    def __init__(
        self,
        images: _Growing,
        labels: _Growing,
        table: CropTable,
        device: torch.device,
    ) -> None:
        self._device = device
        self._table = table
        table.freeze()
        files = [part.file for part in (images, labels) if part.file is not None]
        self.mapped = bool(files)
        place = torch.device("cpu") if self.mapped else device
        self._images = images.finish(place)
        self._labels = labels.finish(place)
        for file in files:
            weakref.finalize(self, file.unlink, missing_ok=True)

    @classmethod
    def build(
        cls,
        items: Iterable[AnnotatedScan],
        preprocessing: Preprocessing,
        device: torch.device | str = "cpu",
        memory_limit_gb: float = 4.0,
        cache_dir: Path | None = None,
        find_pose: FindPose | None = None,
    ) -> Self:
        """Prepare scans; only one of them is in memory at a time.

        Parameters
        ----------
        items : iterable of AnnotatedScan
            Read one after the other.
        preprocessing : Preprocessing
            Of the model.
        device : torch.device or str
            Where batches are wanted.
        memory_limit_gb : float
            Beyond this size the slices are mapped from a file.
        cache_dir : Path, optional
            Where that file is written; a temporary folder if not given. It goes
            away with the store.
        find_pose : callable, optional
            Slices and labels are kept turned and enlarged as it says of each scan.

        Raises
        ------
        ScanError, LabelsError
            As a scan raises it; LabelsError also if there is no scan at all.
        """
        limit = int(memory_limit_gb * 1e9)
        images = _Growing(np.dtype(np.float16), limit, cache_dir)
        labels = _Growing(np.dtype(np.uint8), limit, cache_dir)
        table = CropTable()
        for item in items:
            _add_scan(item, preprocessing, images, labels, table, find_pose)
        if not table.domains:
            raise LabelsError(
                "There are no scans to learn from.", remedy="Choose a data set with scans."
            )
        return cls(images, labels, table, torch.device(device))

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in the order in which they came."""
        return self._table.domains

    def n_slices(self, domain: str, *, labelled: bool = False) -> int:
        """How many slices a domain has, all of them or only the annotated ones."""
        return len(self._table.members(domain, labelled))

    def classes(self) -> tuple[int, ...]:
        """Classes that the annotated slices show, the background among them."""
        return tuple(torch.unique(self._labels).tolist())

    def sample(
        self,
        domain: str,
        n: int,
        patch_px: int,
        labelled: bool,
        generator: torch.Generator,
        foreground_share: float = 0.67,
    ) -> Batch:
        """Draw crops of one domain.

        Parameters
        ----------
        domain : str
        n, patch_px : int
            Number of crops, and their side; along an axis along which no slice is as
            long, the length of the longest. A smaller slice is mirrored at its borders;
            beyond them labels are 0, and nothing counts as annotated.
        labelled : bool
            Crops of annotated slices with their labels, the share
            `foreground_share` of them around a random point of a structure;
            else crops of any slices without labels, denser in the middle.
        generator : torch.Generator
            On the CPU; it alone decides what is drawn.
        foreground_share : float
            0 to 1.

        Returns
        -------
        Batch
            On the device of the store.

        Raises
        ------
        LabelsError
            If there are no such slices.
        """
        if not self.n_slices(domain, labelled=labelled):
            raise LabelsError(
                f"The domain {domain} has no {'annotated ' if labelled else ''}slices.",
                remedy="Correct or label at least one slice.",
            )
        share = foreground_share if labelled else 0.0
        size = self._table.crop_size(patch_px)
        chosen, corners = self._table.draw(domain, n, size, labelled, share, generator)
        window = self._table.window(chosen, corners, size, self._images.device)
        images = gather(self._images, window, window.image_starts).float()[:, None]
        if not labelled:
            return Batch(images.to(self._device))
        labels = gather(self._labels, window, window.label_starts).long()
        if window.inside is None:
            return Batch(images.to(self._device), labels.to(self._device), None)
        labels = (labels * window.inside).to(self._device)
        return Batch(images.to(self._device), labels, window.inside.to(self._device))

    def slices(self, domain: str, at_once: int = _CHUNK) -> Iterator[Tensor]:
        """All slices of a domain, whole, in batches of one size each.

        Yields
        ------
        Tensor, shape (N, 1, H, W), float32
            On the device of the store; N is at most `at_once`.
        """
        for (rows, columns), starts in self._table.by_size(domain).items():
            for some in torch.tensor(starts).split(at_once):
                offsets = some[:, None] + torch.arange(rows * columns)
                flat = self._images[offsets.to(self._images.device)]
                yield flat.view(-1, 1, rows, columns).float().to(self._device)


def _add_scan(
    item: AnnotatedScan,
    preprocessing: Preprocessing,
    images: _Growing,
    labels: _Growing,
    table: CropTable,
    find_pose: FindPose | None,
) -> None:
    """Put one scan's slices into the buffers and the table."""
    grid = grid_size(item.scan.geometry, preprocessing)
    array = normalise(item.scan.array, preprocessing)
    marks, hidden = item.annotated & ~item.hidden, item.hidden
    pose = AS_IT_IS
    if find_pose is not None:
        # What is hidden has no say in how the scan is turned, for it is to judge.
        shown = np.flatnonzero(~hidden)
        asked = tuple(shown[slices_to_ask(len(shown))].tolist()) if shown.size else ()
        if asked:
            some = torch.from_numpy(array[list(asked), None])
            pose = find_pose(item.scan.scan_id, asked, resize(some, grid))
    for first in range(0, len(array), _CHUNK):
        part = resize(torch.from_numpy(array[first : first + _CHUNK])[:, None], grid)
        start = images.append(posed(part, pose).to(torch.float16).numpy())
        drawn = np.flatnonzero(marks[first : first + _CHUNK])
        kept: dict[int, np.ndarray] = {}
        label_start = 0
        if item.labels is not None and drawn.size:
            raw = np.ascontiguousarray(item.labels[first + drawn])
            sized = _sized_labels(raw, grid, pose)
            label_start = labels.append(sized)
            kept = dict(zip(drawn.tolist(), sized, strict=True))
        for index in range(len(part)):
            slice_labels = kept.get(index)
            if not hidden[first + index]:
                table.add(item.domain, start, grid, label_start if index in kept else None)
            if slice_labels is not None:
                table.anchor(_anchors(slice_labels))
                label_start += slice_labels.size
            start += grid[0] * grid[1]


def _sized_labels(labels: np.ndarray, grid: tuple[int, int], pose: Pose) -> np.ndarray:
    sized = resize_labels(torch.from_numpy(labels), grid, int(labels.max()) + 1)
    return posed(sized[:, None].float(), pose, "nearest")[:, 0].to(torch.uint8).numpy()


def _anchors(labels: np.ndarray) -> np.ndarray:
    """Up to `_ANCHORS` evenly chosen (row, column) of the foreground, shape (k, 2)."""
    where = np.argwhere(labels)
    if len(where) > _ANCHORS:
        where = where[np.linspace(0, len(where) - 1, _ANCHORS).astype(int)]
    return where


@dataclass
class _Growing:
    """One flat array of unknown length, in memory or, once too large, in a file."""

    dtype: np.dtype
    limit_bytes: int
    cache_dir: Path | None
    file: Path | None = None
    _parts: list[np.ndarray] = field(default_factory=list)
    _length: int = 0

    def append(self, array: np.ndarray) -> int:
        """Add `array`, flattened; return where it starts."""
        start = self._length
        self._parts.append(np.array(array, self.dtype).ravel())
        self._length += array.size
        if self._length * self.dtype.itemsize > self.limit_bytes:
            self._spill()
        return start

    def finish(self, device: torch.device) -> Tensor:
        """All of it, on the device, or mapped from its file on the CPU."""
        if self.file is None:
            parts = self._parts or [np.empty(0, self.dtype)]
            return torch.from_numpy(np.concatenate(parts)).to(device)
        self._spill()
        # Copy-on-write, since torch wants writable memory; nobody writes to it.
        return torch.from_numpy(np.memmap(self.file, self.dtype, mode="c"))

    def _spill(self) -> None:
        if self.file is None:
            handle, name = tempfile.mkstemp(".slices", "dgseg-", self.cache_dir)
            os.close(handle)
            self.file = Path(name)
        with self.file.open("ab") as file:
            for part in self._parts:
                part.tofile(file)
        self._parts.clear()

"""From a scan to a proposal: labels and uncertainty on the scan's own grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgseg.bundles.bundle import BundleInfo, read_info, read_into
from dgseg.devices import find_device
from dgseg.factors.distance import Distance
from dgseg.inference.batches import Progress, ShouldStop, in_batches
from dgseg.inference.components import keep_largest
from dgseg.inference.look import LookRecorder
from dgseg.inference.poses import poses_of
from dgseg.inference.runner import SliceRunner, borrowed
from dgseg.inference.uncertainty import normalised_entropy, slice_uncertainty
from dgseg.nets.build import build
from dgseg.nets.poses import Weighted, answer
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import grid_size, normalise
from dgseg.scans.scan import Scan
from dgseg.site.proposals import Proposal
from dgseg.site.traits import SliceTraits, measure_traits


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a model proposes for one scan, in canonical orientation.

    Attributes
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
    uncertainty : ndarray of uint8, same shape
        Entropy of the class probabilities over its maximum: 0 (sure) to 255.
    slice_uncertainty : ndarray of float32, shape (slices,)
        0 (sure) to 1; see `dgseg.inference.uncertainty.slice_uncertainty`.
    traits : SliceTraits
        What each slice is like.
    warnings : tuple of str
        What had to be given up on the way, as sentences for a person.
    distance : Distance or None
        How far the scan is from what the model has learnt from, where it can tell.
    """

    labels: np.ndarray
    uncertainty: np.ndarray
    slice_uncertainty: np.ndarray
    traits: SliceTraits
    warnings: tuple[str, ...] = ()
    distance: Distance | None = None

    def proposal(self, bundle_id: str) -> Proposal:
        """It as the proposal of a bundle, to be put on disk."""
        return Proposal(
            self.labels,
            self.uncertainty,
            self.slice_uncertainty,
            bundle_id,
            self.traits,
            self.distance,
        )


class Segmenter:
    """A bundle, loaded and ready.

    Parameters
    ----------
    folder : path-like
        The bundle.
    device : str
        As in `dgseg.devices.find_device`.
    precision : {'auto', 'bf16', 'fp32'}
    seek_pose : bool
        Look for each scan's pose, whatever the bundle says; see `Preprocessing`.

    Raises
    ------
    BundleError
        If the bundle is not sound.
    DeviceError
        If the device is not there.
    """

    def __init__(
        self,
        folder: str | Path,
        device: str = "auto",
        precision: str = "auto",
        *,
        seek_pose: bool = False,
    ) -> None:
        info, net = load_network(folder)
        self.info = info.seeking_pose() if seek_pose else info
        self._runner: SliceRunner | None = SliceRunner(net.to(find_device(device)), precision)
        self._poses: dict[str, Weighted] = {}

    @property
    def runner(self) -> SliceRunner:
        """The network, with its device and its batches.

        Raises
        ------
        RuntimeError
            After `release`.
        """
        if self._runner is None:
            raise RuntimeError("this segmenter was released")
        return self._runner

    def segment(
        self,
        scan: Scan,
        *,
        progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Segmentation:
        """Segment one scan.

        Parameters
        ----------
        scan : Scan
        progress : callable, optional
            Called with the share that is done, 0 to 1, after every batch.
        should_stop : callable, optional
            Asked before every batch.

        Raises
        ------
        ScanError
            If the scan holds nothing to segment.
        DeviceError
            If even one slice at a time is too much for the memory.
        SegmentationStopped
            If `should_stop` said so.
        RuntimeError
            After `release`.
        """
        return _segment(self.runner, self.info, scan, self.poses, progress, should_stop)

    def poses(
        self,
        scan_id: str,
        images: np.ndarray,
        grid: tuple[int, int],
        should_stop: ShouldStop | None = None,
    ) -> Weighted:
        """In which poses this model looks at a scan; sought once, the best comes last.

        Parameters
        ----------
        scan_id : str
        images : ndarray of float32, shape (slices, rows, columns)
            All slices of the scan, normalised.
        grid : tuple of int
            Rows and columns of the model's.
        should_stop : callable, optional
            As in `segment`.

        Raises
        ------
        DeviceError, SegmentationStopped
            As `segment`.
        """
        if scan_id not in self._poses:
            wanted = self.info.preprocessing.seek_pose
            self._poses[scan_id] = poses_of(self.runner, wanted, images, grid, should_stop)
        return self._poses[scan_id]

    def release(self) -> None:
        """Let go of the network and its memory on the device; there is no way back."""
        self._runner = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def segment_with(
    net: nn.Module,
    info: BundleInfo,
    scan: Scan,
    *,
    precision: str = "auto",
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Segmentation:
    """Segment one scan with a network in memory, on the device that it is on.

    The network is left as it was: its mode (training or evaluation), device and
    memory layout. See `Segmenter.segment` for the other parameters and the errors.
    """
    with borrowed(net, precision) as runner:

        def find(_: str, *asked: Any) -> Weighted:
            return poses_of(runner, info.preprocessing.seek_pose, *asked)

        return _segment(runner, info, scan, find, progress, should_stop)


def load_network(folder: str | Path) -> tuple[BundleInfo, nn.Module]:
    """A bundle's description, and its network with its weights, on the CPU.

    Raises
    ------
    BundleError
        If the bundle is not sound, or asks for a network that is not known.
    """
    info = read_info(folder)
    net = build(info.network)
    read_into(net, folder, info)
    return info, net


def _segment(
    runner: SliceRunner,
    info: BundleInfo,
    scan: Scan,
    find_poses: Callable[..., Weighted],
    progress: Progress | None,
    should_stop: ShouldStop | None,
) -> Segmentation:
    images = normalise(scan.array, info.preprocessing)
    grid = grid_size(scan.geometry, info.preprocessing)
    runner.warnings.clear()
    poses = find_poses(scan.scan_id, images, grid, should_stop)
    with LookRecorder(runner.net, info.look_bank) as recorder:
        labels, uncertainty, look = _propose_all(
            runner, recorder, images, grid, poses, progress, should_stop
        )
    if info.preprocessing.largest_component:
        labels = keep_largest(labels)
    return Segmentation(
        labels,
        uncertainty,
        slice_uncertainty(labels, uncertainty),
        measure_traits(labels, uncertainty, info.labels.n_classes - 1, look),
        tuple(runner.warnings),
        recorder.distance(),
    )


def _propose_all(
    runner: SliceRunner,
    recorder: LookRecorder,
    images: np.ndarray,
    grid: tuple[int, int],
    poses: Weighted,
    progress: Progress | None,
    should_stop: ShouldStop | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, uncertainty and look of all slices, batch by batch."""
    labels = np.empty(images.shape, np.uint8)
    uncertainty = np.empty(images.shape, np.uint8)
    look: list[np.ndarray] = []

    def propose(part: slice) -> None:

        def predict(slices: Tensor) -> Tensor:
            recorder.forget()  # what it takes is of the best pose, which comes last
            return runner.probabilities(slices)

        labels[part], uncertainty[part] = _propose(
            lambda slices: answer(predict, slices, poses), images[part], grid, runner.device
        )
        look.append(recorder.take(images[part]))

    pixels = max(grid[0] * grid[1], images[0].size)
    in_batches(runner, len(images), pixels, propose, progress, should_stop)
    return labels, uncertainty, np.concatenate(look)


def _propose(
    predict: Callable[[Tensor], Tensor],
    images: np.ndarray,
    grid: tuple[int, int],
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and uncertainty (N, rows, columns) of a few slices on the scan's grid."""
    with torch.inference_mode():
        slices = torch.from_numpy(images[:, None]).to(device)
        probabilities = predict(resize(slices, grid))
        # The entropy is a single map: cheaper to take on the model's grid, where
        # the network knows no more than that, than from every class on the scan's.
        entropy = normalised_entropy(probabilities)[:, None]
        size = (images.shape[1], images.shape[2])
        # On a CPU ten times as fast as argmax, with the same answer for ties.
        labels = resize(probabilities, size).max(dim=1).indices.to(torch.uint8)
        return _numpy(labels), _numpy(_as_bytes(resize(entropy, size)[:, 0]))


def _as_bytes(share: Tensor) -> Tensor:
    return share.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()

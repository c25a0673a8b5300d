"""A scan's slices, as many at once as the memory takes, until somebody asks for the end."""

from __future__ import annotations

from collections.abc import Callable

from dgseg.inference.runner import SliceRunner

Progress = Callable[[float], None]
ShouldStop = Callable[[], bool]


class SegmentationStopped(Exception):  # noqa: N818  (a wish that was granted, no error)
    """Somebody asked for the segmentation to stop."""


def in_batches(
    runner: SliceRunner,
    n_slices: int,
    pixels: int,
    compute: Callable[[slice], None],
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> None:
    """Compute something of all slices, as many at once as the memory takes.

    Parameters
    ----------
    runner : SliceRunner
        It gives way when memory runs out.
    n_slices, pixels : int
        How many slices, and how large each of them is.
    compute : callable
        Called with one range of slices after the other; again, with a shorter one, if
        it ran out of memory.
    progress, should_stop
        As in `dgseg.inference.segmenter.Segmenter.segment`.

    Raises
    ------
    DeviceError, SegmentationStopped
        As there.
    """
    done = 0
    while done < n_slices:
        if should_stop is not None and should_stop():
            raise SegmentationStopped
        batch = min(runner.batch_size(pixels), n_slices - done)
        try:
            compute(slice(done, done + batch))
        except (RuntimeError, MemoryError) as error:
            runner.give_way(error, batch)
            continue
        done += batch
        if progress is not None:
            progress(done / n_slices)

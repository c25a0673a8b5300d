"""Several cells at a time, each in a process of its own, through ``dask.distributed``."""

from __future__ import annotations

import logging
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import dask
from distributed import (
    Client,
    LocalCluster,
    Status,
    Worker,
    WorkerPlugin,
    as_completed,
    get_worker,
)

from dgseg.evaluation.benchmark.claims import CellResult, Named
from dgseg.evaluation.benchmark.work import Fail, Work

_TOPIC = "dgseg-benchmark"


def run_parallel(
    cells: Sequence[Named],
    work: Work,
    fail: Fail,
    workers: int,
    scheduler: str | None,
    say: Callable[[str], None],
) -> Iterator[CellResult]:
    """Run cells on processes of this machine, or on those of a scheduler.

    Processes on this machine talk to each other on its loopback address alone, and each
    works on one cell at a time. One that dies (for want of memory) is replaced.

    Parameters
    ----------
    cells : sequence of Named
        In the order in which they shall begin.
    work, fail, say
        As in `dgseg.evaluation.benchmark.runner.work_off`.
    workers : int
        Processes.
    scheduler : str or None
        Address of a running scheduler, which then has the say about processes.

    Yields
    ------
    CellResult
        In the order in which they end.
    """
    token = uuid4().hex[:8]  # a scheduler that was there before may remember older runs
    with _client(workers, scheduler) as client:
        client.subscribe_topic(_TOPIC, lambda event: say(event[1]))
        futures = {
            client.submit(
                _attempt,
                cell,
                work,
                key=f"{cell.name}-{token}",
                priority=-number,
                pure=False,
            ): cell
            for number, cell in enumerate(cells)
        }
        for future in as_completed(futures):
            error = future.exception()
            if error is None:
                yield future.result()
            else:  # its process died, again and again
                yield fail(futures[future], error=error)


def _attempt(cell: Named, work: Work) -> CellResult:
    """Run one cell in a worker; what it says goes to the client.

    A worker that is being closed stops at the next step, with a checkpoint.
    """
    worker = get_worker()
    return work(
        cell,
        say=partial(worker.log_event, _TOPIC),
        should_stop=lambda: worker.status not in (Status.running, Status.paused),
    )


class _DeafToInterrupts(WorkerPlugin):
    """Leaves Ctrl+C, which reaches all processes of a terminal, to the one in front."""

    def setup(self, worker: Worker) -> None:
        del worker
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    settings: dict[str, Any] = {
        "logging": {"distributed": "critical"},  # of the workers
        "distributed.worker.daemon": True,
        "distributed.scheduler.allowed-failures": 1,
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    # What scheduler and workers say when they begin and end helps nobody here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory(prefix="dgseg-") as scratch,
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(_DeafToInterrupts())
        yield client

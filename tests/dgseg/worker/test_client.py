"""The worker as a process, seen from its client."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import dgseg
from dgseg.errors import BundleError, DgsegError, JobError, ScanError
from dgseg.inference.segmenter import Segmenter
from dgseg.scans.scan import ScanSource
from dgseg.scans.sources import read
from dgseg.site.proposals import read_proposal
from dgseg.worker.client import RequestCancelled, WorkerClient, worker_command
from dgseg.worker.protocol import Error, Hello, decode_reply, encode


@pytest.fixture(scope="module")
def worker():
    with WorkerClient(worker_command(device="cpu", precision="fp32", threads=1)) as client:
        yield client


def test_hello_is_answered_while_torch_is_still_loading(worker):
    start = time.monotonic()
    assert worker.hello().version == dgseg.__version__
    assert time.monotonic() - start < 20


def test_a_prediction_is_that_of_the_segmenter(worker, scan, tiny_bundle, tmp_path):
    fractions: list[float] = []
    answer = worker.predict(scan, tiny_bundle, tmp_path / "out", progress=fractions.append)
    proposal = read_proposal(tmp_path / "out")
    expected = Segmenter(tiny_bundle, "cpu", "fp32").segment(read(scan))
    assert answer.scan_id == read(scan).scan_id
    assert answer.bundle_id == proposal.bundle_id
    assert answer.device == "cpu"
    assert np.array_equal(proposal.labels, expected.labels)
    assert np.array_equal(proposal.uncertainty, expected.uncertainty)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert fractions == sorted(fractions)


def test_another_bundle_takes_the_place_of_the_first(
    worker, scan, tiny_bundle, other_bundle, tmp_path
):
    one = worker.predict(scan, tiny_bundle, tmp_path / "one")
    two = worker.predict(scan, other_bundle, tmp_path / "two")
    assert one.bundle_id != two.bundle_id
    assert read_proposal(tmp_path / "two").bundle_id == two.bundle_id


def test_a_bundle_that_was_replaced_is_loaded_again(
    worker, scan, tiny_bundle, other_bundle, tmp_path
):
    place = shutil.copytree(tiny_bundle, tmp_path / "accepted")
    one = worker.predict(scan, place, tmp_path / "out")
    shutil.rmtree(place)
    shutil.copytree(other_bundle, place)
    assert worker.predict(scan, place, tmp_path / "out").bundle_id != one.bundle_id


def test_errors_keep_their_type_and_the_worker_goes_on(worker, scan, tiny_bundle, tmp_path):
    gone = ScanSource(kind="nifti", path=tmp_path / "Mueller.nii.gz")
    with pytest.raises(ScanError) as caught:
        worker.predict(gone, tiny_bundle, tmp_path / "out")
    assert caught.value.remedy
    assert "Mueller" not in str(caught.value)
    with pytest.raises(BundleError):
        worker.predict(scan, tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(DgsegError):
        worker.predict(scan, tiny_bundle, tmp_path / "file" / "out")
    assert worker.predict(scan, tiny_bundle, tmp_path / "out").scan_id


def test_a_request_that_runs_can_be_cancelled(worker, long_scan, scan, tiny_bundle, tmp_path):
    number = worker.next_id()
    start = threading.Event()

    def cancel(fraction: float) -> None:
        if fraction > 0 and not start.is_set():
            start.set()
            worker.cancel(number)

    with pytest.raises(RequestCancelled):
        worker.predict(long_scan, tiny_bundle, tmp_path / "out", progress=cancel, number=number)
    assert start.is_set()
    assert read_proposal(tmp_path / "out") is None
    assert worker.predict(scan, tiny_bundle, tmp_path / "out").scan_id


def test_it_knows_methods_and_devices(worker):
    methods = {method.name: method for method in worker.methods().methods}
    assert {"finetune", "mean-teacher", "tent"} <= set(methods)
    assert "deepall" not in methods  # it trains, and does not adapt
    assert methods["finetune"].needs_labels
    assert not methods["mean-teacher"].needs_labels
    assert methods["meta-disentangle"].needs_style_bank
    assert not methods["mean-teacher"].needs_style_bank
    devices = worker.devices().devices
    assert devices[-1].name == "cpu"
    assert devices[-1].total_bytes > 1e8


def test_after_a_release_it_loads_again(worker, scan, tiny_bundle, tmp_path):
    worker.release()
    assert worker.predict(scan, tiny_bundle, tmp_path / "out").scan_id


def test_a_worker_that_is_gone_is_an_error():
    with WorkerClient([sys.executable, "-c", "pass"]) as client, pytest.raises(JobError):
        client.hello()


NOISY = """
import os, runpy, sys
import dgseg.devices as d
old = d.list_devices
def noisy():
    print("printed by Python")
    os.system("echo printed by C")
    return old()
d.list_devices = noisy
sys.argv = ["worker"]
runpy.run_module("dgseg.worker", run_name="__main__")
"""


def test_rubbish_is_answered_prints_go_elsewhere_and_the_end_of_input_ends_it():
    requests = [
        b"no json\n",
        b'{"id": 7, "verb": "knit"}\n',
        b"\n",
        b'{"id": 8, "verb": "devices"}\n',
        encode(Hello(id=9)),
    ]
    done = subprocess.run(
        [sys.executable, "-c", NOISY], input=b"".join(requests), capture_output=True, check=True
    )
    replies = [decode_reply(line) for line in done.stdout.splitlines()]
    errors = [reply for reply in replies if isinstance(reply, Error)]
    assert [error.id for error in errors] == [None, 7]
    assert 9 in [reply.id for reply in replies]
    assert b"printed" not in done.stdout

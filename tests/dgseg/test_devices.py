"""Devices are found, or their absence is said."""

from __future__ import annotations

import pytest
import torch

from dgseg import devices
from dgseg.devices import fast_bf16, find_device, find_precision, list_devices
from dgseg.errors import DeviceError
from dgseg.training.devices import make_fabric


def test_the_cpu_is_always_there():
    cpu = list_devices()[-1]
    assert cpu.name == "cpu"
    assert 0 < cpu.free_bytes <= cpu.total_bytes
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in {"cpu", "cuda"}


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cuda:-1"])
def test_unknown_names_are_refused(name):
    with pytest.raises(DeviceError, match="no kind of device"):
        find_device(name)


@pytest.mark.parametrize("name", ["cuda:99", "cuda"])
def test_absent_cuda_is_said(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no CUDA device") as caught:
        find_device(name)
    assert "cpu" in caught.value.remedy


def test_absent_mps_is_said(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="Apple"):
        find_device("mps")


def test_cuda_is_preferred_where_it_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("auto") == torch.device("cuda:0")
    assert find_device("cuda:1") == torch.device("cuda:1")


def test_precision_is_as_wished_or_as_fast():
    cpu = torch.device("cpu")
    assert find_precision(cpu, "fp32") == "fp32"
    assert find_precision(cpu, "bf16") == "bf16"
    assert find_precision(cpu) == ("bf16" if fast_bf16("cpu") else "fp32")
    with pytest.raises(DeviceError, match="no precision"):
        find_precision(cpu, "fp8")


def test_a_cpu_that_cannot_tell_is_timed(monkeypatch):
    fast_bf16.cache_clear()
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    for ratio, expected in ((0.5, True), (1.1, False)):
        monkeypatch.setattr(devices, "_bf16_time_ratio", lambda ratio=ratio: ratio)
        fast_bf16.cache_clear()
        assert fast_bf16("cpu") is expected
    fast_bf16.cache_clear()


def test_the_timing_gives_a_ratio():
    assert 0 < devices._bf16_time_ratio(1) < 1000


@pytest.mark.parametrize(("wish", "precision"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_fabric_is_made_for_one_device(wish, precision):
    threads = torch.get_num_threads()
    try:
        fabric = make_fabric("cpu", wish, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert fabric.device == torch.device("cpu")
    assert fabric.strategy.precision.precision == precision
    assert fabric.world_size == 1

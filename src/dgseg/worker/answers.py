"""How each request is answered. Imports torch: for the computing thread alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dgseg.devices import list_devices
from dgseg.worker import inspecting
from dgseg.worker.model import Model, Report, ShouldStop
from dgseg.worker.protocol import (
    Content,
    Decode,
    DeviceInfo,
    Devices,
    DevicesResult,
    Done,
    Embed,
    Inspect,
    Measures,
    MethodInfo,
    Methods,
    MethodsResult,
    Pictures,
    Predict,
    PredictResult,
    Release,
    Sheet,
)

Answer = Callable[[Model, Any, Report, ShouldStop], Content]


def _predict(
    model: Model, request: Predict, report: Report, should_stop: ShouldStop
) -> PredictResult:
    return model.predict(request, report, should_stop)


def _methods(*_: object) -> MethodsResult:
    from dgseg.methods import registry

    return MethodsResult(
        methods=tuple(
            MethodInfo(
                name=name,
                title=kind.title,
                when=kind.when,
                needs_labels=kind.needs_labels,
                needs_style_bank=kind.needs_style_bank,
                learns=kind.learns,
            )
            for name, kind in registry.loadable().items()
            if kind.adapts
        )
    )


def _devices(*_: object) -> DevicesResult:
    found = (
        DeviceInfo(
            name=d.name, title=d.title, free_bytes=d.free_bytes, total_bytes=d.total_bytes
        )
        for d in list_devices()
    )
    return DevicesResult(devices=tuple(found))


def _release(model: Model, *_: object) -> Done:
    model.release()
    return Done()


ANSWERS: dict[type, Answer] = {
    Predict: _predict,
    Inspect: inspecting.inspect,
    Pictures: inspecting.pictures,
    Decode: inspecting.decode,
    Sheet: inspecting.sheet,
    Embed: inspecting.embed,
    Measures: inspecting.measures,
    Methods: _methods,
    Devices: _devices,
    Release: _release,
}
"""By the type of the request; what the reading thread answers itself is not here."""

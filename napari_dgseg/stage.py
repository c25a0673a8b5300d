"""The viewer's side of the open scan: our layers, and nobody else's."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from dgseg.errors import DgsegError, LabelsError
from dgseg.scans.found import size_text
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from napari_dgseg import settings
from napari_dgseg.correcting import Correcting
from napari_dgseg.layers import (
    METADATA_KEY,
    LayerTuple,
    image_layer,
    labels_layer,
    scan_of,
    uncertainty_layer,
)
from napari_dgseg.session import OpenScan, SiteSession
from napari_dgseg.tracker import CorrectionTracker

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

Role = Literal[
    "scan",
    "reconstruction",
    "residual",
    "new reconstruction",
    "new residual",
    "anatomy",
    "decoded",
    "factors",
    "uncertainty",
    "proposal",
    "candidate",
    "difference",
    "corrections",
]

ORDER: tuple[Role, ...] = (
    "scan",
    "reconstruction",
    "residual",
    "new reconstruction",
    "new residual",
    "anatomy",
    "decoded",
    "factors",
    "uncertainty",
    "proposal",
    "candidate",
    "difference",
    "corrections",
)
"""From the bottom of the layer list to its top."""


class Stage:
    """Shows the open scan in the viewer.

    Only layers that this object added are ever changed or removed; a layer that a
    person deletes is forgotten, its corrections are not.

    Parameters
    ----------
    viewer : ViewerModel
        napari's.
    session, correcting
        What is shown.
    """

    layers_changed = Signal()
    slice_changed = Signal()

    def __init__(
        self, viewer: ViewerModel, session: SiteSession, correcting: Correcting
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._correcting = correcting
        self._layers: dict[Role, Layer] = {}
        self._tracker: CorrectionTracker | None = None
        self.problem: LabelsError | None = None
        session.scan_opened.connect(self._on_opened)
        session.scan_closing.connect(self._on_closing)
        session.proposal_changed.connect(self.show_proposal)
        correcting.started.connect(self._show_corrections)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.dims.events.current_step.connect(self._on_step)

    def close(self) -> None:
        """Let go of the viewer; layers stay as they are."""
        self.flush()
        self._drop_tracker()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.dims.events.current_step.disconnect(self._on_step)
        self._layers.clear()

    # --- what is on it ------------------------------------------------------------

    def layer(self, role: Role) -> Layer | None:
        """Our layer in a role, if it is there."""
        return self._layers.get(role)

    @property
    def is_tracking(self) -> bool:
        """Whether strokes on the corrections layer are seen."""
        return self._tracker is not None and self._tracker.attached

    @property
    def n_slices(self) -> int:
        """Slices of the open scan; 0 without one."""
        current = self._session.current
        return 0 if current is None else current.scan.n_slices

    @property
    def slice_index(self) -> int:
        """The slice of the open scan on display."""
        layer = self._layers.get("scan")
        if layer is None:
            return 0
        at = layer.world_to_data(self._viewer.dims.point[-3:])[0]
        return min(max(round(float(at)), 0), self.n_slices - 1)

    def go_to(self, index: int) -> None:
        """Show a slice."""
        layer = self._layers.get("scan")
        if layer is not None:
            axis = self._viewer.dims.ndim - 3
            self._viewer.dims.set_point(axis, float(layer.data_to_world((index, 0, 0))[0]))

    def is_visible(self, role: Role) -> bool:
        """Whether our layer in a role is there and shown."""
        return role in self._layers and self._layers[role].visible

    def set_visible(self, role: Role, visible: bool) -> None:
        """Show or hide our layer in a role."""
        if role == "uncertainty" and visible and role not in self._layers:
            self._show_uncertainty()
        if role in self._layers:
            self._layers[role].visible = visible
        self.layers_changed.emit()

    # --- correcting ---------------------------------------------------------------

    def choose_label(self, value: int) -> None:
        """Paint with a label; 0 erases."""
        layer = self._layers.get("corrections")
        if isinstance(layer, Labels):
            self._viewer.layers.selection.active = layer
            if value:
                layer.selected_label = value
                layer.mode = "paint"
            else:
                layer.mode = "erase"

    def slice_labels(self, index: int) -> np.ndarray | None:
        """A slice of the corrections layer, a copy."""
        layer = self._layers.get("corrections")
        return None if layer is None else np.array(layer.data[index], dtype=np.uint8)

    def set_slice(self, index: int, labels: np.ndarray) -> None:
        """Replace a slice of the corrections layer, as one step that can be undone."""
        layer = self._layers.get("corrections")
        if not isinstance(layer, Labels):
            return
        rows, columns = np.nonzero(np.asarray(layer.data[index]) != labels)
        if rows.size:
            where = (np.full(rows.shape, index), rows, columns)
            with layer.block_history():
                layer.data_setitem(where, labels[rows, columns])

    def flush(self) -> None:
        """Hand every stroke on, now."""
        if self._tracker is not None:
            self._tracker.flush()

    # --- what the session says ----------------------------------------------------

    def _on_opened(self, opened: OpenScan) -> None:
        self.problem = None
        if "scan" not in self._layers:  # corrections may have brought it along
            self.put("scan", image_layer(opened.scan))
        self.show_proposal()
        if not self._correcting.is_started:
            self.go_to(self._first_slice(opened))
        self._viewer.reset_view()

    def _first_slice(self, opened: OpenScan) -> int:
        wanted = bool(settings.get("view.open_least_certain"))
        found = self._correcting.least_certain() if wanted else None
        return found if found is not None else opened.scan.n_slices // 2

    def _on_closing(self) -> None:
        self.flush()
        self._drop_tracker()
        self.remove(*ORDER)

    def show_proposal(self) -> None:
        """Show the open scan's proposal in a layer of its own, and how sure the model is."""
        current = self._session.current
        if current is None:
            return
        proposal = current.proposal
        if proposal is None:
            self.remove("proposal", "uncertainty")
            return
        schema = self._schema()
        name = f"proposal ({self._session.info.name})" if self._session.info else "proposal"
        visible = not self._correcting.is_started
        try:
            self.put(
                "proposal",
                labels_layer(proposal.labels, current.scan, schema, name, visible=visible),
            )
            if "uncertainty" in self._layers:
                self._show_uncertainty()
        except LabelsError as error:
            self._session.note_error(current.scan_id, error)

    def _show_uncertainty(self) -> None:
        """Add how sure the model is: with the first wish, for few people look at it."""
        current = self._session.current
        if current is not None and current.proposal is not None:
            self.put(
                "uncertainty", uncertainty_layer(current.proposal.uncertainty, current.scan)
            )

    def show_labels(self, role: Role, labels: np.ndarray, name: str, **options: Any) -> None:
        """Show labels of the open scan in a role, in the schema's colours by default."""
        current = self._session.current
        if current is not None:
            layer = labels_layer(labels, current.scan, self._schema(), name)
            layer[1].update(options)
            self.put(role, layer)

    def _show_corrections(self, opened: OpenScan) -> None:
        labels = self._correcting.labels
        if labels is None:
            return
        self._drop_tracker()
        self.problem = None
        if "scan" not in self._layers:
            self.put("scan", image_layer(opened.scan))
        layer = self.put(
            "corrections",
            labels_layer(labels, opened.scan, self._schema(), "corrections", copy=False),
        )
        self._tracker = tracker = CorrectionTracker(layer, viewer=self._viewer)
        tracker.changed.connect(self._correcting.record)
        tracker.problem.connect(self._on_problem)
        self.set_visible("proposal", False)
        layer.brush_size = 8
        self.choose_label(1)
        if self._correcting.slices:
            self.go_to(max(self._correcting.slices))

    def reopen_corrections(self) -> None:
        """Bring the corrections layer back after a person deleted or replaced it."""
        if self._session.current is not None and self._correcting.is_started:
            self._show_corrections(self._session.current)

    def _schema(self) -> Any:
        if self._session.workspace is None:
            raise LabelsError("No site is open.")
        return self._session.workspace.schema

    # --- our layers ---------------------------------------------------------------

    def put(self, role: Role, layer: LayerTuple) -> Layer:
        """Add our layer of a role at its place, instead of the one before."""
        data, options, kind = layer
        options["metadata"][METADATA_KEY]["role"] = role
        old = self._layers.get(role)
        if old is not None and role != "corrections":
            options["visible"] = old.visible
        if kind == "labels":
            options["opacity"] = float(settings.get("view.label_opacity"))
        active = self._viewer.layers.selection.active
        self.remove(role)
        added = Layer.create(data, options, kind)
        self._layers[role] = added
        self._viewer.layers.insert(self._place(role), added)
        if active is not None and active in self._viewer.layers:
            # napari selects what is added: the next stroke would go astray.
            self._viewer.layers.selection.active = active
        self.layers_changed.emit()
        return added

    def _place(self, role: Role) -> int:
        """Above our layers that come before it, below those that come after it."""
        layers = self._viewer.layers
        later = (self._layers.get(other) for other in ORDER[ORDER.index(role) + 1 :])
        above = [
            layers.index(layer) for layer in later if layer is not None and layer in layers
        ]
        return min(above, default=len(layers))

    def remove(self, *roles: Role) -> None:
        """Take our layers of these roles out of the viewer, as far as they are there."""
        found = [self._layers.pop(role) for role in roles if role in self._layers]
        if not found:
            return
        with self._at_once():
            for layer in found:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
        self.layers_changed.emit()

    def _at_once(self) -> AbstractContextManager[Any]:
        """Remove several layers with one update of the canvas, where napari can (0.9).

        Each update after a removal collects all garbage of the program.
        """
        batched = getattr(self._viewer.layers, "batched_update", nullcontext)
        return batched()

    def _on_removed(self, event: Event) -> None:
        for role, layer in list(self._layers.items()):
            if layer is event.value:
                del self._layers[role]
                if role == "corrections":
                    self.flush()
                    self._drop_tracker()
                self.layers_changed.emit()

    def _drop_tracker(self) -> None:
        if self._tracker is not None:
            self._tracker.detach()
            self._tracker = None

    def _on_problem(self, error: LabelsError) -> None:
        self.problem = error
        self.layers_changed.emit()

    def _on_step(self, _event: Event | None = None) -> None:
        self.slice_changed.emit()


def scans_in(viewer: ViewerModel, known: set[str]) -> tuple[list[Scan], list[str]]:
    """The viewer's image layers as scans, except those that are known, and why some are none.

    A layer that this plugin's readers opened knows its scan. Any other image layer of
    three axes is taken for slices in radiological orientation, with the layer's scale as
    its spacing: napari knows nothing of the patient.
    """
    scans: list[Scan] = []
    problems: list[str] = []
    for layer in viewer.layers:
        if not isinstance(layer, Image) or role_of(layer) not in ("", "scan"):
            continue
        try:
            scan = scan_of(layer) or _scan_from(layer)
        except DgsegError as error:
            problems.append(f"{layer.name}: {error.problem}")
            continue
        if scan.scan_id not in known:
            known.add(scan.scan_id)
            scans.append(scan)
        else:
            problems.append(f"{layer.name} is in the table already.")
    return scans, problems or ["No image is open in the viewer."]


def role_of(layer: Layer) -> str:
    """What one of our layers is for; empty for other people's."""
    ours = layer.metadata.get(METADATA_KEY)
    return str(ours.get("role", "")) if isinstance(ours, dict) else ""


def _scan_from(layer: Image) -> Scan:
    if layer.rgb or layer.multiscale or layer.ndim != 3:
        raise LabelsError("Only grey-scale images of three axes can be segmented.")
    array = np.asarray(layer.data)
    if not np.isfinite(array).all():
        raise LabelsError("It holds values that are no numbers.")
    slices, rows, columns = (float(s) for s in layer.scale[-3:])
    at = [float(t) for t in layer.translate[-3:]]
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = slices, -rows, -columns
    affine[:, 3] = (-at[2], -at[1], at[0], 1)
    geometry = Geometry(array.shape, affine, slice_axis=0)
    detail = size_text(geometry)
    source = ScanSource(kind="memory", path=Path(), title=layer.name, detail=detail)
    return Scan(array, geometry, source)

"""The viewer's side of the open scan: our layers, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from napari.layers import Labels, Layer
from psygnal import Signal

from dgseg.errors import LabelsError
from napari_dgseg import settings
from napari_dgseg.correcting import Correcting
from napari_dgseg.layers import (
    METADATA_KEY,
    LayerTuple,
    image_layer,
    labels_layer,
    uncertainty_layer,
)
from napari_dgseg.redressing import can_become, redress
from napari_dgseg.session import OpenScan, SiteSession
from napari_dgseg.tracker import CorrectionTracker
from napari_dgseg.turns import Turns

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
    "new decoded",
    "factors",
    "uncertainty",
    "proposal",
    "candidate",
    "difference",
    "corrections",
]

ORDER: tuple[Role, ...] = get_args(Role)
"""From the bottom of the layer list to its top."""

_PASSED_ON: tuple[Role, ...] = ("scan", "proposal")
"""Layers that the next scan takes over: it is sure to want them, and no stroke is on them."""


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
        self._spare: dict[Role, Layer] = {}
        self._turns = Turns()
        self._tracker: CorrectionTracker | None = None
        self.problem: LabelsError | None = None
        session.scan_opened.connect(self._on_opened)
        session.scan_closing.connect(self._on_closing)
        session.rows_changed.connect(self._on_rows)
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
        self._dismiss_spare()
        self._turns.finish()

    # --- what is on it ------------------------------------------------------------

    def layer(self, role: Role) -> Layer | None:
        """Our layer in a role, if it is there."""
        return self._layers.get(role)

    @property
    def is_tracking(self) -> bool:
        """Whether strokes on the corrections layer are seen."""
        return self._tracker is not None and self._tracker.attached

    @property
    def is_clearing_up(self) -> bool:
        """Whether layers of the scan before are still to be taken out."""
        return self._turns.is_busy

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
        self._dismiss_spare()

    def _first_slice(self, opened: OpenScan) -> int:
        wanted = bool(settings.get("view.open_least_certain"))
        found = self._correcting.least_certain() if wanted else None
        return found if found is not None else opened.scan.n_slices // 2

    def _on_closing(self) -> None:
        self.flush()
        self._drop_tracker()
        if self._session.opening:
            self._set_aside()
        else:
            self.remove(*ORDER)

    def _on_rows(self) -> None:
        if self._session.current is None and not self._session.opening:
            self._dismiss_spare()  # the scan that was to come did not

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
        """Show our layer of a role: in the layer that is there, or in a new one at its place."""
        data, options, kind = layer
        options["metadata"][METADATA_KEY]["role"] = role
        old = self._layers.get(role)
        if old is not None and role != "corrections":
            options["visible"] = old.visible
        if kind == "labels":
            options["opacity"] = float(settings.get("view.label_opacity"))
        new = Layer.create(data, options, kind)
        old = self._layers.pop(role, None) or self._spare.pop(role, None)
        if old is not None and role != "corrections" and can_become(old, new):
            redress(old, new)
            self._layers[role] = old
        else:
            self._take_out([] if old is None else [old])
            self._layers[role] = new
            self._insert(self._place(role), new)
        self.layers_changed.emit()
        return self._layers[role]

    def _insert(self, at: int, layer: Layer) -> None:
        """Add a layer, and leave the selection: the next stroke would go astray."""
        layers = self._viewer.layers
        active = layers.selection.active
        if active is None:
            layers.insert(at, layer)
        else:
            # napari selects what is added, and would draw the controls twice anew.
            with layers.selection.events.blocker_all():
                layers.insert(at, layer)
                layers.selection.active = active
        layer.events.visible.connect(self._on_visible)

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
        if found:
            self._take_out(found)
            self.layers_changed.emit()

    def _take_out(self, found: Iterable[Layer]) -> None:
        here = [layer for layer in found if layer in self._viewer.layers]
        # One update of the canvas for all, where napari can (0.9): each collects all garbage.
        at_once = getattr(self._viewer.layers, "batched_update", nullcontext)
        with at_once() if here else nullcontext():
            for layer in here:
                self._viewer.layers.remove(layer)

    def _set_aside(self) -> None:
        """Keep what the scan that comes next can have, and let go of the rest."""
        layers, self._layers = self._layers, {}
        self._spare = {role: layers.pop(role) for role in _PASSED_ON if role in layers}
        self._dismiss(layers.values())
        self.layers_changed.emit()

    def _dismiss_spare(self) -> None:
        spare, self._spare = self._spare, {}
        self._dismiss(spare.values())

    def _dismiss(self, found: Iterable[Layer]) -> None:
        """Hide layers now, and remove them in a turn of their own: that takes a while."""
        leaving = list(found)
        for layer in leaving:
            layer.visible = False
            layer.name = f"{layer.name} (closed)"  # the next one may have its name
        if leaving:
            self._turns.add(partial(self._take_out, leaving))

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

    def _on_visible(self, _event: Event | None = None) -> None:
        self.layers_changed.emit()

    def _on_step(self, _event: Event | None = None) -> None:
        self.slice_changed.emit()

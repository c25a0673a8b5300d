"""What the inspector puts into the viewer: pictures on the scan's grid, and grid mode."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from dgseg.scans.scan import Scan
from napari_dgseg.inspector.decoded_layer import DecodedLayer
from napari_dgseg.inspector.picturing import Painted
from napari_dgseg.layers import (
    anatomy_layer,
    factors_layer,
    reconstruction_layer,
    residual_layer,
)
from napari_dgseg.stage import ORDER, Role, Stage
from napari_dgseg.turns import Step, Turns

if TYPE_CHECKING:
    from napari.components import ViewerModel

_PAIRS: tuple[tuple[Role, Role], ...] = (
    ("reconstruction", "residual"),
    ("new reconstruction", "new residual"),
)
"""The layers of the first and of the second model."""

_BESIDE: tuple[Role, ...] = tuple(role for pair in _PAIRS for role in pair)

_DECODED: tuple[Role, ...] = ("decoded", "new decoded")
"""The same for a decoded slice."""


class Showing:
    """Shows reconstructions, anatomy and factors of the open scan in the viewer.

    Parameters
    ----------
    viewer : ViewerModel
        napari's.
    stage : Stage
        Holds our layers, and takes them away with the scan.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, stage: Stage) -> None:
        self._viewer, self._stage = viewer, stage
        self._before: dict[str, Any] | None = None
        self._visible: dict[Role, bool] = {}
        self._turns = Turns()
        self._pairs = _PAIRS[:0]
        self._channel: tuple[str, int] | None = None
        self._decoded = tuple(DecodedLayer(stage, role) for role in _DECODED)
        stage.layers_changed.connect(self._on_layers)

    def close(self) -> None:
        """Take all of it out of the viewer, and leave the viewer as it was."""
        self.put_over()
        self._turns.finish()
        self._stage.layers_changed.disconnect(self._on_layers)
        self._stage.remove(*_BESIDE, *_DECODED, "anatomy", "factors")

    # --- reconstructions ----------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether more is about to come into the viewer, or to change there."""
        return self._turns.is_busy

    @property
    def is_shown(self) -> bool:
        """Whether a reconstruction is on display."""
        return any(self._stage.is_visible(role) for role in _BESIDE)

    def show(self, scan: Scan, painted: Sequence[tuple[str, Painted]]) -> None:
        """Put reconstruction and difference of one model or two on the scan.

        The first layer is there at once, each other one a turn of the event loop later.

        Parameters
        ----------
        scan : Scan
            The open one.
        painted : sequence of (str, Painted)
            With the title of the model, empty where there is only one.
        """
        self._turns.finish()
        self._pairs = _PAIRS[: len(painted)]
        self._hide(*(role for pair in _PAIRS[len(painted) :] for role in pair))
        steps: list[Step] = []
        for at, (roles, (title, one)) in enumerate(zip(self._pairs, painted, strict=True)):
            names = _names(title)
            # Over each other, the uppermost would hide all below it.
            steps += [
                partial(self._put_rebuilt, roles[0], scan, one, names[0], visible=at == 0),
                partial(self._put_residual, roles[1], scan, one, names[1]),
            ]
        first, *others = steps
        first()
        self._turns.add(*others)

    def _put_rebuilt(
        self, role: Role, scan: Scan, one: Painted, name: str, *, visible: bool
    ) -> None:
        self._stage.put(
            role, reconstruction_layer(one.reconstruction, scan, name, visible=visible)
        )
        self._stage.set_visible(role, visible or self._stage.is_visible(role))

    def _put_residual(self, role: Role, scan: Scan, one: Painted, name: str) -> None:
        residual = residual_layer(one.difference, scan, name, limit=one.limit, visible=False)
        self._stage.put(role, residual)

    def hide(self) -> None:
        """Hide reconstruction and difference.

        They stay in the layer list until the scan is closed: removing a layer stops the
        window for longer than all else here.
        """
        self._turns.finish()
        self.put_over()
        self._turns.finish()
        self._hide(*_BESIDE)

    def _hide(self, *roles: Role) -> None:
        for role in roles:
            self._stage.set_visible(role, False)

    # --- grid mode ----------------------------------------------------------------

    @property
    def is_side_by_side(self) -> bool:
        """Whether we have put the layers beside each other."""
        return self._before is not None

    def put_side_by_side(self) -> None:
        """Show scan, reconstruction and difference beside each other, and nothing else of ours.

        The grid is drawn when the layers have come and gone, one a turn of the event loop.
        """
        if self._turns.is_busy:
            self._turns.add(self.put_side_by_side)
            return
        if self._before is not None or not self.is_shown:
            return
        grid = _grid_of(self._viewer)
        self._before = {name: getattr(grid, name) for name in ("enabled", "stride", "shape")}
        beside = {"scan", *(role for pair in self._pairs for role in pair)}
        self._visible = {
            role: self._stage.is_visible(role)
            for role in ORDER
            if self._stage.layer(role) is not None
        }
        self._set_in_turns({role: role in beside for role in self._visible})
        self._turns.add(self._enter_grid)
        self.changed.emit()

    def _enter_grid(self) -> None:
        if self._before is not None:
            grid = _grid_of(self._viewer)
            # The lowest layer, the scan, comes first.
            grid.stride, grid.shape, grid.enabled = 1, (-1, -1), True
            self._viewer.reset_view()

    def put_over(self) -> None:
        """Show the layers over each other again, and what was hidden for that."""
        if self._before is None:
            return
        grid, before = _grid_of(self._viewer), self._before
        self._before = None
        for name in ("stride", "shape", "enabled"):
            setattr(grid, name, before[name])
        visible, self._visible = self._visible, {}
        self._set_in_turns(visible)
        self._turns.add(self._viewer.reset_view)
        self.changed.emit()

    def _set_in_turns(self, visible: dict[Role, bool]) -> None:
        """Show and hide layers: with each of them napari goes through its whole canvas."""
        for role in visible:
            if self._stage.is_visible(role) != visible[role]:
                self._turns.add(partial(self._set, role, visible[role]))

    def _set(self, role: Role, visible: bool) -> None:
        if self._stage.layer(role) is not None:
            self._stage.set_visible(role, visible)

    # --- anatomy and factors ------------------------------------------------------

    @property
    def channel(self) -> tuple[str, int] | None:
        """The bundle and the channel of the anatomy that lies over the scan."""
        return self._channel if self._stage.is_visible("anatomy") else None

    def show_channel(self, scan: Scan, painted: Painted, channel: int, name: str) -> None:
        """Let a channel of the anatomy glow over the scan."""
        self._channel = (painted.bundle_id, channel)
        self._stage.put("anatomy", anatomy_layer(painted.anatomy[channel], scan, name))
        self._stage.set_visible("anatomy", True)

    def hide_channel(self) -> None:
        """Hide the channel; its layer is there for the next one."""
        self._hide("anatomy")

    # --- a decoded slice ----------------------------------------------------------

    @property
    def is_decoded_shown(self) -> bool:
        """Whether a decoded slice lies over the scan."""
        return any(each.is_shown for each in self._decoded)

    def show_decoded(self, scan: Scan, titles: Sequence[str] = ("",)) -> None:
        """Add a layer for the decoded slices of each model; `update_decoded` fills them.

        Parameters
        ----------
        scan : Scan
            The open one.
        titles : sequence of str
            Of one model or of two, empty where there is only one. The second's layer is
            hidden at first: it would cover the other.
        """
        self._turns.finish()
        layers = self._decoded[: len(titles)]
        for each in self._decoded[len(titles) :]:
            each.hide()
        for each in layers:
            each.begin(scan)
        names = [f"decoded slice ({title})" if title else "decoded slice" for title in titles]
        layers[0].lay(scan, names[0])
        # One turn of the event loop each.
        rest = zip(layers[1:], names[1:], strict=True)
        self._turns.add(*(partial(each.lay, scan, name, visible=False) for each, name in rest))

    def update_decoded(self, index: int, picture: np.ndarray, *, of: int = 0) -> None:
        """Show a picture (rows, columns) as the slice `index` of a model's layer."""
        self._decoded[of].draw(index, picture)

    def hide_decoded(self) -> None:
        """Hide those layers; they are there for the next slice."""
        for each in self._decoded:
            each.hide()

    def put_features(self, scan: Scan, features: dict[str, Any]) -> None:
        """Add a points layer with a point a slice, whose features are the slice's factors."""
        self._stage.put("factors", factors_layer(features, scan))

    def _on_layers(self) -> None:
        if self._turns.is_busy and self._stage.layer(_PAIRS[0][0]) is None:
            self._turns.forget()  # the scan was closed meanwhile
        for each in self._decoded:
            each.notice()
        if self._before is not None and not self.is_shown:
            for role in _BESIDE:
                self._visible.pop(role, None)  # a person has just hidden them
            self.put_over()
            self._turns.finish()  # before another scan has layers of these roles
        self.changed.emit()


def _grid_of(viewer: Any) -> Any:
    """The model of grid mode: part of the canvas from napari 0.9 on."""
    return viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid


def _names(title: str) -> tuple[str, str]:
    ending = f" ({title})" if title else ""
    return f"reconstruction{ending}", f"difference{ending}"

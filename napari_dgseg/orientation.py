"""The patient's directions on the edges of the canvas: L, R, A, P, S, I.

A mirrored picture is the gravest mistake a viewer can make, and napari says nothing
about sides. From napari 0.9 on, one letter stands at the middle of each edge; before,
where a viewer has a single text, the four letters form a small compass in a corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgseg.scans.geometry import Geometry
from napari_dgseg.layers import axis_labels

if TYPE_CHECKING:
    from napari.components import ViewerModel

_EDGES = {
    "top": "top_center",
    "bottom": "bottom_center",
    "left": "middle_left",
    "right": "middle_right",
}
"""Our names of the edges, and napari's."""

_COLOUR = "#ffd866"
_BEHIND = "#202020b0"
_FONT_SIZE = 15


def edge_letters(
    geometry: Geometry,
    displayed: tuple[int, int],
    orientation: tuple[str, str] = ("down", "right"),
) -> dict[str, str]:
    """The letters at the edges of a slice.

    Parameters
    ----------
    geometry : Geometry
        Of the scan on display.
    displayed : tuple of int
        The canonical axes that run along the canvas's height and width.
    orientation : tuple of str
        Which way these axes grow: ``"down"`` or ``"up"``, ``"right"`` or ``"left"``
        (napari's ``camera.orientation2d``).

    Returns
    -------
    dict
        A letter for each of ``top``, ``bottom``, ``left``, ``right``.
    """
    top, bottom = geometry.end_letters[displayed[0]]
    left, right = geometry.end_letters[displayed[1]]
    if orientation[0] == "up":
        top, bottom = bottom, top
    if orientation[1] == "left":
        left, right = right, left
    return {"top": top, "bottom": bottom, "left": left, "right": right}


class OrientationLetters:
    """Keeps the letters of the canvas right when axes are rolled, flipped or shown in 3-D.

    Parameters
    ----------
    viewer : napari.Viewer
    geometry : Geometry, optional
        Of the scan on display; without one no letters are shown.
    """

    def __init__(self, viewer: ViewerModel, geometry: Geometry | None = None) -> None:
        self._viewer = viewer
        self._geometry: Geometry | None = None
        self._visible = True
        self._shown: dict[str, str] | None = None
        self._canvas: _Edges | _Compass = (
            _Edges(viewer) if hasattr(viewer, "canvas") else _Compass(viewer)
        )
        self._sources = (
            viewer.dims.events.order,
            viewer.dims.events.ndim,
            viewer.dims.events.ndisplay,
            _camera(viewer).events.orientation,
        )
        for event in self._sources:
            event.connect(self._update)
        self.geometry = geometry

    @property
    def geometry(self) -> Geometry | None:
        """Geometry of the scan on display; set it when the scan changes."""
        return self._geometry

    @geometry.setter
    def geometry(self, geometry: Geometry | None) -> None:
        self._geometry = geometry
        self._canvas.name_axes(geometry)
        self._update()

    @property
    def visible(self) -> bool:
        """Whether a person wants the letters at all."""
        return self._visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._visible = visible
        self._update()

    @property
    def letters(self) -> dict[str, str]:
        """The letters on the canvas by edge; empty where none are shown."""
        dims = self._viewer.dims
        # A scan's axes are the last three of the viewer's.
        axes = [axis - (dims.ndim - 3) for axis in dims.displayed]
        hidden = self._geometry is None or not self._visible
        if hidden or dims.ndisplay != 2 or min(axes) < 0:
            return {}
        vertical, horizontal = _camera(self._viewer).orientation2d
        towards = (str(vertical), str(horizontal))
        return edge_letters(self._geometry, (axes[0], axes[1]), towards)

    def close(self) -> None:
        """Take the letters off the canvas and let go of the viewer."""
        for event in self._sources:
            event.disconnect(self._update)
        self._sources = ()
        self._canvas.close()

    def _update(self, _event: object = None) -> None:
        letters = self.letters
        if letters != self._shown:  # drawing them anew takes a while
            self._shown = letters
            self._canvas.show(letters)


def _camera(viewer: Any) -> Any:
    """The camera, which moved to the scene in napari 0.9."""
    return getattr(viewer, "scene", viewer).camera


class _Edges:
    """One text at the middle of each edge (napari 0.9 and later)."""

    def __init__(self, viewer: Any) -> None:
        from napari.components.overlays import TextOverlay

        self._overlays = viewer.canvas.overlays
        for edge, position in _EDGES.items():
            self._overlays[f"dgseg_{edge}"] = TextOverlay(
                position=position,
                color=_COLOUR,
                box=True,
                box_color=_BEHIND,
                font_size=_FONT_SIZE,
                visible=False,
            )

    def show(self, letters: dict[str, str]) -> None:
        for edge in _EDGES:
            overlay = self._overlays[f"dgseg_{edge}"]
            overlay.text = letters.get(edge, "")
            overlay.visible = bool(letters)

    def name_axes(self, _geometry: Geometry | None) -> None:
        """Nothing to do: sliders are named by the layers."""

    def close(self) -> None:
        for edge in _EDGES:
            self._overlays.pop(f"dgseg_{edge}", None)


class _Compass:
    """All letters in the viewer's one text, in a corner (napari before 0.9)."""

    def __init__(self, viewer: Any) -> None:
        self._dims = viewer.dims
        self._overlay = viewer.text_overlay
        fields = ("text", "visible", "position", "color", "font_size")
        self._before = {name: getattr(self._overlay, name) for name in fields}
        self._overlay.position = "top_right"
        self._overlay.color = _COLOUR
        self._overlay.font_size = _FONT_SIZE

    def show(self, letters: dict[str, str]) -> None:
        if letters:
            left, right = letters["left"], letters["right"]
            rows = (f"  {letters['top']}  ", f"{left} + {right}", f"  {letters['bottom']}  ")
            self._overlay.text = "\n".join(rows)
        self._overlay.visible = bool(letters)

    def name_axes(self, geometry: Geometry | None) -> None:
        """Name the sliders, which do not learn it from the layers yet."""
        if geometry is not None and self._dims.ndim == 3:
            self._dims.axis_labels = axis_labels(geometry)

    def close(self) -> None:
        for name, value in self._before.items():
            setattr(self._overlay, name, value)

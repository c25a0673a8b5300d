"""The tabs on the open scan: what they show and ask for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_dgseg.inspector.anatomy import AnatomyView, Channels
from napari_dgseg.inspector.inspecting import Inspecting
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.picturing import Painted
from napari_dgseg.inspector.reconstruction import Rebuilt, ReconstructionView
from napari_dgseg.inspector.showing import Showing
from napari_dgseg.look import Look
from napari_dgseg.stage import Stage

NO_SCAN = "Open a scan: step 1 of the dock “Site adaptation” lists them."


class Page(Protocol):
    """A tab: a view, and what fills it."""

    title: str
    view: QWidget

    def refresh(self) -> None:
        """Show everything anew; called while the tab is in front."""

    def show_slice(self) -> None:
        """The viewer shows another slice; called while the tab is in front."""

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""

    def close(self) -> None:
        """Listen to nobody any more."""


class PaintedPage:
    """What the tabs on pictures of the open scan have in common."""

    def __init__(self, inspecting: Inspecting, stage: Stage, showing: Showing) -> None:
        self.inspecting, self.stage, self.showing = inspecting, stage, showing
        showing.changed.connect(self.show_state)

    def close(self) -> None:
        """Listen to nobody any more."""
        self.showing.changed.disconnect(self.show_state)

    def show_state(self) -> None:
        """Show what is in the viewer."""

    @property
    def painted(self) -> list[tuple[SeenModel, Painted]]:
        """The open scan as each chosen model paints it, where that is done."""
        picturing = self.inspecting.picturing
        found = (
            (model, picturing.painted(model.bundle_id))
            for model in self.inspecting.models.chosen
        )
        return [(model, one) for model, one in found if one is not None]

    def title_of(self, model: SeenModel) -> str:
        """The title of a model, where it has to be told from another."""
        return model.title if len(self.inspecting.models.chosen) > 1 else ""

    def lack(self) -> tuple[str, str, bool]:
        """What to say in place of pictures, its tone, and whether it is being worked on."""
        inspecting = self.inspecting
        inspecting.paint()
        if not inspecting.scan_id:
            return (NO_SCAN, "muted", False)
        errors = inspecting.picturing.errors
        failed = [
            errors[m.bundle_id] for m in inspecting.models.chosen if m.bundle_id in errors
        ]
        if failed:
            return (failed[0].public_message, "bad", False)
        if not self.painted:
            return ("The model looks at this scan …", "accent", True)
        return ("", "muted", False)


class ReconstructionPage(PaintedPage):
    """Reconstruction: pictures of the slice, layers in the viewer, the error of each slice."""

    title = "Reconstruction"

    def __init__(self, inspecting: Inspecting, stage: Stage, showing: Showing) -> None:
        super().__init__(inspecting, stage, showing)
        self.view = ReconstructionView()
        self.wear = self.view.wear
        self.view.slice_chosen.connect(stage.go_to)
        self.view.show_wanted.connect(self._show)
        self.view.grid_wanted.connect(self._put)

    def refresh(self) -> None:
        """Show pictures, curve and the state of the layers."""
        text, tone, busy = self.lack()
        self.view.say(text, tone, busy=busy)
        self.view.show_errors(self.stage.slice_index, self._errors())
        self.show_slice()
        self.show_state()

    def show_slice(self) -> None:
        """Show another slice."""
        index = self.stage.slice_index
        self.view.say_error(index, self._errors())
        self.view.show_slice(
            index,
            [
                Rebuilt(
                    self.title_of(model),
                    one.image[index],
                    one.reconstruction[index],
                    one.difference[index],
                )
                for model, one in self.painted
                if index < len(one.image)
            ],
        )

    def _errors(self) -> list[tuple[str, np.ndarray]]:
        return [
            (self.title_of(model), factors.error)
            for model, factors in self.inspecting.of_scan()
            if factors is not None
        ]

    def _show(self, wanted: bool) -> None:
        current = self.inspecting.session.current
        if wanted and current is not None and self.painted:
            layers = [(self.title_of(model), one) for model, one in self.painted]
            self.showing.show(current.scan, layers)
        else:
            self.showing.hide()
        self.show_state()

    def _put(self, wanted: bool) -> None:
        if wanted:
            if not self.showing.is_shown:
                self._show(True)
            self.showing.put_side_by_side()
        else:
            self.showing.put_over()
        self.show_state()

    def show_state(self) -> None:
        """Show whether the layers are in the viewer, and how."""
        self.view.show_state(
            shown=self.showing.is_shown,
            side_by_side=self.showing.is_side_by_side,
            can_show=bool(self.painted),
        )


class AnatomyPage(PaintedPage):
    """Anatomy: the channels of the slice on display, and what they carry."""

    title = "Anatomy"

    def __init__(self, inspecting: Inspecting, stage: Stage, showing: Showing) -> None:
        super().__init__(inspecting, stage, showing)
        self.view = AnatomyView()
        self.wear = self.view.wear
        self.view.channel_chosen.connect(self._choose)

    def refresh(self) -> None:
        """Show the channels and the table."""
        text, tone, busy = self.lack()
        self.view.say(text, tone, busy=busy)
        self.show_slice()
        self.show_state()

    def show_slice(self) -> None:
        """Show another slice."""
        index = self.stage.slice_index
        seen = self.inspecting.gathering.factors
        channels = []
        for model, one in self.painted:
            factors = seen(model.bundle_id, one.scan_id)
            carried = np.zeros((0, 0)) if factors is None else factors.carried
            channels.append(Channels(self.title_of(model), one.anatomy[:, index], carried))
        self.view.show_channels(channels, self.inspecting.structures)

    def _choose(self, model_at: int, channel: int) -> None:
        current = self.inspecting.session.current
        if current is None or model_at >= len(self.painted):
            return
        model, one = self.painted[model_at]
        if self.showing.channel == (one.bundle_id, channel):
            self.showing.hide_channel()
        else:
            ending = f" ({self.title_of(model)})" if self.title_of(model) else ""
            name = f"anatomy, channel {channel + 1}{ending}"
            self.showing.show_channel(current.scan, one, channel, name)

    def show_state(self) -> None:
        """Mark the channel that lies over the scan."""
        shown = self.showing.channel
        for at, (_, one) in enumerate(self.painted):
            if shown is not None and one.bundle_id == shown[0]:
                self.view.mark(at, shown[1])
                return
        self.view.mark(None, None)

"""napari is killed in the middle of a stroke: every stroke before it is there again."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np

from dgseg.bundles.bundle import default_bundle
from dgseg.scans.sources import discover, read
from dgseg.scans.synthetic.site import make_site, write_site
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.workspace import Workspace

PROGRAM = """
import os, signal, sys
from pathlib import Path
import napari
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from napari_dgseg.demo.player import Player
from napari_dgseg.dock import SiteAdaptationDock

viewer = napari.Viewer()
viewer.window.resize(1280, 800)
dock = SiteAdaptationDock(viewer, Path(sys.argv[1]))
viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
player = Player(viewer, dock)
player.open_scan(dock.parts.session.scan_ids[0])
player.start_correcting()
layer = dock.parts.stage.layer("corrections")
dock.parts.stage.go_to(1)
truth = layer.data[1].copy()
truth[20, 10:30] = 1
player.paint_like(truth)
assert (layer.data[1] == truth).all()
player.wait_saved()
point = player.hand.pixel_of(player._world(layer, 25, 15))
none = Qt.KeyboardModifier.NoModifier
QTest.mousePress(player.hand.canvas, Qt.MouseButton.LeftButton, none, point)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_napari_comes_back_with_every_finished_stroke(tmp_path, qapp):
    scan = make_site("cord", "alder", 1, 2, n_slices=3, shape=(48, 48))
    (path,) = write_site(tmp_path / "scans", scan)
    with Workspace.open(tmp_path / "site", bundle=default_bundle()) as site:
        record = site.add(read(discover(path)[0].source))
        bundle_id = site.accepted_info.bundle_id
        empty = np.zeros((3, 48, 48), np.uint8)
        proposal = Proposal(empty, empty, np.zeros(3, np.float32), bundle_id)
        write_proposal(site.proposal_folder(record.scan_id, bundle_id), proposal)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "site")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    with Workspace.open(tmp_path / "site") as site:
        corrections = site.corrections(record.scan_id)
        assert corrections.slices == {1: "changed"}
        expected = np.zeros((48, 48), np.uint8)
        expected[20, 10:30] = 1
        np.testing.assert_array_equal(corrections.slice_labels(1), expected)

"""``python -m napari_dgseg.demo``: open the program at a new centre, or play a session there.

With a display, napari opens with the dock and the scans of an embedded synthetic
centre. Without one, or with ``--play``, the whole session is played with real mouse and
key events, on a virtual screen if need be, and leaves pictures, the adapted bundle,
labels and a report.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

SCREEN = "1280x800x24"


def main() -> int:
    """Run the demo; returns the exit code."""
    options = _options()
    has_display = bool(
        sys.platform in ("win32", "darwin")
        or os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
    )
    if not has_display:
        return _on_virtual_screen()
    out = options.out.absolute()
    if out.exists():
        if any(out.iterdir()) and not (out / "site" / "site.json").exists():
            print(f"{out} holds something else than a demo: choose another --out.")
            return 1
        shutil.rmtree(out)
    out.mkdir(parents=True)
    if options.play or os.environ.get("DGSEG_DEMO_PLAY"):
        return _play(options, out)
    return _open(out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m napari_dgseg.demo", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), help="folder for all of it"
    )
    parser.add_argument(
        "--play", action="store_true", help="play the session also with a display"
    )
    parser.add_argument("--scans", type=int, default=5, help="synthetic scans (default 5)")
    parser.add_argument(
        "--seed", type=int, default=7, help="of the synthetic centre (default 7)"
    )
    parser.add_argument(
        "--dataset", default="", help="real scans instead: a data set by name ..."
    )
    parser.add_argument("--domain", default="", help="... and one of its domains")
    parser.add_argument("--bundle", type=Path, help="model to start from (default: spinal-gm)")
    parser.add_argument(
        "--corrections", type=int, default=3, help="slices to correct (default 3)"
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="of training (default 2)")
    parser.add_argument("--steps", type=int, help="of training, whatever time they take")
    parser.add_argument("--spread", action="store_true", help="correct evenly spaced slices")
    return parser.parse_args()


def _on_virtual_screen() -> int:
    if shutil.which("xvfb-run") is None:
        print(
            "There is no display and no Xvfb. On Debian: apt-get install xvfb", file=sys.stderr
        )
        return 1
    command = ["xvfb-run", "-a", "-s", f"-screen 0 {SCREEN}"]
    command += [sys.executable, "-m", "napari_dgseg.demo", *sys.argv[1:]]
    return subprocess.run(
        command, env={**os.environ, "DGSEG_DEMO_PLAY": "1"}, check=False
    ).returncode


def _open(out: Path) -> int:
    import napari

    from napari_dgseg.demo.materials import synthetic_centre

    materials = synthetic_centre(out)
    viewer, dock = _window(out, None)
    dock.parts.session.add_paths(materials.paths)
    print("The scans of a new centre are in step 1 of the dock. Segment them in step 2.")
    del viewer
    napari.run()
    return 0


def _play(options: argparse.Namespace, out: Path) -> int:
    from napari_dgseg.demo.hand import wait_until
    from napari_dgseg.demo.materials import real_centre, synthetic_centre
    from napari_dgseg.demo.player import Player
    from napari_dgseg.demo.session import Plan, play, read_result

    if options.dataset:
        materials = real_centre(options.dataset, options.domain)
    else:
        materials = synthetic_centre(out, options.scans, options.seed)
    viewer, dock = _window(out, options.bundle)
    plan = Plan(
        n_corrections=options.corrections,
        minutes=options.minutes,
        steps=options.steps,
        spread=options.spread,
    )
    player = Player(viewer, dock, out / "pictures")
    play(player, materials, out, plan, lambda text: print(text, flush=True))
    shutil.copytree(dock.parts.session.workspace.accepted, out / "adapted-bundle")
    viewer.close()
    wait_until(lambda: not dock.parts.is_open, 30, "closing")
    title = f"A session at {options.domain or 'a synthetic new centre'}"
    command = [sys.executable, "-m", "dgseg.evaluation.session", str(out), "--title", title]
    if subprocess.run(command, check=False).returncode:
        return 1
    _print_scores(read_result(out), out)
    return 0


def _window(out: Path, bundle: Path | None):
    import napari

    from dgseg.bundles.bundle import default_bundle
    from dgseg.site.workspace import Workspace
    from napari_dgseg.dock import SiteAdaptationDock

    Workspace.open(out / "site", name="demo", bundle=bundle or default_bundle()).close()
    viewer = napari.Viewer(title="napari-dgseg")
    viewer.window.resize(1280, 800)
    dock = SiteAdaptationDock(viewer, out / "site")
    viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
    return viewer, dock


def _print_scores(scores: dict, out: Path) -> None:
    rows = (
        ("on slices that nobody corrected", "mean"),
        ("on untouched scans", "mean_untouched"),
    )
    for where, key in rows:
        if scores[key] is not None:
            before, after = scores[key]
            print(
                f"Dice {where}: {before:.3f} before, {after:.3f} after ({after - before:+.3f})"
            )
    print(f"Pictures, the adapted bundle, labels and report.html are in {out}")


if __name__ == "__main__":
    raise SystemExit(main())

"""What opening a dock adds to the start of napari, and that it imports no torch.

Each round is a fresh process. Reported is the median of

- napari: ``import napari`` and the first viewer on the screen,
- dock: from the click on the menu to the dock on the screen, imports included,

and their ratio, for each of the two docks opened first. The aim is 0.5 s or less for
"Site adaptation" and 0.3 s for "Latent inspector".
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
AIMS_S = {"Site adaptation": 0.5, "Latent inspector": 0.3}


def one_round(name: str) -> dict[str, object]:
    """Start napari, then open a dock, in this process."""
    started = time.perf_counter()
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    QApplication.processEvents()
    napari_s = time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        before = set(sys.modules)
        started, cpu = time.perf_counter(), time.process_time()
        if name == "Site adaptation":
            from napari_dgseg.dock import SiteAdaptationDock

            imported = time.perf_counter()
            dock = SiteAdaptationDock(viewer, Path(folder) / "site")
        else:
            from napari_dgseg.inspector.dock import LatentInspectorDock

            imported = time.perf_counter()
            dock = LatentInspectorDock(viewer)
        viewer.window.add_dock_widget(dock, name=name, area="right")
        QApplication.processEvents()
        dock_s, dock_cpu_s = time.perf_counter() - started, time.process_time() - cpu
        result = {
            "napari_s": napari_s,
            "dock_s": dock_s,
            "dock_cpu_s": dock_cpu_s,
            "import_s": imported - started,
            "torch": "torch" in sys.modules,
            "n_modules": len(set(sys.modules) - before),
        }
        dock.close()
        viewer.close()
    return result


def measure(name: str) -> bool:
    """Open a dock in several processes and print how long it took; whether torch stayed away."""
    rounds = []
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bench_gui_start", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        rounds.append(json.loads(done.stdout.splitlines()[-1]))

    def median(key: str) -> float:
        return statistics.median(one[key] for one in rounds)

    start, dock, aim = median("napari_s"), median("dock_s"), AIMS_S[name]
    torch = any(one["torch"] for one in rounds)
    print(f"\n{name}")
    print(f"napari alone     {start:6.2f} s   median of {ROUNDS}")
    print(f"opening the dock {dock:6.2f} s   of which imports {median('import_s'):.2f} s")
    print(f"  its CPU time   {median('dock_cpu_s'):6.2f} s   (what an idle machine would take)")
    print(f"ratio            {dock / start:6.2f}     aim: dock <= {aim} s: {dock <= aim}")
    print(f"modules imported {median('n_modules'):6.0f}     torch: {'YES' if torch else 'no'}")
    return not torch


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(one_round(sys.argv[1])))
        return
    done = [measure(name) for name in AIMS_S]
    if not all(done):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

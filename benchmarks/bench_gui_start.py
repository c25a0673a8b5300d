"""What opening the dock adds to the start of napari, and that it imports no torch.

Each round is a fresh process. Reported is the median of

- napari: ``import napari`` and the first viewer on the screen,
- dock: from the click on the menu to the dock on the screen, imports included,

and their ratio. The aim is 0.5 s or less for the dock.
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
AIM_S = 0.5


def one_round() -> dict[str, object]:
    """Start napari, then open the dock, in this process."""
    started = time.perf_counter()
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    QApplication.processEvents()
    napari_s = time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), time.process_time()
        from napari_dgseg.dock import SiteAdaptationDock

        imported = time.perf_counter()
        dock = SiteAdaptationDock(viewer, Path(folder) / "site")
        viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
        QApplication.processEvents()
        dock_s, dock_cpu_s = time.perf_counter() - started, time.process_time() - cpu
        result = {
            "napari_s": napari_s,
            "dock_s": dock_s,
            "dock_cpu_s": dock_cpu_s,
            "import_s": imported - started,
            "torch": "torch" in sys.modules,
        }
        dock.close()
        viewer.close()
    return result


def main() -> None:
    if "--one" in sys.argv:
        print(json.dumps(one_round()))
        return
    rounds = []
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bench_gui_start", "--one"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        rounds.append(json.loads(done.stdout.splitlines()[-1]))

    def median(key: str) -> float:
        return statistics.median(one[key] for one in rounds)

    start, dock = median("napari_s"), median("dock_s")
    torch = any(one["torch"] for one in rounds)
    print(f"napari alone     {start:6.2f} s   median of {ROUNDS}")
    print(f"opening the dock {dock:6.2f} s   of which imports {median('import_s'):.2f} s")
    print(f"  its CPU time   {median('dock_cpu_s'):6.2f} s   (what an idle machine would take)")
    print(f"ratio            {dock / start:6.2f}     aim: dock <= {AIM_S} s: {dock <= AIM_S}")
    print(f"torch imported   {'YES' if torch else 'no'}")
    if torch:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""Play the tutorial at the synthetic new centre and keep its pictures.

Run with ``make gallery``; needs a display or Xvfb.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parents[1] / "images"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        command = [sys.executable, "-m", "napari_dgseg.demo", "--play", "--out", str(out)]
        if subprocess.run(command, check=False).returncode:
            return 1
        target = IMAGES / "tutorial"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for picture in sorted((out / "pictures").glob("*.png")):
            # 256 colours are enough for a window and a quarter of the size.
            image = (
                Image.open(picture)
                .convert("RGB")
                .quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            )
            image.save(target / picture.name, optimize=True)
        shutil.copy(target / "7-new.png", IMAGES / "compare.png")
    print(f"Pictures are in {target}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

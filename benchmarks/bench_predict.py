"""Segmenting a scan: dgseg against MONAI's sliding-window inferer, slice by slice, in float32.

Both run the same network on the same model grid and give labels on the scan's
own grid, alternating in one process; the ratio of the medians is printed. The
peer does what a MONAI script of a few lines does: one slice at a time through
`sliding_window_inference` in float32, argmax, back to the scan. By default its
window holds the whole slice, which suits it best and makes the labels comparable;
`--window 128` is the usual window of the size of a training patch.

    python benchmarks/bench_predict.py [--bundle DIR] [--size 320] [--slices 20]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from monai.inferers import sliding_window_inference

from dgseg.bundles.bundle import default_bundle
from dgseg.inference.segmenter import Segmenter, load_network
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import grid_size, normalise
from dgseg.scans.synthetic.site import NEW_CENTRE, make_site


def peer(net, preprocessing, scan, device, window):
    images = torch.from_numpy(normalise(scan.array, preprocessing))[:, None]
    grid = grid_size(scan.geometry, preprocessing)
    size = tuple(images.shape[-2:])
    window = (window, window) if window else grid
    labels = []
    with torch.inference_mode():
        for image in images:
            on_grid = resize(image[None].to(device), grid)
            logits = sliding_window_inference(
                on_grid, window, 4, net, overlap=0.25, mode="gaussian"
            )
            labels.append(resize(logits.softmax(1), size).argmax(1).cpu())
    return torch.cat(labels).numpy().astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    bundle = options.bundle or default_bundle()
    scan = make_site(
        "cord", NEW_CENTRE["cord"], 1, 7, n_slices=options.slices, shape=(options.size,) * 2
    )[0].scan
    segmenter = Segmenter(bundle, options.device)
    info, net = load_network(bundle)
    preprocessing = info.preprocessing.model_copy(update={"largest_component": False})
    segmenter.info = info.model_copy(update={"preprocessing": preprocessing})
    net = net.eval().to(options.device)
    times = {"dgseg": [], "peer": []}
    for repeat in range(options.repeats + 1):
        start = time.perf_counter()
        ours = segmenter.segment(scan).labels
        middle = time.perf_counter()
        theirs = peer(net, info.preprocessing, scan, options.device, options.window)
        end = time.perf_counter()
        if repeat:
            times["dgseg"].append(middle - start)
            times["peer"].append(end - middle)
    medians = {name: statistics.median(values) for name, values in times.items()}
    foreground = (ours | theirs) > 0
    print(f"scan {scan.array.shape}, threads {torch.get_num_threads()}")
    print(f"dgseg {medians['dgseg']:.3f} s, MONAI slice by slice {medians['peer']:.3f} s")
    print(f"ratio {medians['peer'] / medians['dgseg']:.2f}")
    print(
        f"same labels {(ours == theirs).mean():.5%} of all voxels, "
        f"{(ours == theirs)[foreground].mean():.3%} of the foreground"
    )


if __name__ == "__main__":
    main()

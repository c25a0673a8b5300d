"""One iteration of DGNet: ours against the published way, in time, FLOPs and memory.

An iteration sees 16 images: 4 labelled and 4 unlabelled ones for meta-train, as
many for meta-test. All variants see the same images and take turns in one
process; the ratio of the medians is printed:

- published: `published_dgnet`, in float32 as published (it does not run in autocast);
- one gradient: the published networks with the exact gradient over all parameters
  by `dgseg.methods.meta`, which is what restructuring alone gives;
- exact, first order: `dgseg.methods.dgnet` as a training runs it, without augmentation.

Before that, losses and gradients of both sides are compared in float32 on equal
weights, wherever their formulas are the same. On one thread the time is the
processor's, so that a busy machine disturbs it less. Peak memory is that of a
process that does nothing else.

    python -m benchmarks.bench_dgnet [--quick] [--sizes 96 224] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import published_dgnet as published
from dgseg.augment.config import AugmentConfig
from dgseg.devices import fast_bf16
from dgseg.losses.dependence import hsic
from dgseg.losses.disentanglement import kl_to_normal, latent_regression, reconstruction_l1
from dgseg.losses.rank import rank_value
from dgseg.losses.supervised import dice_ce
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.dgnet import DGNet
from dgseg.methods.meta import meta_gradient
from dgseg.nets.build import build, count_parameters
from dgseg.training.devices import make_fabric

OURS = {
    "exact bf16": ("bf16", 2),
    "exact fp32": ("fp32", 2),
    "first order bf16": ("bf16", 1),
    "first order fp32": ("fp32", 1),
}
NAMES = ("published", "one gradient", *OURS)
Groups = tuple[published.Group, published.Group]
Iteration = Callable[[], object]

# --- the same images for all ---------------------------------------------------------


def draw(size: int) -> tuple[Groups, Groups]:
    """Meta-train and meta-test, unlabelled, then labelled: 4 images each."""
    generator = torch.Generator().manual_seed(1)
    groups = []
    for labelled in (False, False, True, True):
        coarse = torch.rand(4, 1, size // 8, size // 8, generator=generator)
        images = F.interpolate(coarse, size=(size, size), mode="bilinear")
        labels = (images[:, 0] * published.N_CLASSES).long() if labelled else None
        domains = torch.tensor([0, 0, 1, 1]) if not len(groups) % 2 else torch.full((4,), 2)
        groups.append(published.Group(images, domains, labels))
    return (groups[0], groups[1]), (groups[2], groups[3])


def episode(size: int) -> Episode:
    """The same images for `DGNet`: whichever of two domains it holds out, there are 4 + 4."""
    unlabelled, labelled = draw(size)
    domains = {
        name: DomainBatch(Batch(with_.images, with_.labels), Batch(without.images))
        for name, with_, without in zip("ab", labelled, unlabelled, strict=True)
    }
    return Episode(domains, 500, 1000, ("a", "b", "c"))


# --- one iteration of each -----------------------------------------------------------


def make(name: str, size: int, width: int) -> tuple[Iteration, int]:
    """A variant's iteration, and its number of parameters."""
    torch.manual_seed(0)
    if name in OURS:
        return _ours(*OURS[name], size, width)
    net = published.PublishedDGNet(size, width)
    optimiser = torch.optim.Adam(net.parameters(), lr=4e-5)
    unlabelled, labelled = draw(size)
    if name == "published":

        def iteration() -> object:
            return published.iteration(net, optimiser, unlabelled, labelled)
    else:

        def iteration() -> object:
            for groups in (unlabelled, labelled):
                found = one_gradient(net, groups)
                for key, parameter in net.named_parameters():
                    parameter.grad = found.gradients.get(key)
                torch.nn.utils.clip_grad_value_(net.parameters(), 0.1)
                optimiser.step()
            return None

    return iteration, sum(p.numel() for p in net.parameters())


def _ours(precision: str, order: int, size: int, width: int) -> tuple[Iteration, int]:
    fabric = make_fabric("cpu", precision)
    config = replace(
        DGNet.presets["paper"]["gpu"], order=order, augment=AugmentConfig.preset("none")
    )
    net = build(DGNet.network(config, published.N_CLASSES, width, 5, published.N_DOMAINS))
    method = DGNet(net, fabric, config, 1000)
    images = episode(size)
    return lambda: method.update(images), count_parameters(net)


def one_gradient(
    net: published.PublishedDGNet,
    groups: Groups,
    adapted: Callable[[str], bool] | None = None,
):
    """The published objective's exact gradient by `meta_gradient`."""

    def at(group: published.Group, loss: Callable[..., Tensor]):
        return lambda p: (loss(functional_call(net, dict(p), (group.images,)), group), {})

    return meta_gradient(
        at(groups[0], published.meta_train_loss),
        at(groups[1], published.meta_test_loss),
        dict(net.named_parameters()),
        step_size=published.META_STEP,
        order=2,
        adapted=adapted,
    )


# --- are they the same thing? --------------------------------------------------------


def compare() -> dict[str, float]:
    """Relative differences in float32 on equal weights, small networks."""
    torch.manual_seed(0)
    net = published.PublishedDGNet(32, 8)
    _, (train, test) = draw(32)
    with torch.no_grad():
        found = _terms(net(train.images), train)
    differences = {name: abs(a / b - 1).item() for name, (a, b) in found.items()}
    torch.manual_seed(1)
    losses = published.episode_losses(net, train, test)
    sum(losses).backward()
    torch.manual_seed(1)
    ours = one_gradient(
        net, (train, test), lambda name: not name.startswith(("unet.down", "unet.up"))
    )
    pairs = [
        (p.grad, ours.gradients[n]) for n, p in net.named_parameters() if n in ours.gradients
    ]
    theirs, mine = (torch.cat([pair[i].flatten() for pair in pairs]) for i in (0, 1))
    for name, a, b in zip(("train", "test"), losses, (ours.train, ours.test), strict=True):
        differences[f"meta-{name} loss"] = abs(b / a - 1).item()
    differences["meta-gradient"] = ((mine - theirs).norm() / theirs.norm()).item()
    return differences


def _terms(out: published.Output, group: published.Group) -> dict[str, tuple[Tensor, Tensor]]:
    """Ours and theirs of each term whose formula is the same."""
    logits, labels = out.anatomy[:, : published.N_CLASSES], group.labels
    style, domain = out.mean[:, published.CODE :], out.mean[:, : published.CODE]
    pixels = out.anatomy[:1].softmax(dim=1)  # fewer than 2000: theirs takes them all
    scale = (2000 / pixels[0, 0].numel()) ** 0.5
    dice = dice_ce(logits, labels, ce_weight=0.0) * published.N_CLASSES
    return {
        # Theirs adds 0.1 to both sides of the fraction.
        "Dice and cross-entropy": (
            dice + dice_ce(logits, labels, dice_weight=0.0),
            published.dice_and_ce(out.anatomy, labels),
        ),
        "divergence": (
            kl_to_normal(out.mean, out.log_variance),
            published.kl(out.mean, out.log_variance),
        ),
        "dependence": (
            # In float64, for their matrix of nearly equal numbers loses most of its digits.
            hsic(style.double(), domain.double(), estimator="published", bandwidth=5.0),
            published.hsic(style.double(), domain.double()),
        ),
        "rank": (
            rank_value(pixels, published.N_CLASSES, eps=0.0),
            published.rank(pixels) * scale,
        ),
        "reconstruction": (
            reconstruction_l1(out.reconstruction, group.images),
            F.l1_loss(out.reconstruction, group.images),
        ),
        "latent regression": (
            latent_regression(out.code_again, out.code),
            F.l1_loss(out.code_again, out.code),
        ),
    }


# --- measuring -----------------------------------------------------------------------


def clock() -> float:
    """Of the processor on one thread, of the wall on more."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def convolution_rate(dtype: torch.dtype, size: int, width: int) -> float:
    """GFLOP/s of a U-Net's own convolutions, forwards and backwards, of 8 images."""
    seconds = flops = 0.0
    for level in range(4):
        channels, side = width * 2**level, size // 2**level
        x = torch.rand(8, channels, side, side, dtype=dtype, requires_grad=True)
        x = x.contiguous(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 3, 3, dtype=dtype, requires_grad=True)
        grad = torch.rand(8, channels, side, side, dtype=dtype)
        grad = grad.contiguous(memory_format=torch.channels_last)
        times = []
        for _ in range(4):
            start = clock()
            torch.autograd.grad(F.conv2d(x, weight, padding=1), (x, weight), grad)
            times.append(clock() - start)
        seconds += min(times)
        flops += 3 * 2 * 9 * channels**2 * x.shape[0] * side**2
    return flops / seconds / 1e9


def times_of(names: list[str], size: int, width: int, repeats: int) -> dict[str, object]:
    """Seconds, GFLOP and parameters of each variant, in turns."""
    made = {name: make(name, size, width) for name in names}
    flops, times = {}, {name: [] for name in names}
    for name, (iteration, _) in made.items():
        with FlopCounterMode(display=False) as counter:
            iteration()
        flops[name] = counter.get_total_flops() / 1e9
    for _ in range(repeats):
        for name, (iteration, _) in made.items():
            start = clock()
            iteration()
            times[name].append(clock() - start)
    rates = {"fp32": convolution_rate(torch.float32, size, width)}
    if any("bf16" in name for name in names):
        rates["bf16"] = convolution_rate(torch.bfloat16, size, width)
    return {
        "seconds": times,
        "gflop": flops,
        "parameters": {name: count for name, (_, count) in made.items()},
        "rates": rates,
    }


def memory_of(name: str, size: int, width: int) -> float:
    """Peak GiB of this process after two iterations."""
    iteration, _ = make(name, size, width)
    iteration()
    iteration()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


# --- the parts in processes of their own ---------------------------------------------


def child(options: argparse.Namespace, *arguments: str) -> object:
    """What this file prints, run anew."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.bench_dgnet",
        "--threads",
        str(options.threads),
    ]
    command += ["--width", str(options.width), "--repeats", str(options.repeats), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def report(size: int, found: dict, memory: dict[str, float]) -> None:
    """One table."""
    medians = {name: statistics.median(values) for name, values in found["seconds"].items()}
    base, rates = medians["published"], found["rates"]
    print(f"\n{size} x {size}, 16 images an iteration; convolutions alone reach", end=" ")
    print(", ".join(f"{rate:.0f} GFLOP/s in {kind}" for kind, rate in rates.items()))
    print(f"{'':18}{'s':>8}{'ratio':>7}{'GFLOP':>8}{'s at best':>10}{'ratio':>7}", end="")
    print(f"{'GiB':>7}{'parameters':>12}")
    floor = found["gflop"]["published"] / rates["fp32"]
    for name, seconds in medians.items():
        best = found["gflop"][name] / rates["bf16" if "bf16" in name else "fp32"]
        print(
            f"{name:18}{seconds:8.2f}{base / seconds:7.2f}{found['gflop'][name]:8.1f}"
            f"{best:10.2f}{floor / best:7.2f}{memory.get(name, float('nan')):7.2f}"
            f"{found['parameters'][name]:12,}"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="small images and networks")
    parser.add_argument("--times", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    names = [name for name in NAMES if "bf16" not in name or fast_bf16("cpu")]
    if options.times:
        print(json.dumps(times_of(names, options.times, options.width, options.repeats)))
        return
    if options.memory:
        print(json.dumps(memory_of(options.memory[0], int(options.memory[1]), options.width)))
        return
    if options.quick:
        options.sizes, options.width, options.repeats = [32, 64], 8, 2
    if len(names) < len(NAMES):
        print("this processor has no fast bfloat16: float32 only")
    print("relative differences in float32 on equal weights:")
    for name, difference in compare().items():
        print(f"  {name:24}{difference:.1e}")
    repeats = options.repeats
    for size in options.sizes:
        options.repeats = repeats if size < 200 else max(2, repeats // 2)
        found = child(options, "--times", str(size))
        memory = {name: child(options, "--memory", name, str(size)) for name in names}
        report(size, found, memory)


if __name__ == "__main__":
    main()

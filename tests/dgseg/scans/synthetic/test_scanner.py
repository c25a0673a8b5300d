from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dgseg.scans.synthetic.catalogue import SCANNERS
from dgseg.scans.synthetic.scanner import Scanner, signals
from dgseg.scans.synthetic.tissues import PROPERTIES, Tissue


def test_spoiled_gradient_echo_is_brightest_at_the_ernst_angle():
    t1, tr = PROPERTIES[Tissue.MUSCLE].t1_ms, 100.0
    ernst = np.degrees(np.arccos(np.exp(-tr / t1)))
    base = Scanner("x", "cord", "", "gradient-echo", tr_ms=tr, te_ms=1.0)

    def muscle(flip: float) -> float:
        # Relative to a fluid-free reference: undo the scaling by the brightest.
        scanner = replace(base, flip_deg=flip)
        p = PROPERTIES[Tissue.FAT]
        e1, a = np.exp(-tr / p.t1_ms), np.radians(flip)
        fat = p.proton_density * np.sin(a) * (1 - e1) / (1 - np.cos(a) * e1)
        fat *= np.exp(-1.0 / p.t2_star_ms)
        values = signals(scanner)
        return float(values[Tissue.MUSCLE] / values[Tissue.FAT] * fat)

    assert muscle(ernst) > muscle(0.7 * ernst)
    assert muscle(ernst) > muscle(1.4 * ernst)


@pytest.mark.parametrize("sequence", ["gradient-echo", "spin-echo", "bssfp"])
def test_signals_are_finite_and_air_is_silent(sequence):
    values = signals(Scanner("x", "cord", "", sequence, tr_ms=5, te_ms=2, flip_deg=40))
    assert values.shape == (len(Tissue),)
    assert np.isfinite(values).all()
    assert values[Tissue.AIR] == 0
    assert values.min() >= 0


def test_magnetisation_transfer_darkens_white_matter_most():
    plain = replace(SCANNERS["birch"], mt=0.0)
    pulsed = replace(plain, mt=1.0)
    drop = signals(pulsed) / np.maximum(signals(plain), 1e-6)
    assert drop[Tissue.WHITE_MATTER] < drop[Tissue.GREY_MATTER] < drop[Tissue.CSF]


def test_a_later_inversion_recovers_more():
    early = signals(replace(SCANNERS["maple"], inversion_ms=700.0))
    late = signals(replace(SCANNERS["maple"], inversion_ms=2000.0))
    assert early[Tissue.CSF] == 0
    assert late[Tissue.GREY_MATTER] > early[Tissue.GREY_MATTER]


def test_names_are_the_keys():
    assert all(name == scanner.name for name, scanner in SCANNERS.items())
    assert SCANNERS["elm"].domain == "synthetic-elm"

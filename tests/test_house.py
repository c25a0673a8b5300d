"""Rules that keep the house whole, held by the tree itself."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted([*ROOT.glob("src/dgseg/**/*.py"), *ROOT.glob("napari_dgseg/**/*.py")])
TESTS = sorted(ROOT.glob("tests/**/*.py"))


def _name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=_name)
def test_no_file_outgrows_its_bound(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_no_function_outgrows_its_bound(path):
    text = path.read_text(encoding="utf-8")
    functions = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    for node in functions:
        doc = ast.get_docstring(node, clean=False) or ""
        n_lines = node.end_lineno - node.lineno + 1 - len(doc.splitlines())
        assert n_lines <= 50, f"{node.name} has {n_lines} lines"


def test_setup_lists_every_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(base).parts)
        for base, top in ((ROOT / "src", "dgseg"), (ROOT, "napari_dgseg"))
        for path in (base / top).glob("**/__init__.py")
    }
    assert listed == there


@pytest.mark.parametrize(
    "modules",
    [
        "dgseg.scans.sources, dgseg.scans.export, dgseg.scans.synthetic.site",
        "dgseg.bundles.bundle, dgseg.site.workspace, dgseg.datasets.registry",
        "dgseg.jobs.folder, dgseg.jobs.spec, dgseg.worker.protocol, dgseg.worker.client",
        "dgseg.adaptation.config, dgseg.training.config, dgseg.methods.config",
        "dgseg.cli.main",
        "napari_dgseg.dock, napari_dgseg.demo.player, napari_dgseg._readers",
        "napari_dgseg.inspector.dock",
    ],
)
def test_imports_without_torch(modules):
    code = f"import sys, {modules}\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

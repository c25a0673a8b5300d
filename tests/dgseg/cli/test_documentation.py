"""Every command that the documentation shows is one that this version takes."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import get_args

import pytest

from dgseg.bundles.bundle import default_bundle, read_info
from dgseg.cli import console
from dgseg.cli.main import Command, main
from dgseg.datasets.registry import DATASETS

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
CARD = "card of the bundled model"


def shown():
    """All commands, as (where, command): whole ones in blocks, beginnings of them in prose."""
    texts = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
    texts[CARD] = read_info(default_bundle()).card
    whole, parts = [], []
    for where, text in texts.items():
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        blocks += re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE)
        code = re.sub(r"\\\n\s*", " ", "\n".join(map(textwrap.dedent, blocks)))
        variables = dict(re.findall(r'^(\w+)="([^"]*)"', code, re.MULTILINE))
        for line in re.findall(r"^(?:dgseg|python|make) .*$", code, re.MULTILINE):
            command = re.sub(r"\$(\w+)", lambda name, v=variables: v[name[1]], line)
            whole.append((where, " ".join(shlex.split(command, comments=True))))
        parts += [(where, part) for part in re.findall(r"`(dgseg [^`]*)`", text)]
    return whole, parts


WHOLE, PARTS = shown()
OF_DGSEG = [each for each in WHOLE if each[1].startswith("dgseg ")]
OF_PYTHON = [each for each in WHOLE if each[1].startswith("python ")]
OF_MAKE = [each for each in WHOLE if each[1].startswith("make ")]


def name_of(each):
    return f"{each[0]}: {each[1][:60]}"


def test_commands_are_found_where_they_are():
    assert {"README.md", "docs/tutorial.md", "docs/benchmarks/protocol.md", CARD} <= {
        where for where, _ in OF_DGSEG
    }
    assert OF_PYTHON
    assert OF_MAKE
    assert PARTS


@pytest.fixture
def taken(monkeypatch):
    """Commands that were understood; none is run."""
    commands = []

    def run(command):
        commands.append(command)
        return console.OK

    for kind in get_args(Command):
        monkeypatch.setattr(kind.__origin__, "run", run)
    return commands


@pytest.mark.parametrize("each", OF_DGSEG, ids=name_of)
def test_a_command_is_understood(each, taken):
    _, *arguments = each[1].split()

    assert main(arguments) == console.OK

    (command,) = taken
    data = getattr(command, "data", ())
    assert set([data] if isinstance(data, str) else data) <= set(DATASETS)


@pytest.mark.parametrize("each", PARTS, ids=name_of)
def test_a_command_in_prose_is_there_with_its_options(each, capsys):
    _, name, *rest = each[1].split()

    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])

    assert stop.value.code == console.OK
    help_text = capsys.readouterr().out
    for option in rest:
        assert not option.startswith("--") or option in help_text


@pytest.mark.parametrize("each", OF_PYTHON, ids=name_of)
def test_a_script_is_there_and_knows_its_options(each):
    _, *arguments = each[1].split()
    if arguments[0] == "-m":
        module = ROOT.joinpath(*arguments[1].split("."))
        script = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
    else:
        script = ROOT / arguments[0]
    # A part of a script may have a file of its own: `measure_concerns foreign`.
    parts = [script.parent / f"measure_{name}.py" for name in arguments[2:3]]
    text = "".join(
        each.read_text(encoding="utf-8") for each in (script, *parts) if each.is_file()
    )
    for option in re.findall(r"--[\w-]+", " ".join(arguments)):
        assert f'"{option}"' in text
    if arguments[:2] == ["-m", "benchmarks"]:
        for name in arguments[2:]:
            assert (ROOT / "benchmarks" / f"bench_{name}.py").is_file()


@pytest.mark.parametrize("each", OF_MAKE, ids=name_of)
def test_a_target_is_there(each):
    target = each[1].split()[1]
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")

"""The program may be interrupted while it is loaded."""

from __future__ import annotations

import sys

import dgseg.cli.main
from dgseg import __main__ as program


class Impatient:
    """Interrupts the import of the command line."""

    def find_spec(self, name, path=None, target=None):
        if name == "dgseg.cli.main":
            raise KeyboardInterrupt


def test_an_interruption_while_loading_is_said_in_a_line(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "dgseg.cli.main")
    monkeypatch.delattr(dgseg.cli, "main")
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    assert program.main() == 130
    assert capsys.readouterr().err == "dgseg: Interrupted; nothing was begun.\n"


def test_the_program_is_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dgseg", "--version"])
    assert program.main() == 0
    assert capsys.readouterr().out.startswith("dgseg ")

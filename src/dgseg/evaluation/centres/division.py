"""Who is learnt from, with labels and without, and who is scored, at every centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.evaluation.adaptation.halves import Halves, saved_halves
from dgseg.evaluation.benchmark.splits import Person
from dgseg.scans.annotated import AnnotatedScan
from dgseg.training.data import TrainingSet


@dataclass(frozen=True)
class Division:
    """The halves of all centres.

    Attributes
    ----------
    halves : mapping of str to Halves
        By centre. Of each, one half may be learnt from and the other is scored, whatever
        the centre's role.
    validation : tuple of (str, str)
        Centre and subject of people of the sources whose labels choose the checkpoint.
    """

    halves: Mapping[str, Halves]
    validation: tuple[Person, ...]

    def learnt(
        self, data: TrainingSet, sources: Sequence[str], adapted: str = ""
    ) -> TrainingSet:
        """What a training sees: the sources with labels, another centre without.

        Nobody who is scored is in it, at whatever centre; where slices of one person
        were divided, those that are scored are hidden.

        Parameters
        ----------
        data : TrainingSet
            The whole data set.
        sources : sequence of str
        adapted : str
            Whose labels cannot be read; empty for none.

        Raises
        ------
        DatasetError
            If nothing is left of a centre.
        """
        entries: list[Entry] = []
        for centre in filter(None, (*sources, adapted)):
            found = [
                replace(entry, loader=partial(_part, entry, self.halves[centre]))
                for entry in self._allowed(data.entries, centre)
                if entry.labelled or centre == adapted
            ]
            if not found:
                raise DatasetError(
                    f"Nobody of {centre} is left to learn from.",
                    remedy="Choose other centres, or fewer people for validation.",
                )
            entries += found
        taught = {(e.domain, e.subject) for e in entries if e.domain in sources}
        return replace(data, entries=tuple(entries)).labelled_only(taught)

    def chosen_by(self, data: TrainingSet) -> list[Entry]:
        """The labelled scans of the people for validation."""
        people = set(self.validation)
        return [e for e in data.entries if e.labelled and (e.domain, e.subject) in people]

    def _allowed(self, entries: Sequence[Entry], centre: str) -> list[Entry]:
        scored = _scored_elsewhere(self.halves, centre)
        return [
            entry
            for entry in self.halves[centre].adaptation_entries(entries)
            if entry.subject not in scored
            and (entry.domain, entry.subject) not in self.validation
        ]


def divide(
    folder: Path, data: TrainingSet, sources: Sequence[str], seed: int, n_validation: int
) -> Division:
    """Halve all centres; saved in a folder, and read from there ever after.

    Parameters
    ----------
    folder : Path
        Of halves; made if missing.
    data : TrainingSet
        One data set.
    sources : sequence of str
        Centres whose people choose the checkpoint.
    seed : int
    n_validation : int
        How many of each; of the half that is not scored.

    Raises
    ------
    DatasetError
        If a centre cannot be divided, or has too few people to choose and to learn from.
    """
    (name,) = data.names
    halves = {
        centre: saved_halves(folder, data.entries, name, centre, seed)
        for centre in data.domains
    }
    labelled = {(e.domain, e.subject) for e in data.entries if e.labelled}
    validation: list[Person] = []
    for centre in sources if n_validation else ():
        scored = _scored_elsewhere(halves, centre)
        able = [
            (centre, who)
            for who in halves[centre].adaptation
            if (centre, who) in labelled and who not in scored
        ]
        if len(able) <= n_validation:
            raise DatasetError(
                f"The half of {centre} that is not scored has {len(able)} people with "
                f"labels, too few for {n_validation} to choose the checkpoint and one to "
                "learn from.",
                remedy="Lower the number of people for validation.",
            )
        validation += able[:n_validation]
    return Division(halves, tuple(validation))


def _scored_elsewhere(halves: Mapping[str, Halves], centre: str) -> set[str]:
    return {who for name, half in halves.items() if name != centre for who in half.test}


def _part(entry: Entry, halves: Halves) -> AnnotatedScan:
    return halves.adaptation_part(entry.load())

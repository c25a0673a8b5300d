"""What is learnt from: scans by domain and person, and whose labels may be used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dgseg.datasets.registry import DATASETS, Entry, load
from dgseg.errors import TrainingError
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.schema import LabelSchema


@dataclass(frozen=True)
class TrainingSet:
    """What is learnt from.

    Attributes
    ----------
    names : tuple of str
        Registered names of the data sets.
    schema : LabelSchema
        Which all of them share.
    entries : tuple of Entry
        Their scans.
    licences : tuple of str
        Of the data sets, in the order of their names.
    """

    names: tuple[str, ...]
    schema: LabelSchema
    entries: tuple[Entry, ...]
    licences: tuple[str, ...]

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in the order of the entries."""
        return tuple(dict.fromkeys(entry.domain for entry in self.entries))

    def without(self, domain: str) -> TrainingSet:
        """All but one domain, and all but the people who were scanned there."""
        people = {entry.subject for entry in self.entries if entry.domain == domain}
        kept = tuple(
            entry
            for entry in self.entries
            if entry.domain != domain and entry.subject not in people
        )
        return TrainingSet(self.names, self.schema, kept, self.licences)

    def of_subjects(self, subjects: Collection[tuple[str, str]]) -> TrainingSet:
        """Only the scans of some people.

        Parameters
        ----------
        subjects : collection of (domain, subject)

        Raises
        ------
        TrainingError
            If one of them has no scan here.
        """
        self._refuse_strangers(subjects)
        kept = tuple(e for e in self.entries if (e.domain, e.subject) in subjects)
        return replace(self, entries=kept)

    def labelled_only(self, subjects: Collection[tuple[str, str]]) -> TrainingSet:
        """The same scans, but with the labels of some people alone.

        The labels of all others cannot be read: loading one of their entries gives a
        scan without labels.

        Parameters
        ----------
        subjects : collection of (domain, subject)

        Raises
        ------
        TrainingError
            If one of them has no scan here.
        """
        self._refuse_strangers(subjects)
        entries = tuple(
            entry
            if (entry.domain, entry.subject) in subjects
            else replace(entry, labelled=False, loader=partial(_without_labels, entry.loader))
            for entry in self.entries
        )
        return replace(self, entries=entries)

    def _refuse_strangers(self, subjects: Collection[tuple[str, str]]) -> None:
        known = {(entry.domain, entry.subject) for entry in self.entries}
        strangers = sorted(set(subjects) - known)
        if strangers:
            named = ", ".join("/".join(pair) for pair in strangers[:5])
            raise TrainingError(
                f"There is no scan of {named}{' and others' if strangers[5:] else ''}.",
                remedy="Name people as (domain, subject), as the data set does.",
            )


def _without_labels(loader: Callable[[], AnnotatedScan]) -> AnnotatedScan:
    return replace(loader(), labels=None, annotated_slices=None)


def training_set(
    names: Sequence[str], *, root: Path | None = None, download: bool = False
) -> TrainingSet:
    """The scans of some data sets that segment the same structures.

    Raises
    ------
    DatasetError
        If a data set is unknown or not there.
    TrainingError
        If their structures differ.
    """
    sets = [load(name, root=root, download=download) for name in names]
    if not sets:
        raise TrainingError("There is no data set to learn from.", remedy="Name one.")
    for other in sets[1:]:
        if other.schema != sets[0].schema:
            raise TrainingError(
                f"The data sets {sets[0].info.name} and {other.info.name} label "
                "different structures.",
                remedy="Train one model for each.",
            )
    return TrainingSet(
        names=tuple(names),
        schema=sets[0].schema,
        entries=tuple(entry for data in sets for entry in data.entries),
        licences=tuple(DATASETS[name].licence for name in names),
    )

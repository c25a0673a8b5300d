"""Who is learnt from with labels, without, who chooses the checkpoint, and who is scored."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.files import write_json

Person = tuple[str, str]
"""Domain and subject."""

_FORMAT = 1


@dataclass(frozen=True)
class Split:
    """People by their role when one domain is held out.

    Attributes
    ----------
    target : str
        The domain that is held out.
    seed : int
        Of the draw.
    fraction : float
        Share of a source domain's people who keep their labels, 0 to 1.
    labelled, unlabelled, validation : tuple of (str, str)
        Domain and subject of people of the source domains: learnt from with labels,
        without labels, and those whose labels choose the checkpoint only.
    test : tuple of (str, str)
        All people of the target with labels; nothing but the final score sees them.
    """

    target: str
    seed: int
    fraction: float
    labelled: tuple[Person, ...]
    unlabelled: tuple[Person, ...]
    validation: tuple[Person, ...]
    test: tuple[Person, ...]

    @property
    def source_domains(self) -> tuple[str, ...]:
        """Domains that are learnt from, sorted."""
        return tuple(sorted({domain for domain, _ in self.labelled}))


def make_split(
    entries: Sequence[Entry], target: str, fraction: float, seed: int, n_validation: int
) -> Split:
    """Draw a split.

    The people of a domain stand in an order that depends on the seed and their domain
    alone: the same seed gives the same people whatever the target, and those who are
    labelled at a small fraction are so at a larger one too. People who were also
    scanned in the target domain are in none of the source roles.

    Parameters
    ----------
    entries : sequence of Entry
        Of the whole data set.
    target : str
        Domain to hold out.
    fraction : float
        Of the people of each source domain, rounded, at least one; 0 < fraction <= 1.
    seed : int
    n_validation : int
        People of each source domain who choose the checkpoint.

    Raises
    ------
    DatasetError
        If there is no such domain, or no other, or one has too few people with labels.
    """
    people = _people(entries)
    labelled_people = _people(entries, labelled=True)
    _check_target(target, people, labelled_people)
    labelled: list[Person] = []
    unlabelled: list[Person] = []
    validation: list[Person] = []
    for domain in sorted(set(people) - {target}):
        sources = people[domain] - people[target]
        if not sources:
            continue
        able = [who for who in _order(labelled_people[domain], seed, domain) if who in sources]
        n_labelled = max(1, round(fraction * len(people[domain])))
        if len(able) < n_validation + 1:
            raise DatasetError(
                f"The domain {domain} has {len(able)} people with labels, too few for "
                f"{n_validation} to choose the checkpoint and one to learn from.",
                remedy="Lower the number of people for validation, or leave the domain out.",
            )
        choosing = able[:n_validation]
        taught = able[n_validation : n_validation + n_labelled]
        rest = sources - set(choosing) - set(taught)
        labelled += [(domain, who) for who in sorted(taught)]
        unlabelled += [(domain, who) for who in sorted(rest)]
        validation += [(domain, who) for who in sorted(choosing)]
    return Split(
        target,
        seed,
        fraction,
        labelled=tuple(labelled),
        unlabelled=tuple(unlabelled),
        validation=tuple(validation),
        test=tuple((target, who) for who in sorted(labelled_people[target])),
    )


def saved_split(
    folder: Path,
    entries: Sequence[Entry],
    data: str,
    target: str,
    fraction: float,
    seed: int,
    n_validation: int,
) -> Split:
    """The split of a file in `folder`, drawn and saved where there is none.

    Parameters
    ----------
    folder : Path
        Of splits; made if missing.
    data : str
        Name of the data set.
    entries, target, fraction, seed, n_validation
        As in `make_split`.

    Raises
    ------
    DatasetError
        If the file is damaged, or does not fit the data or the other arguments; and as
        `make_split` raises.
    """
    path = folder / f"{file_name(data, target, f'{fraction:g}')}-seed{seed}.json"
    if not path.exists():
        split = make_split(entries, target, fraction, seed, n_validation)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"format": _FORMAT, "data": data, **asdict(split)})
        return split
    split = read_split(path)
    wanted = (target, fraction, seed)
    if (split.target, split.fraction, split.seed) != wanted or not _fits(
        split, entries, n_validation
    ):
        raise DatasetError(
            "The saved split does not fit the data set, or the number of people for "
            "validation.",
            remedy="Use the data and settings that it was drawn for, or another folder.",
            path=path,
        )
    return split


def read_split(path: Path) -> Split:
    """Read a split as `saved_split` writes it.

    Raises
    ------
    DatasetError
        If the file is damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(content["format"])
        return Split(
            str(content["target"]),
            int(content["seed"]),
            float(content["fraction"]),
            labelled=_pairs(content, "labelled"),
            unlabelled=_pairs(content, "unlabelled"),
            validation=_pairs(content, "validation"),
            test=_pairs(content, "test"),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            "The saved split is damaged or of another version.",
            remedy="Bring back the original file; without it, start in another folder.",
            path=path,
        ) from error


def file_name(*parts: str) -> str:
    """Parts of a name, joined, with nothing that a file system could stumble over."""
    return "-".join(re.sub(r"[^\w.+]+", "-", part) for part in parts)


def _pairs(content: Mapping[str, Any], role: str) -> tuple[Person, ...]:
    return tuple((str(domain), str(subject)) for domain, subject in content[role])


def _people(entries: Sequence[Entry], *, labelled: bool = False) -> dict[str, set[str]]:
    """Subjects by domain, of all domains; on wish only those with labels."""
    people: dict[str, set[str]] = {entry.domain: set() for entry in entries}
    for entry in entries:
        if entry.labelled or not labelled:
            people[entry.domain].add(entry.subject)
    return people


def _check_target(
    target: str, people: Mapping[str, set[str]], labelled: Mapping[str, set[str]]
) -> None:
    if target not in people:
        raise DatasetError(
            f"There is no domain {target} in the data.",
            remedy=f"Domains are: {', '.join(sorted(people))}.",
        )
    if not labelled[target]:
        raise DatasetError(
            f"Nobody in the domain {target} has labels, so nothing can be scored there.",
            remedy="Choose other targets.",
        )
    if not any(people[domain] - people[target] for domain in people if domain != target):
        raise DatasetError(
            f"Without the domain {target} nobody is left to learn from.",
            remedy="Use a data set of at least two domains with different people.",
        )


def _order(subjects: set[str], seed: int, domain: str) -> list[str]:
    """Random, yet the same on every machine and with every version of every library."""

    def place(subject: str) -> bytes:
        return hashlib.sha256(json.dumps([seed, domain, subject]).encode()).digest()

    return sorted(subjects, key=place)


def _fits(split: Split, entries: Sequence[Entry], n_validation: int) -> bool:
    people = _people(entries)
    labelled_people = _people(entries, labelled=True)
    if split.target not in people:
        return False
    expected = {
        (domain, who)
        for domain in people
        if domain != split.target
        for who in people[domain] - people[split.target]
    }
    roles = (*split.labelled, *split.unlabelled, *split.validation)
    n_chosen = Counter(domain for domain, _ in split.validation)
    return (
        set(split.test) == {(split.target, who) for who in labelled_people[split.target]}
        and len(roles) == len(set(roles))
        and set(roles) == expected
        and all(
            who in labelled_people[domain]
            for domain, who in (*split.labelled, *split.validation)
        )
        and all(n_chosen[domain] == n_validation for domain, _ in expected)
        and {domain for domain, _ in split.labelled} == {domain for domain, _ in expected}
    )

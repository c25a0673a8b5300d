"""From many DICOM slices to stacks, each of which is one scan."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dgseg.scans.dicom_headers import SliceHeader

_SAME_DIRECTION = 2e-3
"""Largest difference between direction cosines of slices of one stack (0.1 degrees)."""

_SAME_PLACE_MM = 0.01

_TIMES = ("time point", "b-value", "acquisition", "trigger time")
"""Names of the entries of `SliceHeader.time`."""


@dataclass(frozen=True)
class Stack:
    """Slices that should make one volume.

    Attributes
    ----------
    folder : Path
        The closest folder that holds all of them.
    key : str
        What sets it apart from the other stacks of its series, such as
        ``"TE 4.92 ms"``; empty where the series holds one.
    headers : tuple of SliceHeader
    n_series : int
        Images in the whole series.
    odd : bool
        Whether this is a single image in a series whose other images make a stack.
    """

    folder: Path
    key: str
    headers: tuple[SliceHeader, ...]
    n_series: int
    odd: bool = False

    @property
    def title(self) -> str:
        """Series number and description, and what sets the stack apart."""
        first = self.headers[0]
        number = str(first.series_number) if first.series_number else ""
        name = " ".join(part for part in (number, first.description) if part)
        return (name or "series without a name") + (f" ({self.key})" if self.key else "")


def stacks_of(headers: Iterable[SliceHeader]) -> list[list[Stack]]:
    """Sort images into stacks.

    One series is divided by the plane and the size of its images, then by
    echo; where several images still lie at one place, by kind of image, time
    point, b-value, acquisition or trigger time, if that makes whole stacks.
    A series in several folders is one series, unless the folders hold copies.

    Returns
    -------
    list of list of Stack
        For each series its stacks, in the order of series numbers.
    """
    by_series: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        by_series[header.series_uid].append(header)
    series = [
        _series_stacks(folder, members)
        for whole in by_series.values()
        for folder, members in _gather(whole)
    ]
    return sorted(series, key=lambda stacks: stacks[0].headers[0].series_number)


def direction(header: SliceHeader) -> np.ndarray:
    """Unit normal of a slice in DICOM's patient coordinates (LPS+), shape (3,)."""
    row, column = np.reshape(header.orientation, (2, 3))
    normal: np.ndarray = np.cross(row, column)
    return normal


def depths(headers: tuple[SliceHeader, ...] | list[SliceHeader]) -> np.ndarray:
    """Positions along the common normal, millimetres; in the order given."""
    positions = np.array([header.position for header in headers])
    along: np.ndarray = positions @ direction(headers[0])
    return along


def _gather(headers: list[SliceHeader]) -> list[tuple[Path, list[SliceHeader]]]:
    """The images of one series by folder, joined where the folders hold parts of it."""
    by_folder: dict[Path, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        by_folder[header.path.parent].append(header)
    instances = [{header.instance_uid for header in part} for part in by_folder.values()]
    parts_of_one = sum(map(len, instances)) == len(set().union(*instances))
    if len(by_folder) > 1 and parts_of_one:
        return [(Path(os.path.commonpath([str(path) for path in by_folder])), headers)]
    return list(by_folder.items())


def _series_stacks(folder: Path, headers: list[SliceHeader]) -> list[Stack]:
    groups: list[tuple[list[str], list[SliceHeader]]] = [([], headers)]
    for divide in (_by_frames, _by_plane, _by_size, _by_echo):
        groups = [
            (names + more, part) for names, whole in groups for more, part in divide(whole)
        ]
    groups = [
        (names + more, part)
        for names, whole in groups
        for more, part in _without_overlaps(whole)
    ]
    largest = max(len(part) for _, part in groups)
    return [
        Stack(
            folder=part[0].path if part[0].multi_frame else folder,
            key=", ".join(names),
            headers=tuple(part),
            n_series=len(headers),
            odd=len(part) == 1 and not part[0].multi_frame and largest >= 3,
        )
        for names, part in groups
    ]


_Groups = list[tuple[list[str], list[SliceHeader]]]


def _divided(
    headers: list[SliceHeader],
    value: Callable[[SliceHeader], Hashable],
    name: Callable[[SliceHeader], str],
) -> _Groups:
    """Groups of equal values; unnamed where there is only one."""
    groups: dict[Hashable, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        groups[value(header)].append(header)
    if len(groups) == 1:
        return [([], headers)]
    ordered = sorted(groups.values(), key=lambda part: str(value(part[0])))
    names = [name(part[0]) for part in ordered]
    repeated = Counter(names)
    return [
        ([text if repeated[text] == 1 else f"{text} {number}"], part)
        for number, (text, part) in enumerate(zip(names, ordered, strict=True), 1)
    ]


def _by_frames(headers: list[SliceHeader]) -> _Groups:
    """Every multi-frame image is a volume of its own."""
    return _divided(
        headers,
        lambda header: header.instance_uid if header.multi_frame else "",
        lambda header: f"image {header.instance_number}" if header.multi_frame else "slices",
    )


def _by_plane(headers: list[SliceHeader]) -> _Groups:
    planes: list[tuple[float, ...]] = []

    def plane(header: SliceHeader) -> int:
        for index, known in enumerate(planes):
            alike = len(known) == len(header.orientation)
            if alike and np.allclose(known, header.orientation, rtol=0, atol=_SAME_DIRECTION):
                return index
        planes.append(header.orientation)
        return len(planes) - 1

    return _divided(headers, plane, _plane_name)


def _plane_name(header: SliceHeader) -> str:
    if not header.orientation:
        return "no plane"
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(direction(header))))]


def _by_size(headers: list[SliceHeader]) -> _Groups:
    return _divided(
        headers,
        lambda header: (header.size, tuple(np.round(header.pixel_spacing, 3))),
        lambda header: f"{header.size[0]} x {header.size[1]} pixels",
    )


def _by_echo(headers: list[SliceHeader]) -> _Groups:
    return _divided(
        headers,
        lambda header: header.echo,
        lambda header: f"TE {header.echo[1]:g} ms",
    )


def _without_overlaps(headers: list[SliceHeader]) -> _Groups:
    """Divide images that lie at the same places, where a header element tells them apart."""
    places = _places(headers)
    if places is None or len(set(places)) == len(headers):
        return [([], headers)]
    dividers: list[_Divider] = [(_image_type, _image_kind(headers))]
    dividers += [_time_divider(index, what) for index, what in enumerate(_TIMES)]
    where = dict(zip((header.path for header in headers), places, strict=True))
    for value, name in dividers:
        groups = _divided(headers, value, name)
        whole = sum(
            {where[header.path] for header in part} == set(places) for _, part in groups
        )
        if whole >= 2 and whole >= len(groups) - 1:
            return [
                (names + more, part)
                for names, group in groups
                for more, part in _without_overlaps(group)
            ]
    return _ranked(headers, places)


def _places(headers: list[SliceHeader]) -> list[int] | None:
    """For each image the number of its place; None where positions are unknown."""
    if not all(header.position and header.orientation for header in headers):
        return None
    positions = np.array([header.position for header in headers])
    along = depths(headers)
    order = np.argsort(along, kind="stable")
    places = np.zeros(len(headers), dtype=int)
    for previous, index in pairwise(order):
        apart = np.abs(positions[index] - positions[previous]).max() > _SAME_PLACE_MM
        places[index] = places[previous] + int(apart)
    return [int(place) for place in places]


_Divider = tuple[Callable[[SliceHeader], Hashable], Callable[[SliceHeader], str]]


def _time_divider(index: int, what: str) -> _Divider:
    return (
        lambda header: header.time[index],
        lambda header: f"{what} {header.time[index]:g}",
    )


def _image_type(header: SliceHeader) -> Hashable:
    return header.image_type


def _image_kind(headers: list[SliceHeader]) -> Callable[[SliceHeader], str]:
    """Names images by those parts of their type that are not common to all."""
    common = set(headers[0].image_type).intersection(*(h.image_type for h in headers))

    def name(header: SliceHeader) -> str:
        return " ".join(part for part in header.image_type if part not in common) or "plain"

    return name


def _ranked(headers: list[SliceHeader], places: list[int]) -> _Groups:
    """Equally many images at each place are volumes in the order of acquisition."""
    counts = set(Counter(places).values())
    numbers = {header.instance_number for header in headers}
    several = len(counts) == 1 and len(set(places)) > 1 and len(numbers) == len(headers)
    if not several:
        return [([], headers)]
    volumes: list[list[SliceHeader]] = [[] for _ in range(counts.pop())]
    filled: Counter[int] = Counter()
    pairs = zip(headers, places, strict=True)
    for header, place in sorted(pairs, key=lambda p: (p[0].time[3], p[0].instance_number)):
        volumes[filled[place]].append(header)
        filled[place] += 1
    return [([f"volume {number}"], part) for number, part in enumerate(volumes, 1)]

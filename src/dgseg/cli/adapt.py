"""``dgseg adapt``: what the Adapt button does, without a screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from pydantic import ValidationError

from dgseg.adaptation.config import WITHOUT_CORRECTIONS, AdaptConfig
from dgseg.cli import console
from dgseg.errors import AdaptationError, JobError, UsageError, first_problem
from dgseg.jobs.events import JobEvent
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import AdaptJob

if TYPE_CHECKING:
    from dgseg.bundles.bundle import BundleInfo
    from dgseg.site.workspace import Workspace

Accept = Literal["never", "green", "always"]


class Settings(AdaptConfig):
    """How a bundle is adapted to one site; out of its range, a setting is refused."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            # No ValueError: tyro would tell of its own inner names beside it.
            raise UsageError(
                f"--{first_problem(error).replace('_', '-')}.",
                remedy="See dgseg adapt --help.",
            ) from None


@dataclass(frozen=True)
class Adapt:
    """Fine-tune a site's model on its corrections and its uncorrected scans."""

    site: Annotated[Path, tyro.conf.Positional]
    """The site workspace, as the dock shows it in its first line."""
    bundle: Path | None = None
    """Model to start from; the site's accepted one if not given."""
    resume: bool = False
    """Go on with the newest adaptation of the site; if it has ended, show its result."""
    accept: Accept = "never"
    """Make the candidate the site's model: never, if the verdict is green, or always."""
    source: tuple[str, ...] = ()
    """Labelled scans of other centres to learn from beside the site's: folders (BIDS, or
    <name>_dseg.nii.gz beside <name>.nii.gz), or names of data sets, found by DGSEG_DATA."""
    config: Settings = field(default_factory=Settings)

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.jobs.decision import is_decided
        from dgseg.jobs.runner import run_job

        folder = self._newest() if self.resume else self._prepare()
        if is_decided(folder):
            return self._show_decided(folder)
        with told() as listener:
            code = run_job(folder.path, listener=listener, heed_earlier_stop=False)
        result = folder.result
        if result is None and not code:
            console.warn(f"Stopped. Go on with: dgseg adapt {self.site} --resume")
            return console.INTERRUPTED
        if code or result is None:
            console.warn(f"No candidate. The log: {folder.log}")
            return console.FAILED
        show(result)
        if self.accept == "always" or (self.accept == "green" and result["verdict"]["accept"]):
            accept(self.site, folder, result)
        else:
            console.say(f"Kept the old model. The candidate is in {folder.bundle}")
        return _ended(result)

    def _show_decided(self, folder: JobFolder) -> int:
        """What came out; a decision is a person's, and made once."""
        from dgseg.jobs.decision import decision_of

        decision, result = decision_of(folder), folder.result
        if result is None:
            raise JobError(
                f"This site's newest adaptation was {decision}.",
                remedy="Run the command without --resume.",
                path=self.site,
            )
        show(result)
        console.say(f"It was {decision} before. Nothing is changed.")
        if self.accept != "never" and decision != "accepted":
            return console.FAILED
        return _ended(result)

    def _prepare(self) -> JobFolder:
        """A new job. What is wrong with the request is said before there is one."""
        from dgseg.adaptation.beside import find_sources
        from dgseg.adaptation.checks import check_request
        from dgseg.bundles.bundle import read_info
        from dgseg.site.workspace import Workspace

        # Opening would make a site of any empty folder.
        records = Workspace.read_only_view(self.site).records
        if not records:
            raise AdaptationError(
                "The site has no scans.", remedy="Add some in the dock first.", path=self.site
            )
        with Workspace.open(self.site) as site:
            bundle = self.bundle or site.accepted
            info = read_info(bundle)
            corrected = any(record.state.n_corrected for record in records)
            check_request(
                self.config, info, has_corrections=corrected, has_sources=bool(self.source)
            )
            if not (corrected or self.source) and self.config.method != WITHOUT_CORRECTIONS:
                console.warn(_unjudged(info))
            if self.source:
                find_sources(self.source, info.labels)
            caution(site, info.bundle_id)
            spec = AdaptJob(
                site=site.path,
                bundle=bundle,
                config=self.config,
                sources=tuple(map(_whole, self.source)),
            )
            return JobFolder.create(site.new_job_folder("adapt"), spec)

    def _newest(self) -> JobFolder:
        from dgseg.site.workspace import Workspace

        if self.bundle or self.source or self.config != Settings():
            raise JobError(
                "An adaptation goes on with the settings that it was begun with.",
                remedy="Give no others beside --resume, or begin a new one without it.",
                path=self.site,
            )
        for path in Workspace.read_only_view(self.site).job_folders():
            if "-adapt-" in path.name:
                return JobFolder(path)
        raise JobError(
            "This site has no adaptation to go on with.",
            remedy="Run the command without --resume.",
            path=self.site,
        )


def _ended(result: dict[str, Any]) -> int:
    """The exit code of an adaptation that came to its end."""
    return console.SOME_FAILED if result["skipped"] else console.OK


def _unjudged(info: BundleInfo) -> str:
    """What is said of a training where nothing is corrected."""
    words = "Nothing is corrected, and nothing can tell whether a training does harm"
    if info.preprocessing.seek_pose:
        return f"{words}: correct a few slices first if you can."
    return f"{words}: --method {WITHOUT_CORRECTIONS} trains nothing, and takes seconds."


@contextmanager
def told() -> Iterator[Any]:
    """A listener that shows a job's events as bars and lines."""
    with console.StepBar("preparing") as steps:

        def listen(event: JobEvent) -> None:
            if event.type == "progress" and event.step is not None and event.total:
                steps.report(event.step, event.total, event.losses)
            elif event.type == "message":
                steps.rename(event.phase or "working")
                console.say(event.message or "")
            elif event.type in ("warning", "error"):
                scan = f"Scan {event.scan_id}: " if event.scan_id else ""
                words = " ".join(filter(None, (event.message, event.remedy)))
                console.warn(f"{scan}{words}")

        yield listen


def caution(site: Workspace, bundle_id: str) -> None:
    """Print what a person should know of a site before adapting, as the dock does.

    Scans go by their identifiers: what is printed may end in a log.
    """
    from dgseg.site.concerns import concerns
    from dgseg.site.known import know_scan

    known = [
        know_scan(site, record.scan_id, f"scan {record.scan_id}", bundle_id)
        for record in site.records
    ]
    for concern in concerns(known, site.schema.names):
        console.warn(concern.sentence)
    n_new = sum(not site.has_proposal(scan.scan_id, bundle_id) for scan in known)
    if n_new:
        console.say(
            f"{n_new} of {len(known)} scans are not segmented by this model yet: whether it "
            "knows such scans, and whether corrections contradict each other, is told of the "
            "others only."
        )


def show(result: dict[str, Any]) -> None:
    """Print the Dice on the slices that judged, and the verdict."""
    rows = [
        [
            f"{row['scan_id']} slice {row['slice']}",
            name,
            _dice(row["before"].get(name)),
            _dice(row["after"].get(name)),
        ]
        for row in result["holdout"]
        for name in row["after"]
    ]
    if rows:
        console.say(console.table(["judged by", "structure", "before", "after"], rows))
    verdict = result["verdict"]
    console.say(f"{verdict['colour'].upper()}: {verdict['sentence']}")


def accept(site_path: Path, folder: JobFolder, result: dict[str, Any]) -> None:
    """Make a job's candidate the accepted bundle of its site."""
    from dgseg.jobs.decision import accept_candidate, note_decision
    from dgseg.site.workspace import Workspace

    with Workspace.open(site_path) as site:
        info = accept_candidate(site, folder, result["verdict"])
    note_decision(folder, "accepted")
    console.say(f"Accepted {info.name} {info.bundle_id}.")


def _whole(source: str) -> str:
    """The path of a folder from the root; the name of a data set as it is."""
    from dgseg.datasets.registry import DATASETS

    return source if source in DATASETS else str(Path(source).resolve())


def _dice(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

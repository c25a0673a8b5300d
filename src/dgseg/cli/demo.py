"""``dgseg demo``: the whole loop on a synthetic new centre, without a screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgseg.adaptation.config import AdaptConfig
from dgseg.cli import console
from dgseg.cli.adapt import show, told
from dgseg.errors import WorkspaceError

if TYPE_CHECKING:
    from dgseg.scans.annotated import AnnotatedScan
    from dgseg.site.suggest import Suggestion
    from dgseg.site.workspace import Workspace


@dataclass(frozen=True)
class Demo:
    """Segment a new centre, correct a few slices, adapt, and measure what it brought.

    The centre is synthetic, so its true labels are known: the corrections are
    taken from them, and Dice before and after is measured on all other slices.
    """

    out: Path
    """Folder for the site, the scans, the labels and the report; new or empty."""
    scans: int = 5
    """Number of scans of the centre."""
    corrections: int = 3
    """Number of slices to correct, each where it is worth most."""
    minutes: float = 2.0
    """Time for training."""
    seed: int = 7
    """Of the centre and of the training."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.bundles.bundle import default_bundle
        from dgseg.evaluation.session import write_session
        from dgseg.site.workspace import Workspace

        if self.out.exists() and any(self.out.iterdir()):
            raise WorkspaceError(
                "The folder is not empty.", remedy="Choose a new one.", path=self.out
            )
        with Workspace.open(self.out / "site", name="demo", bundle=default_bundle()) as site:
            truths = self._scan(site)
            _segment(site, site.accepted)
            self._correct(site, truths)
            result = self._adapt(site)
            if result is None:
                return console.FAILED
            show(result)
            site.accept(site.job_folders()[0] / result["bundle"], result["verdict"])
            _segment(site, site.accepted)
            scores = write_session(
                self.out, site, truths, result, title="A session at a synthetic new centre"
            )
            self._export(site, truths)
        for where, untouched in (("slices nobody corrected", False), ("untouched scans", True)):
            mean = scores.mean(untouched_only=untouched)
            if mean is not None:
                console.say(f"Dice on {where}: {mean[0]:.3f} before, {mean[1]:.3f} after")
        console.say(f"Adapted in {result['seconds']:.0f} s. The report: {self.out}/report.html")
        return console.OK

    def _scan(self, site: Workspace) -> dict[str, AnnotatedScan]:
        from dgseg.scans.sources import discover, read
        from dgseg.scans.synthetic.site import NEW_CENTRE, make_site, write_site

        made = make_site("cord", NEW_CENTRE["cord"], self.scans, self.seed)
        truths = {}
        for path, truth in zip(write_site(self.out / "scans", made), made, strict=True):
            source = discover(path)[0].source
            if source is None:
                raise WorkspaceError("A scan that was just written cannot be found.", path=path)
            truths[site.add(read(source)).scan_id] = truth
        console.say(f"{len(truths)} scans of a centre that the model has never seen")
        return truths

    def _correct(self, site: Workspace, truths: Mapping[str, AnnotatedScan]) -> None:
        from dgseg.site.pool import pool_of
        from dgseg.site.suggest import suggest_slice
        from dgseg.site.survey import survey_scan

        bundle_id = site.accepted_info.bundle_id
        # The first scans only, so that others remain that nobody has touched.
        chosen = list(truths)[: max(1, min(2, len(truths) - 1))]
        known = (survey_scan(site, scan_id, bundle_id) for scan_id in chosen)
        pool = pool_of([scan for scan in known if scan is not None])
        for _ in range(self.corrections):
            done = {scan_id: site.corrections(scan_id).slices for scan_id in chosen}
            advice = suggest_slice(pool, done, site.schema.names)
            if advice is None:
                break
            self._correct_slice(site, truths[advice.scan_id], advice, bundle_id)
            console.say(f"{advice.scan_id}, slice {advice.slice}: {advice.reason} Corrected.")
        site.flush()

    @staticmethod
    def _correct_slice(
        site: Workspace, truth: AnnotatedScan, advice: Suggestion, bundle_id: str
    ) -> None:
        corrections = site.corrections(advice.scan_id)
        proposal = site.read_proposal(advice.scan_id, bundle_id)
        if proposal is None or truth.labels is None:
            return
        if not corrections.started:
            corrections.start(proposal.labels, bundle_id)
        corrections.record(advice.slice, truth.labels[advice.slice], "changed")

    def _adapt(self, site: Workspace) -> dict[str, Any] | None:
        from dgseg.jobs.folder import JobFolder
        from dgseg.jobs.runner import run_job
        from dgseg.jobs.spec import AdaptJob

        config = AdaptConfig(minutes=self.minutes, seed=self.seed, holdout_every=3)
        spec = AdaptJob(site=site.path, bundle=site.accepted, config=config)
        folder = JobFolder.create(site.new_job_folder("adapt"), spec)
        with told() as listener:
            run_job(folder.path, listener=listener)
        return folder.result

    def _export(self, site: Workspace, truths: Mapping[str, AnnotatedScan]) -> None:
        from dgseg.scans.export import export_labels

        info = site.accepted_info
        for scan_id in truths:
            proposal = site.read_proposal(scan_id, info.bundle_id)
            if proposal is not None:
                export_labels(
                    proposal.labels,
                    site.read_scan(scan_id),
                    site.schema,
                    self.out / "labels",
                    name=scan_id,
                    model_name=info.name,
                    model_version=info.bundle_id,
                )


def _segment(site: Workspace, bundle: Path) -> None:
    from dgseg.inference.segmenter import Segmenter
    from dgseg.site.proposals import write_proposal

    segmenter = Segmenter(bundle)
    with console.bar(len(site.records), "segmenting") as bar:
        for record in site.records:
            done = segmenter.segment(site.read_scan(record.scan_id))
            bundle_id = segmenter.info.bundle_id
            folder = site.proposal_folder(record.scan_id, bundle_id)
            write_proposal(folder, done.proposal(bundle_id))
            bar.update()

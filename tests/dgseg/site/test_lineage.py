"""Accepting bundles and going back."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable

import numpy as np
import pytest

from dgseg.bundles.bundle import BundleInfo, read_info, write_bundle
from dgseg.errors import BundleError, WorkspaceWriteError
from dgseg.scans.schema import CARDIAC
from dgseg.site.workspace import Workspace

VERDICT = {
    "colour": "green",
    "accept": True,
    "sentence": "Better on 5 of 6 slices.",
    "numbers": {"dice_before": np.float32(0.5), "dice_after": 0.75, "scores": np.arange(2)},
}


def identifier(bundle) -> str:
    return read_info(bundle).bundle_id


def test_a_candidate_is_copied_and_remembered(site, open_site, make_bundle):
    first = site.accepted_info.bundle_id
    candidate = make_bundle(parent_id=first)

    info = site.accept(candidate, VERDICT)
    shutil.rmtree(candidate)
    site.close()

    again = open_site()
    assert again.accepted_info == info
    entry = again.history[-1]
    assert (entry.bundle_id, entry.parent_id, entry.action) == (
        info.bundle_id,
        first,
        "accepted",
    )
    assert entry.note == VERDICT["sentence"]
    assert entry.numbers == {"dice_before": 0.5, "dice_after": 0.75, "scores": [0, 1]}
    assert json.loads((site.path / "site.json").read_text())["accepted"] == info.bundle_id


def test_every_accepted_one_can_be_gone_back_to(site, open_site, make_bundle):
    first = site.accepted_info.bundle_id
    second = site.accept(make_bundle(), VERDICT).bundle_id
    third = site.accept(make_bundle(), VERDICT).bundle_id

    for wanted in (first, third, second):
        assert site.roll_back(wanted).bundle_id == wanted
        assert site.accepted_info.bundle_id == wanted
    site.roll_back(second)
    site.close()

    again = open_site()
    assert again.accepted_info.bundle_id == second
    actions = [entry.action for entry in again.history]
    assert actions == ["initial", *["accepted"] * 2, *["rolled-back"] * 3]
    assert third in again.history[-1].note


def test_one_that_was_never_accepted_cannot(site, make_bundle):
    with pytest.raises(BundleError, match="never accepted"):
        site.roll_back(identifier(make_bundle()))


def test_other_structures_are_refused(site, make_bundle):
    before = site.accepted
    with pytest.raises(BundleError, match="left ventricle"):
        site.accept(make_bundle(CARDIAC), VERDICT)
    assert site.accepted == before
    assert len(site.history) == 1


def test_an_altered_candidate_is_refused(site, make_bundle):
    candidate = make_bundle()
    weights = candidate / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])

    with pytest.raises(BundleError, match="truncated or altered"):
        site.accept(candidate, VERDICT)
    assert len(list((site.path / "bundles").iterdir())) == 1


def test_the_same_candidate_twice_is_one_copy(site, make_bundle):
    candidate = make_bundle()
    site.accept(candidate, VERDICT)
    site.accept(candidate, VERDICT)

    assert len(list((site.path / "bundles").iterdir())) == 2
    assert len(site.history) == 3


def test_a_damaged_copy_is_replaced_and_kept(site, make_bundle):
    candidate = make_bundle()
    site.accept(candidate, VERDICT)
    (site.accepted / "bundle.json").write_text("{")
    with pytest.raises(BundleError):
        site.accepted_info  # noqa: B018

    site.accept(candidate, VERDICT)

    assert site.accepted_info == read_info(candidate)
    assert len(list((site.path / "bundles").glob("damaged-*"))) == 1


def test_another_model_of_the_same_name_is_refused(site, make_bundle, tmp_path):
    import torch

    info = read_info(site.accepted)
    write_bundle(tmp_path / "forged", BundleInfo(**info.model_dump()), {"w": torch.zeros(3)})

    with pytest.raises(BundleError, match="already has another model"):
        site.accept(tmp_path / "forged", VERDICT)
    assert site.accepted_info == info


def test_an_installed_bundle_may_be_read_only(site, make_bundle):
    candidate = make_bundle()
    for path in [*candidate.iterdir(), candidate]:
        path.chmod(path.stat().st_mode & ~0o222)

    site.accept(candidate, VERDICT)

    assert (site.accepted / "bundle.json").stat().st_mode & 0o200
    candidate.chmod(0o755)


class Steps:
    """Counts the calls that make a change last, and ends things at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last: int, end: Callable[[], None]):
        self.reached = 0
        for name in ("fsync", "replace", "rename"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name), last, end))

    def _counted(self, call, last: int, end: Callable[[], None]):
        def counted(*args, **options):
            self.reached += 1
            if self.reached >= last:
                end()
            return call(*args, **options)

        return counted


N_STEPS = 13
"""As many steps as there are in accepting a bundle; the first test below holds it to that."""


def require_whole(again: Workspace, old: BundleInfo, new: BundleInfo) -> None:
    """Either bundle may be the accepted one, but it is there, and known as such."""
    assert again.accepted_info in (old, new)
    assert again.history[-1].bundle_id == again.accepted_info.bundle_id
    content = json.loads((again.path / "site.json").read_text())
    assert content["accepted"] == again.accepted_info.bundle_id
    assert not list(again.path.rglob(".*"))


def test_all_steps_are_tried_below(site, make_bundle, monkeypatch):
    candidate = make_bundle()
    steps = Steps(monkeypatch, last=1000, end=lambda: None)
    site.accept(candidate, VERDICT)
    assert steps.reached == N_STEPS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("step", range(1, N_STEPS + 1))
def test_killed_at_any_step_the_site_is_whole(site, open_site, make_bundle, monkeypatch, step):
    old = site.accepted_info
    new = read_info(candidate := make_bundle())
    child = os.fork()
    if not child:
        Steps(monkeypatch, step, end=lambda: os._exit(9))
        site.accept(candidate, VERDICT)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    site.close()

    again = open_site()

    require_whole(again, old, new)
    again.accept(candidate, VERDICT)
    assert again.accepted_info == new


@pytest.mark.parametrize("step", range(1, N_STEPS + 1))
def test_full_at_any_step_the_site_is_whole(site, open_site, make_bundle, monkeypatch, step):
    old = site.accepted_info
    new = read_info(candidate := make_bundle())

    def refuse() -> None:
        raise OSError(errno.ENOSPC, "full")

    Steps(monkeypatch, step, refuse)
    try:
        site.accept(candidate, VERDICT)
        accepted = True
    except WorkspaceWriteError:
        accepted = False
    monkeypatch.undo()

    assert site.accepted_info == (new if accepted else old)
    assert len(site.history) == 1 + accepted
    site.close()
    again = open_site()
    require_whole(again, old, new)
    if accepted:
        assert again.accepted_info == new


def test_a_view_follows_the_history(site, make_bundle):
    info = site.accept(make_bundle(), VERDICT)
    file = site.path / "site.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"accepted": site.history[0].bundle_id}))

    assert Workspace.read_only_view(site.path).accepted_info == info


@pytest.mark.parametrize("content", ["", "not json\n", None])
def test_a_damaged_history_leaves_the_accepted_bundle(site, open_site, make_bundle, content):
    info = site.accept(make_bundle(), VERDICT)
    site.close()
    file = site.path / "history.jsonl"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)

    again = open_site()

    assert again.accepted_info == info
    other = again.accept(make_bundle(), VERDICT)
    again.close()
    assert open_site().accepted_info == other


def test_a_refused_one_is_remembered_and_changes_nothing(site, open_site, make_bundle):
    second = site.accept(make_bundle(), VERDICT)
    site.refuse({"sentence": "Worse.", "numbers": {"n_corrected": 3}})
    assert site.accepted_info == second
    site.close()

    again = open_site()
    assert again.accepted_info == second
    entry = again.history[-1]
    assert (entry.action, entry.note, entry.bundle_id, entry.parent_id) == (
        "refused",
        "Worse.",
        second.bundle_id,
        None,
    )
    assert entry.numbers == {"n_corrected": 3}
    first = again.history[0].bundle_id
    again.roll_back(first)
    assert again.accepted_info.bundle_id == first


def test_a_verdict_without_words_can_be_refused(site):
    site.refuse({})
    assert (site.history[-1].note, site.history[-1].numbers) == ("", {})


def test_a_program_that_knows_no_refusal_keeps_the_accepted_one(site, open_site, make_bundle):
    accepted = site.accept(make_bundle(), VERDICT)
    site.refuse(VERDICT)
    site.close()
    path = site.path / "history.jsonl"
    # What an action looks like that this program does not know.
    path.write_text(path.read_text().replace('"refused"', '"from-the-future"'))
    again = open_site()
    assert again.accepted_info == accepted
    assert [entry.action for entry in again.history] == ["initial", "accepted"]


def test_a_disk_that_refuses_a_refusal_says_so(site, refuse_fsync):
    before = site.history
    refuse_fsync()
    with pytest.raises(WorkspaceWriteError):
        site.refuse(VERDICT)
    assert site.history == before

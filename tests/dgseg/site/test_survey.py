"""What a site's proposals tell of its slices."""

from __future__ import annotations

import numpy as np

from dgseg.site.pool import pool_of
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.suggest import suggest_slice
from dgseg.site.survey import previous_bundle, survey_scan, survey_stamp
from dgseg.site.traits import measure_traits


def _labels(scan, shift=0):
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[:, 4 + shift : 12 + shift, 4:12] = 2
    labels[:, 6 + shift : 9 + shift, 6:9] = 1
    return labels


def _propose(site, scan, bundle_id="", *, shift=0, look=None):
    bundle_id = bundle_id or site.accepted_info.bundle_id
    labels = _labels(scan, shift)
    uncertainty = np.zeros_like(labels)
    uncertainty[3, 6:9, 6:9] = 200
    traits = None if look is None else measure_traits(labels, uncertainty, 2, look)
    certain = np.array([0.1, 0.2, 0.1, 0.5, 0.1], np.float32)
    proposal = Proposal(labels, uncertainty, certain, bundle_id, traits)
    write_proposal(site.proposal_folder(scan.scan_id, bundle_id), proposal)


def test_a_scan_without_a_proposal_is_none(site, make_scan):
    scan = make_scan()
    site.add(scan)
    assert survey_scan(site, scan.scan_id, site.accepted_info.bundle_id) is None


def test_an_older_proposal_is_measured_by_its_labels(site, make_scan):
    scan = make_scan()
    site.add(scan)
    _propose(site, scan)
    found = survey_scan(site, scan.scan_id, site.accepted_info.bundle_id)
    assert found.traits.look.shape == (5, 0)
    assert np.nanargmax(found.traits.by_structure[3]) == 0
    assert found.disagreement is None
    done = {scan.scan_id: {0, 1, 4}}
    advice = suggest_slice(pool_of([found]), done, site.schema.names)
    assert (advice.scan_id, advice.slice) == (scan.scan_id, 3)
    assert "around the grey matter" in advice.reason


def test_what_the_model_noted_is_used(site, make_scan):
    scan = make_scan()
    site.add(scan)
    _propose(site, scan, look=np.eye(5))
    found = survey_scan(site, scan.scan_id, site.accepted_info.bundle_id)
    np.testing.assert_array_equal(found.traits.look, np.eye(5))


def test_the_model_before_disagrees(site, make_scan, make_bundle):
    scan = make_scan()
    site.add(scan)
    assert previous_bundle(site) == ""
    old = site.accepted_info.bundle_id
    _propose(site, scan)
    site.accept(make_bundle(), {})
    new = site.accepted_info.bundle_id
    assert previous_bundle(site) == old
    _propose(site, scan, shift=2)
    found = survey_scan(site, scan.scan_id, new, old)
    assert (found.disagreement > 0.2).all()
    assert survey_scan(site, scan.scan_id, new, "f" * 12).disagreement is None
    site.roll_back(old)
    assert previous_bundle(site) == new


def test_the_stamp_tells_a_new_proposal_of_either_model(site, make_scan):
    scan = make_scan()
    site.add(scan)
    here, before = site.accepted_info.bundle_id, "f" * 12
    stamps = [survey_stamp(site, scan.scan_id, here, before)]
    for bundle_id in (here, before):
        _propose(site, scan, bundle_id)
        stamps.append(survey_stamp(site, scan.scan_id, here, before))
    assert len(set(stamps)) == 3
    assert survey_stamp(site, scan.scan_id, here, before) == stamps[-1]

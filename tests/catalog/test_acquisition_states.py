from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from domain_rows import ACTOR, NOW, WAYS, make_acquisition, make_enabled, make_site
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisition_states import ALLOWED, AcquisitionState, transition
from s4c_lib.catalog.acquisitions import events, get_acquisition
from s4c_lib.errors import TransitionError

PAIRS = list(itertools.product(AcquisitionState, AcquisitionState))
_numbers = itertools.count()


def test_every_state_has_rules_and_can_be_reached_and_left() -> None:
    assert set(ALLOWED) == set(AcquisitionState) == {AcquisitionState(name) for name in WAYS}
    reachable = {after for allowed in ALLOWED.values() for after in allowed}
    assert reachable == set(AcquisitionState) - {AcquisitionState.DISCOVERED}
    assert all(ALLOWED.values())


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_each_change_is_done_with_its_event_or_refused_without(
    connection: Connection, before: AcquisitionState, after: AcquisitionState
) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state=before)
    earlier = len(events(connection, number))
    if after in ALLOWED[before]:
        transition(connection, [number], after, actor="somebody", reason="because")
        assert get_acquisition(connection, number).state is after
        assert get_acquisition(connection, number).reason_code == "because"
        *_, last = events(connection, number)
        assert (last.from_state, last.to_state, last.actor, last.reason) == (before, after, "somebody", "because")
        assert len(events(connection, number)) == earlier + 1
    else:
        with pytest.raises(TransitionError, match=f"from {before} to {after}"):
            transition(connection, [number], after, actor=ACTOR)
        assert get_acquisition(connection, number).state is before
        assert len(events(connection, number)) == earlier


def test_several_change_together_or_not_at_all(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    queued = make_acquisition(connection, site, "ONE", state="queued")
    ignored = make_acquisition(connection, site, "TWO", state="ignored")
    with pytest.raises(TransitionError):
        transition(connection, [queued, ignored], AcquisitionState.DOWNLOADING, actor=ACTOR)
    with pytest.raises(TransitionError, match="does not exist"):
        transition(connection, [queued, 10**9], AcquisitionState.IGNORED, actor=ACTOR)
    assert get_acquisition(connection, queued).state is AcquisitionState.QUEUED
    transition(connection, [], AcquisitionState.IGNORED, actor=ACTOR)


def test_a_change_clears_what_belonged_to_the_state_before(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="downloading")
    due = NOW + timedelta(hours=2)
    transition(
        connection, [number], AcquisitionState.FAILED, actor=ACTOR, reason="storage", error="gone", next_attempt_at=due
    )
    failed = get_acquisition(connection, number)
    assert (failed.last_error, failed.next_attempt_at, failed.reason_code) == ("gone", due, "storage")
    lease = connection.execute(text("SELECT lease_owner, lease_until FROM s4c.acquisition")).one()
    assert tuple(lease) == (None, None)
    transition(connection, [number], AcquisitionState.QUEUED, actor=ACTOR)
    again = get_acquisition(connection, number)
    assert (again.last_error, again.next_attempt_at, again.reason_code) == (None, None, None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(st.sampled_from(AcquisitionState), min_size=1, max_size=25))
def test_no_walk_leaves_the_rules_and_history_tells_all_of_it(
    connection: Connection, wishes: list[AcquisitionState]
) -> None:
    site = make_site(connection, f"Walk{next(_numbers)}")
    number = make_acquisition(connection, site, f"WALK{next(_numbers)}")
    walked = [AcquisitionState.DISCOVERED]
    for wish in wishes:
        try:
            transition(connection, [number], wish, actor=ACTOR)
        except TransitionError:
            assert wish not in ALLOWED[walked[-1]]
        else:
            assert wish in ALLOWED[walked[-1]]
            walked.append(wish)
    assert get_acquisition(connection, number).state is walked[-1]
    assert [event.to_state for event in events(connection, number)] == walked
    assert [event.from_state for event in events(connection, number)] == [None, *walked[:-1]]

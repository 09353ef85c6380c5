"""Edits never change the past, and whoever has the turn keeps it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oncall.definition import Definition, Layer, who
from oncall.generations import Generation, follow, plan, settled
from oncall.rotation import Rotation, Unit, whose
from tests.oncall.strategies import NEAR, layers

NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)
BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
WEEKLY = Rotation(UTC_ZONE, Unit.WEEK, 1, datetime.fromisoformat("2024-04-29T09:00"))  # turn 2 began on 13 May


def _layer(*users: str | None, rotation: Rotation = WEEKLY, **more: object) -> Layer:
    return replace(Layer(users, rotation), **more)  # type: ignore[arg-type]


def _standing(*found: Layer, lines: Sequence[int] | None = None) -> list[Generation]:
    return [Generation(n, UUID(int=lines[n] if lines else n), layer) for n, layer in enumerate(found)]


def _after(standing: list[Generation], wanted: Sequence[Layer], now: datetime = NOW) -> list[Generation]:
    """Return the generations as the rows would be after the edit."""
    steps = plan(standing, wanted, now)
    kept = [
        replace(one, layer=replace(one.layer, effective_until=steps.ended.get(one.key, one.layer.effective_until)))
        for one in standing
        if one.key not in steps.removed
    ]
    added = [
        Generation(100 + n + len(standing), line or UUID(int=100 + n), layer)
        for n, (line, layer) in enumerate(steps.added)
    ]
    return sorted([*kept, *added], key=lambda one: (one.layer.position, one.layer.begins))


def _live(found: list[Generation], now: datetime) -> list[Generation]:
    return [one for one in found if one.layer.effective_until is None or one.layer.effective_until > now]


def _users(found: list[Generation], *days: int) -> list[str | None]:
    schedule = Definition(tuple(one.layer for one in found))
    return [who(schedule, NOW + day * DAY)[0] for day in days]


def test_the_person_on_call_keeps_the_turn_when_the_list_changes() -> None:
    before = _standing(_layer("alice", "bob", "carol"))
    assert _users(before, 0) == ["carol"]
    after = _after(before, [_layer("dave", "carol", "alice")])
    assert _users(after, -7, 0, 7, 14) == ["bob", "carol", "alice", "dave"]
    assert [one.layer.begins for one in after] == [before[0].layer.begins, NOW]
    assert after[1].layer.rotation.anchor == datetime.fromisoformat(
        "2024-05-13T09:00"
    )  # the wall start of the present turn
    assert after[1].layer.users[0] == "carol"


def test_if_that_person_has_gone_the_first_begins_at_once() -> None:
    after = _after(_standing(_layer("alice", "bob", "carol")), [_layer("dave", "alice")])
    assert _users(after, -0.001, 0, 7) == ["carol", "dave", "alice"]  # type: ignore[arg-type]


def test_a_changed_zone_is_a_new_generation_with_the_same_wall_times() -> None:
    moved = replace(WEEKLY, zone=BERLIN)
    after = _after(_standing(_layer("alice", "bob")), [_layer("alice", "bob", rotation=moved)])
    new = after[1].layer
    assert (new.rotation.zone, new.rotation.anchor.time().hour) == (BERLIN, 9)
    assert _users(after, 0) == ["alice"]
    assert new.rotation.boundary(1) == datetime(2024, 5, 20, 7, tzinfo=UTC)


def test_a_changed_handoff_hour_is_kept_from_now_on() -> None:
    later = replace(WEEKLY, anchor=datetime.fromisoformat("2024-04-29T14:00"))
    after = _after(_standing(_layer("alice", "bob", "carol")), [_layer("alice", "bob", "carol", rotation=later)])
    assert after[1].layer.rotation.anchor == datetime.fromisoformat("2024-05-13T14:00")
    assert _users(after, 0, 5.05, 5.1) == ["carol", "carol", "alice"]  # type: ignore[arg-type]


def test_an_anchor_to_come_is_a_change_to_come() -> None:
    monday = replace(WEEKLY, anchor=datetime.fromisoformat("2024-05-20T09:00"))
    after = _after(_standing(_layer("alice", "bob")), [_layer("dave", "erin", rotation=monday)])
    assert _users(after, 0, 4, 5, 12) == ["alice", "alice", "dave", "erin"]
    assert plan(_live(after, NOW), [one.layer for one in after], NOW).empty
    assert plan(_live(after, NOW), [_layer("dave", "erin", rotation=monday)], NOW).empty  # the same document again


def test_until_a_change_to_come_the_order_is_already_the_new_one() -> None:
    monday = replace(WEEKLY, anchor=datetime.fromisoformat("2024-05-20T09:00"))
    wanted = [_layer("dave", name="new"), _layer("erin", rotation=monday, name="a")]
    after = _after(_standing(_layer("alice", name="a")), wanted)
    assert _users(after, -1, 0, 5) == ["alice", "alice", "erin"]  # dave is below from the beginning
    assert plan(_live(after, NOW), [one.layer for one in _live(after, NOW)], NOW).empty
    assert plan(_live(after, NOW), wanted, NOW).empty
    more = [_layer("frank", name="lowest"), *wanted]
    assert _users(_after(_live(after, NOW), more), 0, 5) == ["alice", "erin"]


def test_a_removed_layer_ends_now_and_one_to_come_goes() -> None:
    standing = _standing(_layer("alice"), _layer("bob", effective_from=NOW + DAY, position=1))
    steps = plan(standing, [], NOW)
    assert (steps.ended, steps.removed, steps.added) == ({0: NOW}, [1], [])


def test_a_new_layer_counts_from_now_on() -> None:
    after = _after(_standing(_layer("alice")), [_layer("alice"), _layer("bob")])
    assert _users(after, -1, 0) == ["alice", "bob"]


def test_layers_change_places_from_now_on() -> None:
    standing = _standing(_layer("alice", name="a"), _layer("bob", name="b", position=1))
    after = _after(standing, [_layer("bob", name="b"), _layer("alice", name="a")])
    assert _users(after, -1, 0, 7) == ["bob", "alice", "alice"]


def test_a_layer_that_is_over_is_not_begun_again() -> None:
    assert plan([], [_layer("alice", effective_until=NOW)], NOW).empty


def test_the_31st_is_not_lost_by_an_edit_in_a_short_month_r5() -> None:
    monthly = Rotation(UTC_ZONE, Unit.MONTH, 1, datetime.fromisoformat("2024-01-31T00:00"))
    now = datetime(2024, 3, 10, tzinfo=UTC)  # the turn began on 29 February
    new = follow(_layer("alice", "bob", rotation=monthly), _layer("alice", "bob", "carol", rotation=monthly), now)
    assert whose(new.users, new.rotation.turn_at(now)) == "bob"
    assert new.rotation.boundary(new.rotation.turn_at(now) + 1) == datetime(2024, 3, 31, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, 7, 14, 20])
def test_a_person_with_two_turns_keeps_the_right_one(days: int) -> None:
    standing = _standing(_layer("alice", "bob", "alice", "carol"))
    assert plan(standing, [_layer("alice", "bob", "alice", "carol")], NOW + days * DAY).empty


@given(st.lists(layers(), max_size=3), st.lists(layers(), max_size=3), NEAR, st.lists(NEAR, min_size=5, max_size=5))
@settings(max_examples=150, deadline=None)
def test_an_edit_changes_no_answer_before_it(
    old: list[Layer], wanted: list[Layer], now: datetime, instants: list[datetime]
) -> None:
    standing = _standing(*(replace(one, position=place) for place, one in enumerate(old)))
    live, over = _live(standing, now), [one for one in standing if one not in _live(standing, now)]
    before = Definition(tuple(one.layer for one in standing))
    rows = sorted([*over, *_after(live, wanted, now)], key=lambda one: one.layer.position)
    after = Definition(tuple(one.layer for one in rows))
    for at in [*instants, now - timedelta(seconds=1)]:
        if at < now:
            assert who(before, at) == who(after, at)


@given(layers(), layers(windows=False), NEAR)
@settings(max_examples=150, deadline=None)
def test_whoever_has_the_turn_keeps_it(old: Layer, new: Layer, now: datetime) -> None:
    holder = whose(old.users, old.rotation.turn_at(now))
    followed = follow(old, new, now)
    held = whose(followed.users, followed.rotation.turn_at(now))
    assert held == (holder if holder in new.users else new.users[0])
    assert sorted(followed.users, key=str) == sorted(new.users, key=str)
    k, j = new.rotation.turn_at(now), followed.rotation.turn_at(now)
    for n in range(6):  # hands over when the new rotation does
        assert followed.rotation.boundary(j + n) == new.rotation.boundary(k + n)


@given(st.lists(layers(), max_size=3), st.lists(layers(), max_size=3), NEAR)
@settings(max_examples=150, deadline=None)
def test_saving_the_same_again_changes_nothing(old: list[Layer], wanted: list[Layer], now: datetime) -> None:
    live = _live(_standing(*(replace(one, position=place) for place, one in enumerate(old))), now)
    after = _live(_after(live, wanted, now), now)
    for later in (now, now + timedelta(hours=1)):
        standing = _live(after, later)
        assert plan(standing, [one.layer for one in standing], later).empty  # what is written is what is read


@given(layers(), NEAR)
@settings(max_examples=200, deadline=None)
def test_a_settled_layer_means_the_same(layer: Layer, now: datetime) -> None:
    assume(layer.counts_at(now))
    same = settled(replace(layer, effective_from=layer.begins), now)
    for days in (0, 1, 10, 100):
        assert same.holder(now + days * DAY) == layer.holder(now + days * DAY)


@given(st.lists(layers(), max_size=3), st.lists(layers(), max_size=3), NEAR, st.sampled_from([0, 1, 30, 3000]))
@settings(max_examples=200, deadline=None)
def test_the_same_document_again_is_no_edit(old: list[Layer], wanted: list[Layer], now: datetime, hours: int) -> None:
    live = _live(_standing(*(replace(one, position=place) for place, one in enumerate(old))), now)
    later = now + timedelta(hours=hours)
    after = _live(_after(live, wanted, now), later)
    assert plan(after, wanted, later).empty

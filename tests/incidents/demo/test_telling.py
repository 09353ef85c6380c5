"""What went wrong in three months, and how it went: believable, the same each time, never in the future."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from incidents.demo.faults import FAULTS
from incidents.demo.people import INES, KENJI, MARA
from incidents.demo.story import Step, Story, World
from incidents.demo.telling import tell
from incidents.demo.troubles import DAYS, OPEN, UNTOLD, WAITING, Trouble, troubles
from incidents.models import Severity

NOW = datetime(2026, 11, 21, 16, 20, tzinfo=UTC)
WORLD = World(
    urgency=lambda severity: str(Severity(severity).urgency),
    policy_of=lambda source: "all",
    steps={
        "all": (
            Step("the schedule", 5, lambda at: None if at.day == 24 else MARA),
            Step("Kenji Watanabe", 10, lambda _: KENJI),
            Step("Inês Carvalho", 15, lambda _: INES),
        )
    },
    hears=lambda source, severity: ("webhook storefront",) if severity == "critical" else (),
)


def told() -> list[Story]:
    return [tell(trouble, WORLD, NOW) for trouble in troubles(NOW)]


def test_the_same_instant_gives_the_same_history() -> None:
    assert told() == told()


@pytest.mark.parametrize("hours", range(0, 24 * 8, 7))
def test_at_whatever_hour_it_is_run_the_past_is_over_and_the_open_ones_are_few(hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    stories = [tell(trouble, WORLD, now) for trouble in troubles(now)]
    assert len(stories) > 300
    assert len({story.trouble.name for story in stories}) == len(stories)
    assert [story for story in stories if story.closed_at is None] == stories[-len(OPEN) :]
    for story in stories:
        assert now - timedelta(days=DAYS) <= story.trouble.opened_at < now
        times = [line.at for line in story.lines]
        assert times == sorted(times)
        assert story.trouble.opened_at == times[0] <= times[-1] <= now
        assert all(one.settled_at <= now for one in story.sendings)


def test_one_subject_is_never_open_twice() -> None:
    ends: dict[tuple[str, str], datetime] = {}
    for story in told():
        key = (story.trouble.fault.source, story.trouble.key)
        assert ends.get(key, story.trouble.opened_at) <= story.trouble.opened_at, story.trouble.title
        ends[key] = story.closed_at or NOW


def test_it_is_loud_by_day_quieter_by_night_and_three_times_a_storm() -> None:
    opened = [trouble.opened_at for trouble in troubles(NOW)]
    hours = Counter(at.hour for at in opened)
    assert sum(hours[hour] for hour in range(7, 18)) > 1.5 * sum(hours[hour] for hour in (*range(19, 24), *range(6)))
    within_seven_minutes = [sum(at <= other <= at + timedelta(minutes=7) for other in opened) for at in opened]
    assert sum(count >= 8 for count in within_seven_minutes) >= 3
    storms = {trouble.behind for trouble in troubles(NOW)} - {""}
    assert len(storms) == 3


def test_an_acknowledgement_cancels_what_has_not_left_and_nobody_is_paged_after_it() -> None:
    answered = [story for story in told() if story.answered_at]
    assert len(answered) > 150
    for story in answered:
        assert story.answered_at is not None
        for one in story.sendings:
            if one.page:
                assert (one.state == "cancelled") == (one.due_at >= story.answered_at), story.trouble.title
    assert any(one.state == "cancelled" for story in answered for one in story.sendings)


def test_who_is_told_follows_the_policy() -> None:
    stories = [story for story in told() if story.urgency == "high"]
    climbed = [story for story in stories if len(story.taken) > 1]
    assert climbed
    for story in stories:
        first = story.taken[0]
        assert first.target == "the schedule"
        assert (first.person is None) == (first.at.day == 24)
        for before, after in zip(story.taken, story.taken[1:], strict=False):
            wait = {0: 5, 1: 10, 2: 15}[before.position] if before.person else 0
            assert after.at - before.at == timedelta(minutes=wait)


def test_low_urgency_takes_one_step_and_information_none() -> None:
    for story in told():
        if story.urgency == "low" and story.trouble.opened_at.day != 24:
            assert len(story.taken) == 1
        if not story.urgency:
            assert not story.taken
            assert story.told is None


def test_of_the_open_ones_one_waits_and_one_is_red() -> None:
    open_ones = {story.trouble.still: story for story in told() if story.closed_at is None}
    assert open_ones[WAITING].answered_at is None
    assert open_ones[WAITING].told is True
    assert open_ones[UNTOLD].told is False
    assert [line.kind for line in open_ones[UNTOLD].lines if line.kind == "untold"] == ["untold"]
    assert [one.state for one in open_ones[UNTOLD].sendings if one.page] == ["failed"]
    assert sum(story.answered_at is not None for story in open_ones.values()) == 2


def test_a_story_needs_only_its_trouble() -> None:
    at = NOW - timedelta(days=3)
    one = tell(Trouble("x", FAULTS[0], "web-1", at, dice=7), WORLD, NOW)
    assert one.lines[0].kind == "open"
    assert one.lines[0].at == at
    assert one.closed_at is not None
    assert at < one.closed_at <= at + timedelta(hours=10)

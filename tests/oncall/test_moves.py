"""What an edit moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from oncall.definition import Definition, Layer, Override
from oncall.moves import compare, holes
from oncall.rotation import Rotation, Unit

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
END = START + timedelta(days=28)
DAY = timedelta(days=1)


def weekly(*users: str | None) -> Definition:
    return Definition((Layer(users, Rotation(ZoneInfo("UTC"), Unit.WEEK, 1, datetime(2026, 11, 2, 9))),))  # noqa: DTZ001


def test_the_same_moves_nobody() -> None:
    assert compare(weekly("a", "b"), weekly("a", "b", "a", "b"), START, END).none


def test_a_new_person_takes_time_from_those_who_lose_it() -> None:
    moves = compare(weekly("a", "b"), weekly("a", "c"), START, END)
    assert moves.people == ("b", "c")
    assert moves.gaps == ()
    assert not moves.none


def test_a_gap_is_named_once_however_many_shifts_it_covers() -> None:
    before = weekly("a", "b")
    hole = Override("o", START + 5 * DAY, START + 9 * DAY, None)
    moves = compare(before, replace(before, overrides=(hole,)), START, END)
    assert moves.gaps == ((START + 5 * DAY, START + 9 * DAY),)
    assert moves.people == ("a", "b")


def test_time_that_was_empty_before_is_no_new_gap() -> None:
    assert compare(weekly("a", None), weekly("a", None), START, END).gaps == ()
    assert compare(weekly("a", None), weekly("b", None), START, END).gaps == ()


def test_holes_are_all_the_time_without_anybody() -> None:
    week = timedelta(days=7)
    assert holes(weekly("a", None), START, END) == ((START + week, START + 2 * week), (START + 3 * week, END))
    assert holes(weekly("a"), START, END) == ()
    assert holes(Definition(()), START, END) == ((START, END),)

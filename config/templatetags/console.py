"""What the console's templates speak with: times for people, states with a colour, severities with a shape."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from config import console

register = template.Library()

# One shape for each severity, so that nothing depends on colour: octagon, triangle, diamond, circle.
SHAPES = {
    "critical": '<path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z"/>',
    "error": '<path d="M8 1.2 15.4 14.6H.6z"/>',
    "warning": '<path d="M8 .8 15.2 8 8 15.2.8 8z"/>',
    "info": '<circle cx="8" cy="8" r="6.2"/>',
}
STATES = {"PENDING": "pending", "ACCEPTED": "accepted", "RESOLVED": "resolved"}
MARKS = {"good": "check_circle", "warn": "schedule", "bad": "error", "quiet": "remove"}
STEPS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def rough(length: timedelta) -> str:
    """Return a length of time at a glance: "40 s", "6 min", "3 h", "12 d"."""
    for unit, word in STEPS:
        if length >= unit:
            return f"{length // unit} {word}"
    return f"{max(length.seconds, 0)} s"


def told_apart(at: datetime, now: datetime) -> str:
    """Say an instant relative to now: "6 min ago", "in 4 min", "now"."""
    length = at - now
    if abs(length) < timedelta(seconds=1):
        return "now"
    return f"in {rough(length)}" if length > timedelta(0) else f"{rough(-length)} ago"


def precise(at: datetime) -> str:
    """Say an instant exactly, in the reader's zone, with its name."""
    local = timezone.localtime(at)
    return f"{date_format(local, 'D j M Y')}, {local:%H:%M:%S} {local.tzname()}"


def short(at: datetime, now: datetime) -> str:
    """Say the time of day, with the day if it is not today."""
    local, today = timezone.localtime(at), timezone.localtime(now).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    near = abs((local.date() - today).days) < 7
    return f"{date_format(local, 'D' if near else 'j M')} {local:%H:%M}"


def _time(at: datetime, words: str, kind: str) -> SafeString:
    return format_html(
        '<time class="time" datetime="{}" title="{}" data-time="{}">{}</time>', at.isoformat(), precise(at), kind, words
    )


def _now(context: Any) -> datetime:
    found = context.get("now")
    return found if isinstance(found, datetime) else timezone.now()


@register.simple_tag(takes_context=True)
def when(context: Any, at: datetime | None) -> str:
    """An instant as a person says it ("6 min ago"), kept right by the page; exact on hover or tap. None is a dash."""
    return "–" if at is None else _time(at, told_apart(at, _now(context)), "relative")


@register.simple_tag(takes_context=True)
def clock(context: Any, at: datetime | None) -> str:
    """The time of day in the reader's zone, with the day where it is another; exact on hover or tap."""
    return "–" if at is None else _time(at, short(at, _now(context)), "clock")


@register.simple_tag
def exact(at: datetime | None) -> str:
    """Date, time to the second and zone."""
    return "–" if at is None else _time(at, precise(at), "exact")


@register.simple_tag(takes_context=True)
def age(context: Any, since: datetime, until: datetime | None = None) -> SafeString:
    """For how long it has lasted ("6 min"), kept right by the page; a span that is over stands still."""
    words = rough(max((until or _now(context)) - since, timedelta(0)))
    return _time(since, words, "age" if until is None else "span")


@register.simple_tag
def pill(status: str, words: str = "") -> SafeString:
    """A state as a coloured word: PENDING red, ACCEPTED amber, RESOLVED green, anything else grey."""
    return format_html('<span class="pill pill-{}">{}</span>', STATES.get(status, "quiet"), words or status)


@register.simple_tag
def severity(word: str) -> SafeString:
    """A severity as a word with its shape."""
    shape = mark_safe(SHAPES.get(word, SHAPES["info"]))  # noqa: S308  # our own table above
    return format_html(
        '<span class="severity severity-{0}"><svg viewBox="0 0 16 16" aria-hidden="true">{1}</svg>{0}</span>',
        word,
        shape,
    )


@register.simple_tag
def mark(kind: str, words: str) -> SafeString:
    """What came of something, as a coloured word with a sign: good, warn, bad, quiet."""
    return format_html(
        '<span class="mark mark-{}"><span class="material-symbols-outlined" aria-hidden="true">{}</span>{}</span>',
        kind,
        MARKS.get(kind, MARKS["quiet"]),
        words,
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A sign of unfold's own icon font, hidden from screen readers: put a word beside it."""
    return format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', name)


@register.inclusion_tag("console/banners.html", takes_context=True)
def banners(context: Any) -> dict[str, Any]:
    """Render what stands across every page until it is mended."""
    user = context["request"].user
    return {"banners": console.banners(user) if user.is_authenticated else []}


@register.filter
def initials(name: object) -> str:
    """Return at most two letters for a face that has no picture."""
    words = str(name).split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:]) if word).upper()

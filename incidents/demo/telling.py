"""Pure: how one trouble went, second by second: steps taken, who was paged by what, who answered, how it ended.

It follows the rules of the engine (a step's wait, an acknowledgement that cancels what has not left, low urgency that
rests after its first step), so that the demo's record reads like a real one.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidents.demo.story import Line, Person, Sending, Step, Story, Taken, Try, Way, World
from incidents.demo.troubles import HELD, NOTED, TAKEN, UNTOLD, WAITING, Trouble

LONGEST = timedelta(hours=10)
PASSES = 2  # somebody has always answered by then
NIGHT = (22, 7)  # local hours in which it takes longer to wake up
PERSON, SOURCE, SYSTEM = "person", "source", "system"
SENT, FAILED, CANCELLED = "sent", "failed", "cancelled"
FULL = "552 5.2.2 mailbox full"


def tell(trouble: Trouble, world: World, now: datetime) -> Story:
    """Return how it went, up to `now`."""
    return _Teller(trouble, world, now).tell()


class _Teller:
    def __init__(self, trouble: Trouble, world: World, now: datetime) -> None:
        self.dice = random.Random(trouble.dice)  # noqa: S311  # nothing secret hangs on it
        self.world, self.now, self.trouble, self.at = world, now, trouble, trouble.opened_at
        fault = trouble.fault
        self.story = Story(trouble, world.urgency(fault.severity), world.policy_of(fault.source))
        length = timedelta(minutes=fault.minutes * self.dice.lognormvariate(0, 0.5))
        self.over_at = None if trouble.still else self.at + min(length, LONGEST)

    def tell(self) -> Story:
        story = self.story
        story.heard.append((self.at, "trigger"))
        self._line(self.at, "open", SOURCE, {"severity": self.trouble.fault.severity})
        self._news("opened", self.at)
        if self.trouble.still == UNTOLD:
            self._reach_nobody()
        elif story.urgency:
            self._climb()
        if self.trouble.still != NOTED:
            self._repeat()
        if story.answered_at and story.answered_by:
            self._answered(story.answered_by, story.answered_at)
        if not self.trouble.still:
            self._end()
        story.lines.sort(key=lambda line: line.at)
        return story

    def _line(
        self,
        at: datetime,
        kind: str,
        originator: str,
        facts: dict[str, Any] | None = None,
        who: str = "",
        via: str = "",
    ) -> None:
        self.story.lines.append(Line(at, kind, originator, facts or {}, who, via))

    # --- the climb -------------------------------------------------------------------------------------------------
    def _climb(self) -> None:
        steps, at = self.world.steps[self.story.policy], self.at
        for loop in range(PASSES):
            for position, step in enumerate(steps):
                person = step.find(at)
                last = loop == PASSES - 1 and position == len(steps) - 1
                self._take(step, person, position, loop, at)
                if person is None:
                    continue
                over = self.over_at or self.now
                answer = self._answer(person, at, step, sure=last)
                answer = answer if answer and answer < over else None
                why = f"acknowledged by {person.name}" if answer else "the incident is resolved"
                self._page(person, at, answer or over, why)
                self.story.told = True
                if answer:
                    self.story.answered_by, self.story.answered_at = person, answer
                    return
                at += timedelta(minutes=step.minutes)
                if self.story.urgency == "low" or at >= over:
                    return

    def _take(self, step: Step, person: Person | None, position: int, loop: int, at: datetime) -> None:
        sequence = len(self.story.taken) + 1
        self.story.taken.append(Taken(sequence, position, loop, at, step.target, person))
        facts = {
            "step": f"Step {position + 1}" + (f", pass {loop + 1}" if loop else ""),
            "targets": step.target,
            "people": [person.name] if person else [],
            "why": "" if person else f"nobody is on call in {step.target}",
            "late": "",
            "by_hand": False,
            "sequence": sequence,
        }
        self._line(at, "escalate", SYSTEM, facts)

    def _answer(self, person: Person, at: datetime, step: Step, *, sure: bool) -> datetime | None:
        """Return when this person acknowledges, or None if not within the step."""
        if self.trouble.still == WAITING:
            return None
        sleeps = not NIGHT[1] <= at.astimezone(ZoneInfo(person.zone)).hour < NIGHT[0]
        typical = 24.0 if self.story.urgency == "low" else 4.0 if sleeps else 1.9
        minutes = min(self.dice.lognormvariate(0, 0.7) * typical + 0.4, 400)
        likely = 0.6 if self.story.urgency == "low" else 0.6 if sleeps else 0.86
        answers = self.trouble.still in {TAKEN, HELD} or sure or self.dice.random() < likely
        if not answers:
            return None
        wait = step.minutes if self.story.urgency == "high" else 400
        return at + timedelta(minutes=min(minutes, wait - 0.2))

    # --- pages -----------------------------------------------------------------------------------------------------
    def _page(self, person: Person, at: datetime, stop: datetime, why: str) -> None:
        """Send this person's pages of one step until `stop`; what has not left by then is cancelled."""
        sequence = self.story.taken[-1].sequence
        forward: datetime | None = None  # a page that fails for good brings the next one forward
        ways = [(way, way.high if self.story.urgency == "high" else way.low) for way in person.ways]
        for way, minutes in sorted((one for one in ways if one[1] is not None), key=lambda one: one[1] or 0):
            due = at + timedelta(minutes=minutes or 0)
            due = min(due, forward) if forward else due
            name = f"{self.trouble.name} page {sequence} {person.key} {way.kind}"
            given: dict[str, Any] = {"page": person, "way": way, "sequence": sequence}
            if due >= stop:
                self.story.sendings.append(Sending(name, due, CANCELLED, stop, detail=why, **given))
                continue
            spare = way is not person.ways[-1] and forward is None
            sent = self._send_page(name, way, due, given, may_fail=spare)
            forward = sent.settled_at if sent.state == FAILED else None

    def _send_page(self, name: str, way: Way, due: datetime, given: dict[str, Any], *, may_fail: bool) -> Sending:
        luck, seconds = self.dice.random(), self.dice.uniform(0.15, 1.3)
        code, answer = (250, "250 2.0.0 Ok: queued") if way.kind == "email" else (200, '{"event":"message"}')
        if may_fail and luck < 0.008:
            tries = (Try(due, seconds, 403, "rejected", '{"code":40301,"error":"forbidden"}'),)
            sending = Sending(
                name, due, FAILED, _after(tries), tries, "403: the topic does not take our message", **given
            )
        elif luck > 0.985:
            first = Try(due, 10.0, None, "unknown", "")
            again = Try(due + timedelta(seconds=25), seconds, code, SENT, answer)
            sending = Sending(name, due, SENT, _after((first, again)), (first, again), **given)
        else:
            tries = (Try(due, seconds, code, SENT, answer),)
            sending = Sending(name, due, SENT, _after(tries), tries, **given)
        self._sent(sending)
        return sending

    def _reach_nobody(self) -> None:
        """The only page of the only step fails, and no administrator can be reached: the incident turns red."""
        step = self.world.steps[self.story.policy][0]
        person = step.find(self.at)
        self._take(step, person, 0, 0, self.at)
        if person is None:
            return
        way = next(one for one in person.ways if one.low is not None)
        tries = (Try(self.at, 0.4, 552, "rejected", FULL),)
        name = f"{self.trouble.name} page 1 {person.key} {way.kind}"
        given: dict[str, Any] = {"page": person, "way": way, "sequence": 1}
        self._sent(Sending(name, self.at, FAILED, _after(tries), tries, FULL, **given))
        why, words = "Nobody in the escalation policy could be reached", "No administrator can be reached either."
        self.story.told, self.story.told_reason = False, f"{why}. {words}"
        self._line(_after(tries) + timedelta(seconds=1), "untold", SYSTEM, {"why": why, "told": words})

    def _sent(self, sending: Sending) -> None:
        """Keep a message that was really tried, and say in the timeline what came of it."""
        self.story.sendings.append(sending)
        last = sending.tries[-1]
        facts: dict[str, Any] = {
            "outcome": sending.state,
            "detail": sending.detail,
            "tries": len(sending.tries),
            "seconds": round(last.seconds, 3),
            "answer": last.answer,
            "sending": sending.name,
        }
        if sending.page and sending.way:
            who = {"user": sending.page.name, "username": sending.page.username, "kind": sending.way.kind}
            self._line(sending.settled_at, "notify", SYSTEM, {**who, **facts})
        else:
            told = {"connection": sending.connection, "event": sending.event}
            self._line(sending.settled_at, "deliver", SYSTEM, {**told, **facts})

    # --- what follows ----------------------------------------------------------------------------------------------
    def _news(self, event: str, at: datetime) -> None:
        """Tell the connections that hear of this source."""
        for connection in self.world.hears(self.trouble.fault.source, self.trouble.fault.severity):
            seconds, luck = self.dice.uniform(0.08, 0.7), self.dice.random()
            answer = "ok" if connection.startswith("slack") else ""
            last = Try(at, seconds, 200, SENT, answer)
            tries: tuple[Try, ...] = (last,)
            if luck < 0.03:
                first = Try(at, seconds, 503, "retry", "upstream connect error")
                tries = (first, Try(at + timedelta(seconds=1 + seconds), seconds, 200, SENT, answer))
            name = f"{self.trouble.name} {event} to {connection}"
            self._sent(Sending(name, at, SENT, _after(tries), tries, connection=connection, event=event))

    def _repeat(self) -> None:
        """The tool says it again while it lasts."""
        every = timedelta(minutes=self.dice.uniform(6, 30))
        at, until = self.at + every, min(self.over_at or self.now, self.at + timedelta(hours=2))
        while at < until and len(self.story.heard) < 5:
            self.story.heard.append((at, "trigger"))
            self._line(at, "upsert_state", SOURCE, {"events": 1})
            at += every

    def _answered(self, person: Person, at: datetime) -> None:
        via = self.dice.choice(("link", "link", "console"))
        self._line(at, "acknowledge", PERSON, {}, person.key, via)
        self._news("accepted", at)
        until = min(self.over_at or self.now, at + timedelta(hours=3))
        for number, text in enumerate(self.trouble.fault.notes, start=1):
            noted = at + (until - at) * (number / (len(self.trouble.fault.notes) + 1))
            if self.dice.random() < 0.7 or self.trouble.still:
                self._line(noted, "note", PERSON, {"text": text}, person.key, "console")
        if self.trouble.behind:
            self._line(
                at + timedelta(seconds=40), "note", PERSON, {"text": f"Part of: {self.trouble.behind}."}, person.key
            )

    def _end(self) -> None:
        """The tool says that it is over, or whoever has it does."""
        story, over_at = self.story, self.over_at or self.now
        person = story.answered_by
        if person and self.trouble.fault.ends and self.dice.random() < 0.4:
            words = self.dice.choice(self.trouble.fault.ends)
            self._line(over_at, "resolve", PERSON, {"resolution": words}, person.key, "console")
            story.closed_by = person
        else:
            story.heard.append((over_at, "resolve"))
            self._line(over_at, "resolve", SOURCE)
        story.closed_at, story.over = over_at, True
        self._news("resolved", over_at)


def _after(tries: Sequence[Try]) -> datetime:
    return tries[-1].at + timedelta(seconds=tries[-1].seconds)

"""An escalation policy as a value: the copy that a run climbs by, and which step comes next. Pure. Rules E2, E12, E13.

As JSON: {"name", "repeat", "start_delay_minutes", "ack_timeout_minutes", "low_urgency",
"steps": [{"targets": [{"user" | "schedule" | "team": uuid}], "delay_minutes", "strategy"}]}.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from oncall.faults import Faults

KINDS = ("user", "schedule", "team")
STRATEGIES = ("everyone", "round_robin")
LOW_URGENCY = ("first_step", "full")
MOST_STEPS = 20
MOST_TARGETS = 20
LONGEST_DELAY = 9000
MOST_REPEATS = 9
LONGEST_START_DELAY = 60
SHORTEST_PASS = timedelta(minutes=1)  # steps without any delay must not go round like a top


@dataclass(frozen=True)
class Target:
    """Whom a step tells: a "user", a "schedule" or a "team". `id` is its uuid; as somebody sent it, or its name."""

    kind: str
    id: str


@dataclass(frozen=True)
class Step:
    """Tell these targets, then wait this long for somebody to answer."""

    targets: tuple[Target, ...]
    delay_minutes: int = 5
    strategy: str = "everyone"


@dataclass(frozen=True)
class Policy:
    """Ordered steps and how often they begin again: `repeat` further passes, None until somebody answers."""

    name: str
    steps: tuple[Step, ...]
    repeat: int | None = None
    start_delay_minutes: int = 0
    ack_timeout_minutes: int | None = None
    low_urgency: str = "first_step"

    def wait(self, position: int) -> timedelta:
        """Return how long the step at `position` has, from when it was really taken, before what follows (E2).

        The last step of a pass in which no step waits has a minute.
        """
        if position == len(self.steps) - 1 and not any(step.delay_minutes for step in self.steps):
            return SHORTEST_PASS
        return timedelta(minutes=self.steps[position].delay_minutes)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON document that `from_json` reads."""
        return {
            "name": self.name,
            "repeat": self.repeat,
            "start_delay_minutes": self.start_delay_minutes,
            "ack_timeout_minutes": self.ack_timeout_minutes,
            "low_urgency": self.low_urgency,
            "steps": [
                {
                    "targets": [{target.kind: target.id} for target in step.targets],
                    "delay_minutes": step.delay_minutes,
                    "strategy": step.strategy,
                }
                for step in self.steps
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Policy":
        """Return the policy of a document that `to_json` wrote."""
        steps = (
            Step(
                tuple(Target(kind, one) for target in step["targets"] for kind, one in target.items()),
                step["delay_minutes"],
                step["strategy"],
            )
            for step in document["steps"]
        )
        return cls(**{**document, "steps": tuple(steps)})


@dataclass(frozen=True)
class Next:
    """The step to be taken: its position, and the pass it belongs to (0 is the first)."""

    position: int
    loop: int


def after(policy: Policy, position: int, loop: int, urgency: str = "high") -> Next | None:
    """Return what follows the step at `position` in pass `loop`, once `policy.wait(position)` is over.

    None: all passes are done (E12), or low urgency does the first step only (E13).
    """
    if urgency == "low" and policy.low_urgency == "first_step":
        return None
    if position + 1 < len(policy.steps):
        return Next(position + 1, loop)
    if policy.steps and (policy.repeat is None or loop < policy.repeat):
        return Next(0, loop + 1)
    return None


def read(document: Any, *, also: tuple[str, ...] = ()) -> Policy:
    """Return the policy of a document that somebody sent. Keys in `also` are left to the caller. Raises Faulty."""
    faults = Faults()
    known = ("name", "repeat", "start_delay_minutes", "ack_timeout_minutes", "low_urgency", "steps", *also)
    given = faults.mapping(document, "", known)
    name = faults.text(given.get("name"), "name", "Send a name of 1 to 100 printable characters.", 100)
    repeat, timeout = given.get("repeat"), given.get("ack_timeout_minutes")
    steps = faults.items(given.get("steps"), "steps", MOST_STEPS, least=1)  # a policy without steps tells nobody
    policy = Policy(
        name=name,
        steps=tuple(_step(faults, step, f"steps.{place}") for place, step in enumerate(steps)),
        repeat=None if repeat is None else faults.whole(repeat, "repeat", 0, MOST_REPEATS),
        start_delay_minutes=faults.whole(
            given.get("start_delay_minutes", 0), "start_delay_minutes", 0, LONGEST_START_DELAY
        ),
        ack_timeout_minutes=None if timeout is None else faults.whole(timeout, "ack_timeout_minutes", 1, LONGEST_DELAY),
        low_urgency=faults.choice(given.get("low_urgency", LOW_URGENCY[0]), "low_urgency", LOW_URGENCY),
    )
    faults.settle()
    return policy


def _step(faults: Faults, value: Any, path: str) -> Step:
    given = faults.mapping(value, path, ("targets", "delay_minutes", "strategy"))
    targets = faults.items(given.get("targets"), f"{path}.targets", MOST_TARGETS, least=1)
    return Step(
        targets=tuple(_target(faults, target, f"{path}.targets.{place}") for place, target in enumerate(targets)),
        delay_minutes=faults.whole(given.get("delay_minutes", 5), f"{path}.delay_minutes", 0, LONGEST_DELAY),
        strategy=faults.choice(given.get("strategy", STRATEGIES[0]), f"{path}.strategy", STRATEGIES),
    )


def _target(faults: Faults, value: Any, path: str) -> Target:
    given = faults.mapping(value, path, KINDS)
    if given and len(given) != 1:
        faults.add(path, "Send one of user, schedule or team in a target; add another target for the next.")
    kind = next(iter(given), "user")
    hint = "Send a name or an id."
    return Target(kind, faults.text(given.get(kind), f"{path}.{kind}".rstrip("."), hint, 150))

"""Which deliveries a person may know of: what they are about, and whom they went to, is hidden with it."""

from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat, Replace

from config.access import visible
from destinations.models import Delivery
from incidents.models import Incident
from oncall import contacts
from oncall.models import ContactMethod, User
from oncall.roles import hidden_teams

SECRET_EVENTS = frozenset({"code"})  # what their messages say opens something: shown to nobody, not even to admins
DASH, NOTHING = Value("-"), Value("")


def known(user: User, deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return the deliveries that this person may know of.

    Left out are those through a connector, or about an incident, of a private team that the person is not in; and
    codes that prove somebody else's address. Admins know of all.
    """
    deliveries = visible(user, deliveries)
    if user.is_admin:
        return deliveries
    own = [contacts.recipient(method) for method in ContactMethod.objects.filter(user=user)]
    mine = Q(subject=contacts.subject(user)) | Q(recipient__in=own)
    deliveries = deliveries.exclude(~mine, event__in=SECRET_EVENTS)
    hidden = hidden_teams(user)
    return deliveries.alias(about=_plain("subject")).exclude(about__in=_subjects(hidden)) if hidden else deliveries


def _subjects(teams: frozenset[int]) -> QuerySet[Incident, str]:
    """Return what deliveries call these teams' incidents, as `_plain` writes it."""
    named = Concat(Value("incident:"), _plain(Cast("uuid", TextField())), output_field=TextField())
    return Incident.objects.order_by().filter(team__in=teams).values_list(named, flat=True)


def _plain(text: str | Cast) -> Replace:
    """Return a text without dashes: not every database keeps them in a UUID."""
    return Replace(text, DASH, NOTHING, output_field=TextField())

"""What an installation has from its first start: the source of incidents made by hand, and one to try."""

from django.db import transaction

from incidents import keys
from incidents.models import AlertSource

MANUAL = "Manual"
FIRST = "My first source"


@transaction.atomic
def first_sources() -> str | None:
    """Make the built-in source and, on a fresh installation, one for the Event API; return its key in the clear."""
    fresh = not AlertSource.objects.exists()
    if not AlertSource.objects.filter(built_in=True).exists():
        AlertSource.objects.create(name=MANUAL, kind="events", built_in=True)
    if not fresh:
        return None
    source = AlertSource(name=FIRST, kind="events")
    key = keys.issue(source)
    source.save()
    return key

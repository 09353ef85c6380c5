"""A connector belongs to a team, or to everybody."""

from destinations.models import Connector
from oncall.models import ConnectorTeam, Team


def team_of_connector(connector: Connector) -> Team | None:
    """Return the team a stored connector belongs to, or None: then it is everybody's."""
    owned = ConnectorTeam.objects.select_related("team").filter(connector_id=connector.pk).first()
    return owned.team if owned else None


def give_to(connector: Connector, team: Team | None) -> None:
    """Let a connector belong to this team alone, or to everybody."""
    if team is None:
        ConnectorTeam.objects.filter(connector=connector).delete()
    else:
        ConnectorTeam.objects.update_or_create(connector=connector, defaults={"team": team})

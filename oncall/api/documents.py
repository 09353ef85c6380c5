"""Resources that are documents: the domain reads the body whole, with its own paths and words for what is wrong."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from config import access
from config.api import Resource
from config.problems import invalid
from config.wire import InstantField
from oncall import references

KEPT = ("id", "created_at", "updated_at")  # made here; what was read may be sent back with them


class DocumentSerializer(serializers.Serializer[Any]):
    """Declares a document's shape for the schema, and hands what was sent to the domain as it is."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    created_at = InstantField(read_only=True)
    updated_at = InstantField(read_only=True)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the document without what is made here. Raises Invalid if it is no object."""
        if not isinstance(data, Mapping):
            raise invalid("", "Send a JSON object.", "not_an_object")
        return {str(name): value for name, value in data.items() if name not in KEPT}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the document between its id and its instants."""
        own = {
            name: self.fields[name].to_representation(getattr(instance, str(self.fields[name].source))) for name in KEPT
        }
        return {
            "id": own["id"],
            **self.document(instance),
            "created_at": own["created_at"],
            "updated_at": own["updated_at"],
        }

    def document(self, instance: Any) -> dict[str, Any]:
        """Return the document that was sent, or what became of it."""
        raise TypeError(f"{type(self).__name__} does not say what it shows")


class DocumentResource(Resource):
    """A resource whose body is a document with a `team`."""

    def demand_on(self, values: Any, thing: Any = None) -> None:
        """Raise Problem permission_denied unless the caller may have it in the team that the document names."""
        team = thing.team if thing is not None else None
        if "team" in values:
            word = values["team"]
            team = references.teams([word], self.caller).get(word) if isinstance(word, str) else None
        access.demand(self.request, access.permission_for(self, self.model), self.model(team=team))

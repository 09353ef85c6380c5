"""What REST's shapes share: `id` is the UUID, instants have one form, references go by name, the unknown is refused."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from config.access import visible
from config.filters import as_uuid
from config.wire import InstantField

M = TypeVar("M", bound=models.Model)
SET = {"set": True}


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know. What is read only may be sent back as it came, and is not read."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values, or raise ValidationError with unknown and wrong fields together."""
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        wrong: dict[str, Any] = {
            str(name): [ErrorDetail(f"No such field. Known: {', '.join(self.writable())}.", code="unknown_field")]
            for name in unknown
        }
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as exc:
            if wrong and isinstance(exc.detail, dict):
                raise serializers.ValidationError({**wrong, **exc.detail}) from exc
            raise
        if wrong:
            raise serializers.ValidationError(wrong)
        return values

    def writable(self) -> list[str]:
        """Return the names of the fields that may be sent."""
        return sorted(name for name, field in self.fields.items() if not field.read_only)


class Id(serializers.UUIDField):
    """The id of a row, as text: the framework's own field takes numbers, too."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the UUID, or raise ValidationError."""
        found = as_uuid(data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid", value=data)
        return found


class Reference(serializers.RelatedField[Any, Any, str]):
    """Another thing: taken by id or by its name, shown by name. One that the caller may not see does not exist."""

    default_error_messages = {
        "does_not_exist": "There is no {what} called {given}.",
        "incorrect_type": "Give a name or an id.",
    }

    def __init__(self, *, by: str = "name", **kwargs: Any) -> None:
        self.by = by
        super().__init__(**kwargs)

    def get_queryset(self) -> models.QuerySet[Any]:
        """Return what the caller may see."""
        queryset: models.QuerySet[Any] = cast("models.QuerySet[Any]", super().get_queryset())
        request = self.context.get("request")
        return queryset if request is None else visible(request.user, queryset)

    def to_internal_value(self, data: Any) -> Any:
        """Return the thing."""
        if not isinstance(data, str) or "\0" in data:
            self.fail("incorrect_type")
        queryset, key = self.get_queryset(), as_uuid(data)
        found = queryset.filter(uuid=key).first() if key else None
        if found is None and self.by != "uuid":
            found = queryset.filter(**{self.by: data}).first()
        if found is None:
            self.fail("does_not_exist", what=queryset.model._meta.verbose_name, given=data)
        return found

    def to_representation(self, value: Any) -> str:
        """Return its name."""
        return str(getattr(value, self.by))

    def use_pk_only_optimization(self) -> bool:
        """Never: a name is shown."""
        return False


class Record(Strict, serializers.ModelSerializer[M]):
    """A row with a UUID. Meta names the fields; `id`, `created_at` and `updated_at` come by themselves."""

    serializer_related_field = Reference
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: InstantField,
    }

    id = serializers.UUIDField(source="uuid", read_only=True)
    created_at = InstantField(read_only=True)
    updated_at = InstantField(read_only=True)

    def get_field_names(self, declared_fields: Mapping[str, Any], info: Any) -> list[str]:
        """Return `id`, the named fields, and when it was made and changed."""
        named = super().get_field_names(declared_fields, info)
        return [
            "id",
            *[name for name in named if name not in {"id", "created_at", "updated_at"}],
            "created_at",
            "updated_at",
        ]

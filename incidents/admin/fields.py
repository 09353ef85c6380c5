"""What these forms are made of: rows of a table, secrets that are only written, faults put beside their field."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict

from config.problems import Problem

SPARE = 1  # empty rows at the end, so that one can be added without a script
Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One cell of each row: a text, a choice, or a secret."""

    name: str
    label: str
    choices: Sequence[tuple[str, str]] = ()
    placeholder: str = ""
    secret: bool = False
    required: bool = True  # in a row that is not empty


class RowsWidget(forms.Widget):
    """A small table: cells of one column share a name, and stand in the order in which they are sent."""

    template_name = "incidents/fields/rows.html"

    def __init__(self, columns: Sequence[Column], *, ordered: bool, add: str) -> None:
        super().__init__()
        self.columns, self.ordered, self.add = columns, ordered, add

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Row]:
        """Return the rows as they were typed."""
        lists = {
            one: data.getlist(f"{name}.{one}")
            if isinstance(data, MultiValueDict)
            else list(data.get(f"{name}.{one}", []))
            for one in [*(column.name for column in self.columns), "place"]
        }
        length = max((len(cells) for cells in lists.values()), default=0)
        return [{one: cells[at] if at < len(cells) else "" for one, cells in lists.items()} for at in range(length)]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Rows are never left out: none means none."""
        return False

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Return what the template shows: the rows and empty ones; secrets without their value."""
        context = super().get_context(name, value, attrs)
        given = [row for row in (value or []) if any(row.values())]
        rows = [*given, *({} for _ in range(SPARE))]
        context["widget"] |= {
            "columns": self.columns,
            "rows": [self._cells(row) for row in rows],
            "ordered": self.ordered,
            "add": self.add,
            "keeps": any(column.secret for column in self.columns),
        }
        return context

    def _cells(self, row: Row) -> dict[str, Any]:
        kept = row.get("place", "")
        return {
            "place": kept,
            "cells": [
                {"column": column, "value": "" if column.secret else row.get(column.name, ""), "set": bool(kept)}
                for column in self.columns
            ],
        }


class RowsField(forms.Field):
    """Rows of a table. Empty ones fall away; each of the others needs its required cells."""

    widget: RowsWidget

    def __init__(
        self, columns: Sequence[Column], *, ordered: bool = False, add: str = "Add a row", **kwargs: Any
    ) -> None:
        self.columns = columns
        super().__init__(required=False, widget=RowsWidget(columns, ordered=ordered, add=add), **kwargs)

    def clean(self, value: Any) -> list[Row]:
        """Return the rows that say something. Raises ValidationError with the number of a row that is not whole."""
        names = [column.name for column in self.columns]
        stripped = [{name: text.strip().replace("\x00", "") for name, text in row.items()} for row in value or []]
        rows = [row for row in stripped if any(row[name] for name in names)]
        faults = [
            ValidationError(f"Row {place + 1}: {column.label} is missing.", code="required")
            for place, row in enumerate(rows)
            for column in self.columns
            if column.required and not row[column.name] and not (column.secret and row["place"])
        ]
        if faults:
            raise ValidationError(faults)
        return rows


def write_only(form: forms.Form, names: Iterable[str], stored: Iterable[str]) -> None:
    """Turn fields into secrets: their value is never put into a page, and what is stored may be left blank."""
    held = set(stored)
    for name in names:
        field = form.fields.get(name)
        if field is None:
            continue
        form.initial.pop(name, None)
        attributes = {"autocomplete": "new-password", "spellcheck": "false", "data-secret": "1"}
        if not isinstance(field.widget, forms.Textarea):
            field.widget = forms.PasswordInput(render_value=False, attrs=attributes)
        else:
            field.widget = Unshown(attrs={**attributes, "rows": 3})
        if name in held:
            field.required = False
            field.widget.attrs["placeholder"] = "•••"
            field.aside = "set; leave it empty to keep it"  # type: ignore[attr-defined]  # read by the field's template


class Unshown(forms.Textarea):
    """A text of several lines that is only ever written."""

    def format_value(self, value: Any) -> str:
        """Return nothing: what was typed does not come back either."""
        return ""


def put_beside(form: forms.Form, problem: Problem, *, within: str = "") -> None:
    """Put each fault beside the field that its path begins with; what has no field stands above the form."""
    for error in problem.errors:
        name = error.field.removeprefix(f"{within}.").partition(".")[0]
        form.add_error(name if name in form.fields else None, error.detail)
    if not problem.errors:
        form.add_error(None, problem.detail)


def pairs(rows: Iterable[Row], key: str, value: str) -> dict[str, str]:
    """Return two columns as a mapping; of two rows with the same key the first counts."""
    found: dict[str, str] = {}
    for row in rows:
        found.setdefault(row[key], row[value])
    return found


def as_rows(mapping: Mapping[str, Any], key: str, value: str) -> list[dict[str, Any]]:
    """Return a mapping as rows of two columns."""
    return [{key: one, value: other} for one, other in mapping.items()]

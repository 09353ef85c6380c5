"""The parts of docs/reference that are made from code. `python -m tests.reference` writes them; a test compares."""

import argparse
import io
import json
import os
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command, get_commands, load_command_class

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs/reference"
APPS = ("config", "destinations", "oncall", "incidents")
BEGIN, END = "<!-- made from code: python -m tests.reference -->\n", "<!-- end -->\n"
DJANGOS = frozenset(
    {"help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks"}
)
METHODS = ("get", "post", "put", "patch", "delete")


def commands() -> str:
    """Every command of ours with its arguments."""
    names = sorted(
        path.stem
        for app in APPS
        for path in (ROOT / app / "management/commands").glob("*.py")
        if path.stem != "__init__"
    )
    return "\n".join(_command(name) for name in names)


def _command(name: str) -> str:
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    lines = [f"## {name}", "", " ".join(str(command.help).split("\n\n")[0].split()), ""]
    return "\n".join([*lines, *_arguments(parser)])


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    rows, nested = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            for verb, sub in action.choices.items():
                about = f": {helps[verb]}" if helps.get(verb) else ""
                nested += [f"`{sub.prog.partition(' ')[2]}`{about}", "", *_arguments(sub)]
        elif action.dest not in DJANGOS:
            rows.append(f"| {_name(action)} | {action.help or ''} |")
    table = ["| Argument | |", "|---|---|", *rows, ""] if rows else []
    return [*table, *nested]


def _name(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper() if action.nargs != 0 else ""
    if action.choices:
        value = ", ".join(map(str, action.choices))
    value = value.replace("|", "or")
    if not action.option_strings:
        return f"`{value}`"
    return f"`{' '.join([action.option_strings[-1], value]).strip()}`"


def routes() -> str:
    """Every route of REST with what it does."""
    output = io.StringIO()
    call_command("spectacular", format="openapi-json", stdout=output)
    schema: dict[str, Any] = json.loads(output.getvalue())
    lines = ["| Route | |", "|---|---|"]
    for path, item in sorted(schema["paths"].items()):
        for method in METHODS:
            if operation := item.get(method):
                words = operation.get("summary") or operation.get("description") or ""
                about = " ".join(words.split("\n\n")[0].split()).replace("|", "or")
                lines.append(f"| `{method.upper()} {path}` | {about} |")
    return "\n".join([*lines, ""])


MADE = {"commands.md": commands, "rest.md": routes}


def put(text: str, made: str) -> str:
    """Return a page with the part between the marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main() -> None:
    """Write what is made from code into its pages."""
    for name, make in MADE.items():
        page = REFERENCE / name
        page.write_text(put(page.read_text(encoding="utf-8"), make()), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main()

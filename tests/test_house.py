"""What the house promises about itself: every setting is documented, the schema is migrated, the tables are closed."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READ = re.compile(r'env\.\w+\(\s*"(\w+)"')


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    read = set(READ.findall((ROOT / "config" / "settings.py").read_text()))
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/reference/settings.md").read_text(), re.MULTILINE))
    assert len(read) > 20
    assert read == documented


def test_the_environment_is_read_in_settings_only() -> None:
    allowed = {"config/env.py", "config/settings.py"}
    process_wiring = {"config/web.py", "config/celery.py", "config/wsgi.py", "config/management/commands/up.py"}
    for package in ("config", "destinations", "oncall", "incidents"):
        for file in (ROOT / package).rglob("*.py"):
            name = str(file.relative_to(ROOT))
            if name not in allowed | process_wiring:
                assert "os.environ" not in file.read_text(), name
                assert "os.getenv" not in file.read_text(), name

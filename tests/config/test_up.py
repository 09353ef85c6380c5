"""`manage.py up` as a person starts it: real processes, real signals."""

import os
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.config.trees import Tree

UP = ("manage.py", "up")
PASSWORD, TOKEN = "a preset password", "a preset token of the first admin"


def test_a_life(sqlite_env: dict[str, str]) -> None:
    env = {**sqlite_env, "TOCSIN_ADMIN_PASSWORD": PASSWORD, "TOCSIN_ADMIN_TOKEN": TOKEN}
    with Tree(env, *UP) as tree:
        _starts_and_answers(tree)
        _outlives_the_death_of_either_part(tree)
        _ends_when_the_whole_group_is_told_to(tree)
    before = _rows(env)
    with Tree(env, *UP) as tree:
        tree.until(lambda: "Tocsin is ready" in tree.text)
        assert "shown this once" not in tree.text
        assert _rows(env) == before
        _refuses_a_second_one(env)
        tree.process.kill()  # nobody is left to stop the parts
        assert tree.end(signal.SIGKILL) < 25


def _starts_and_answers(tree: Tree) -> None:
    assert tree.ready()["tick_age_seconds"] < 30
    assert tree.get("/healthz") == (200, "ok\n")
    assert "tocsin_ready 1.0" in tree.get("/metrics")[1]
    tree.until(lambda: f"open http://127.0.0.1:{tree.port}/" in tree.text)
    assert "Authorization: Bearer " in tree.text
    assert PASSWORD not in tree.text
    assert TOKEN not in tree.text


def _outlives_the_death_of_either_part(tree: Tree) -> None:
    worker, engine = tree.pid_of("granian"), tree.pid_of("manage.py", "engine")
    assert worker
    assert engine
    os.kill(worker, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    tree.until(lambda: tree.pid_of("granian") not in {worker, None})
    tree.until(lambda: tree.get("/healthz")[0] == 200)
    tree.until(lambda: tree.text.count("engine started") == 2)
    assert tree.pid_of("manage.py", "engine") != engine


def _ends_when_the_whole_group_is_told_to(tree: Tree) -> None:
    assert tree.end(signal.SIGTERM, group=True) < 25
    assert tree.process.returncode == 0
    assert "Tocsin has stopped." in tree.text
    assert tree.text.count("it is started again") == 1
    assert "Traceback" not in tree.text


def _refuses_a_second_one(env: dict[str, str]) -> None:
    assert "runs already on the data folder" in _refused(env)


def _rows(env: dict[str, str]) -> list[tuple[object, ...]]:
    with sqlite3.connect(Path(env["TOCSIN_DATA_DIR"]) / "tocsin.sqlite3") as database:
        sources = database.execute("SELECT name, key_hash FROM incidents_alertsource ORDER BY id").fetchall()
        people = database.execute("SELECT username, password FROM oncall_user ORDER BY id").fetchall()
    return [*sources, *people]


@pytest.mark.postgres
def test_on_postgresql_it_is_embedded_too(postgres_env: dict[str, str]) -> None:
    with Tree({**postgres_env, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}, *UP) as tree:
        assert tree.ready()["ready"]
        assert tree.pid_of("manage.py", "engine")
        assert tree.end(signal.SIGINT, group=True) < 25  # Ctrl-C
        assert "Traceback" not in tree.text


def _refused(env: dict[str, str]) -> str:
    with Tree(env, *UP) as tree:
        assert tree.process.wait(90) == 1
        tree.reader.join(5)
        assert len(tree.lines) == 1, tree.text
        return tree.text


def test_a_port_in_use_is_said_in_one_line(sqlite_env: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(sqlite_env["PORT"])))
        other.listen()
        assert f"Port {sqlite_env['PORT']} on 127.0.0.1 cannot be used" in _refused(sqlite_env)


def test_a_data_folder_that_cannot_be_used_is_said_in_one_line(sqlite_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    line = _refused({**sqlite_env, "TOCSIN_DATA_DIR": str(tmp_path / "file" / "data")})
    assert "cannot be made" in line


def test_a_database_that_cannot_be_reached_is_said_in_one_line(sqlite_env: dict[str, str]) -> None:
    line = _refused({**sqlite_env, "DATABASE_URL": "postgres://tocsin:very-secret@127.0.0.1:1/tocsin"})
    assert "on 127.0.0.1 port 1 cannot be reached" in line
    assert "DATABASE_URL" in line
    assert "very-secret" not in line


def test_a_file_that_is_no_database_is_said_in_one_line(sqlite_env: dict[str, str]) -> None:
    (Path(sqlite_env["TOCSIN_DATA_DIR"]) / "tocsin.sqlite3").write_text("this is a shopping list\n" * 100)
    assert "tocsin.sqlite3 cannot be reached" in _refused(sqlite_env)

"""What a device remembers over a power cut."""

import sqlite3

from core.field.client.memory import N_COMMANDS_KEPT, CommandMemory, Facts, open_memory
from core.field.payloads import CommandResult


def test_a_command_is_known_after_a_restart_with_its_result(tmp_path):
    CommandMemory(open_memory(tmp_path / "m")).keep(CommandResult(id="A", status="done", text="ok"))

    assert CommandMemory(open_memory(tmp_path / "m")).find("A") == CommandResult(id="A", status="done", text="ok")


def test_a_command_that_a_restart_interrupted_has_failed_and_is_not_obeyed_again(tmp_path):
    CommandMemory(open_memory(tmp_path / "m")).keep(CommandResult(id="A", status="accepted"))

    found = CommandMemory(open_memory(tmp_path / "m")).find("A")
    assert (found.status, found.code) == ("failed", 500)


def test_how_commands_stand_is_to_be_told_until_somebody_was_told_so(tmp_path):
    memory = CommandMemory(open_memory(tmp_path / "m"))
    running, done = CommandResult(id="A", status="running"), CommandResult(id="A", status="done")
    memory.keep(running)
    memory.keep(done)
    memory.note_told(running)
    assert CommandMemory(open_memory(tmp_path / "m")).untold() == [done]

    memory.note_told(done)
    assert memory.untold() == []


def test_what_a_restart_interrupted_is_to_be_told_anew(tmp_path):
    memory, accepted = CommandMemory(open_memory(tmp_path / "m")), CommandResult(id="A", status="accepted")
    memory.keep(accepted)
    memory.note_told(accepted)

    assert [found.status for found in CommandMemory(open_memory(tmp_path / "m")).untold()] == ["failed"]


def test_a_file_of_the_program_before_is_read_and_its_commands_count_as_told(tmp_path):
    db = sqlite3.connect(tmp_path / "m")
    with db:
        db.execute(
            "CREATE TABLE command (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
            "status TEXT NOT NULL, code INTEGER NOT NULL, text TEXT NOT NULL)"
        )
        db.execute("INSERT INTO command (id, status, code, text) VALUES ('A', 'done', 0, '')")
    db.close()

    memory = CommandMemory(open_memory(tmp_path / "m"))
    assert (memory.find("A").status, memory.untold()) == ("done", [])


def test_the_last_256_commands_are_remembered():
    memory = CommandMemory(open_memory(None))
    for number in range(N_COMMANDS_KEPT + 10):
        memory.keep(CommandResult(id=f"C{number}", status="accepted"))
        memory.keep(CommandResult(id=f"C{number}", status="done"))

    known = [number for number in range(N_COMMANDS_KEPT + 10) if memory.find(f"C{number}") is not None]
    assert known == list(range(10, N_COMMANDS_KEPT + 10))


def test_a_damaged_file_is_put_aside_and_the_device_starts(tmp_path):
    file = tmp_path / "m.sqlite3"
    file.write_bytes(b"this is no database" * 200)

    Facts(open_memory(file)).set("key", {"a": 1})

    assert file.with_suffix(".damaged").exists()
    assert Facts(open_memory(file)).get("key", None) == {"a": 1}

"""What a device remembers over a power cut."""

from core.field.client.memory import N_COMMANDS_KEPT, CommandMemory, Facts, open_memory
from core.field.payloads import CommandResult


def test_a_command_is_known_after_a_restart_with_its_result(tmp_path):
    CommandMemory(open_memory(tmp_path / "m")).keep(CommandResult(id="A", status="done", text="ok"))

    assert CommandMemory(open_memory(tmp_path / "m")).find("A") == CommandResult(id="A", status="done", text="ok")


def test_a_command_that_a_restart_interrupted_has_failed_and_is_not_obeyed_again(tmp_path):
    CommandMemory(open_memory(tmp_path / "m")).keep(CommandResult(id="A", status="accepted"))

    found = CommandMemory(open_memory(tmp_path / "m")).find("A")
    assert (found.status, found.code) == ("failed", 500)


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

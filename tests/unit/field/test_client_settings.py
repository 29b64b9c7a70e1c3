"""What a field client is told."""

import argparse

import pytest

from core.field.client.arguments import PASSWORD_VARIABLE, add_arguments
from core.field.client.settings import settings_of
from core.field.kinds import kind_of_key, simulated_kind
from core.kernel.errors import BadInputError

FILE = """
memory = "memory.sqlite3"
[broker]
host = "mqtt.example.org"
port = 1884
username = "post-1"
[device]
id = "traffic/post-1"
kind = "station"
location = [47.0, -30.0]
"""


def told(tmp_path, *arguments, file=FILE):
    (tmp_path / "pi.toml").write_text(file)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_of(parser.parse_args(["--config", str(tmp_path / "pi.toml"), *arguments]))


def test_arguments_beat_the_file_and_leave_the_rest(tmp_path):
    settings = told(tmp_path, "--broker", "10.0.0.1:1885", "--name", "Bridge", "--location", "1.5,2.5")

    assert (settings.broker.host, settings.broker.port, settings.broker.username) == ("10.0.0.1", 1885, "post-1")
    info = settings.info()
    assert (info.group, info.device, info.name, info.location.lat) == ("traffic", "post-1", "Bridge", 1.5)
    assert settings.memory.name == "memory.sqlite3"


def test_an_authority_means_tls_and_its_port(tmp_path):
    settings = told(tmp_path, "--ca", "ca.crt", file='[device]\nid = "a/b"\n')

    assert (settings.broker.is_tls, settings.broker.port) == (True, 8883)


def test_several_devices_have_names_and_memories_of_their_own(tmp_path):
    settings = told(tmp_path, "--simulate", "station", "--count", "3")

    assert [settings.info(number=n).device for n in (1, 3)] == ["post-1-001", "post-1-003"]
    assert settings.memory_of(2).name == "memory-002.sqlite3"


def test_the_password_comes_from_the_environment_or_a_file(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("from-file\n")
    settings = told(tmp_path, file=f'password_file = "{tmp_path / "secret"}"\n' + FILE)

    assert settings.access().password == "from-file"
    monkeypatch.setenv(PASSWORD_VARIABLE, "from-environment")
    assert settings.access().password == "from-environment"


@pytest.mark.parametrize(
    ("arguments", "file", "sentence"),
    [
        (["--broker", "host:port"], FILE, "HOST:PORT"),
        ([], "broker = [", "cannot be read"),
        ([], FILE + "colour = 3", "colour"),
        (["--count", "0"], FILE, "count"),
        (["--location", "north"], FILE, "location"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, arguments, file, sentence):
    with pytest.raises(BadInputError, match=sentence):
        told(tmp_path, *arguments, file=file)


def test_a_device_without_a_usable_id_and_kinds_that_nobody_knows_are_named(tmp_path):
    settings = told(tmp_path, "--id", "Bridge")
    with pytest.raises(BadInputError, match="GROUP/DEVICE"):
        settings.info()
    with pytest.raises(BadInputError, match=r"There are .*station"):
        simulated_kind("bicycle")
    with pytest.raises(BadInputError, match="no device kind"):
        kind_of_key("bicycle")

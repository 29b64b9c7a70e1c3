"""Secrets come from the environment or the keyring, and a keyring that hangs does not hang the room."""

import threading
import time

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from core.kernel.secrets import Secrets, environment_name


class MemoryKeyring(KeyringBackend):
    """A working keyring, as a desktop has one."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class HangingKeyring(MemoryKeyring):
    """Waits for somebody to unlock it, on a machine where nobody sits."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.released.wait(30)
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.released.wait(30)


@pytest.fixture(autouse=True)
def no_keyring_of_this_machine():
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield
    keyring.set_keyring(before)


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Secrets()
    secrets.set_secret("camera/01jd", "from this run")
    monkeypatch.setenv("WATCHFLOOR_SECRET_CAMERA_01JD", "from the environment")

    assert secrets.get_secret("camera/01jd") == "from the environment"


def test_a_name_becomes_a_variable_that_every_shell_can_set() -> None:
    assert environment_name("camera/ring-north") == "WATCHFLOOR_SECRET_CAMERA_RING_NORTH"


def test_a_keyring_keeps_a_secret_beyond_the_run() -> None:
    keyring.set_keyring(MemoryKeyring())

    assert Secrets().set_secret("broker", "hunter2") == ""

    assert Secrets().get_secret("broker") == "hunter2"
    assert Secrets().notice == ""


def test_a_deleted_secret_is_gone_and_deleting_it_again_is_fine() -> None:
    keyring.set_keyring(MemoryKeyring())
    secrets = Secrets()
    secrets.set_secret("broker", "hunter2")

    secrets.delete_secret("broker")
    secrets.delete_secret("broker")

    assert secrets.get_secret("broker") is None
    assert secrets.notice == ""


def test_without_a_keyring_a_secret_lasts_for_this_run_and_a_notice_says_so() -> None:
    secrets = Secrets()

    notice = secrets.set_secret("camera/a", "hunter2")

    assert secrets.get_secret("camera/a") == "hunter2"
    assert "camera/a are kept until the program ends only: this machine has no keyring" in notice
    assert "hunter2" not in notice
    assert Secrets().get_secret("camera/a") is None


def test_a_keyring_that_does_not_answer_is_given_up_once() -> None:
    hanging = HangingKeyring()
    keyring.set_keyring(hanging)
    secrets = Secrets(timeout_s=0.2)

    began = time.monotonic()
    for number in range(10):
        secrets.set_secret(f"camera/{number}", "x")
    took_s = time.monotonic() - began
    hanging.released.set()

    assert took_s < 2.0
    assert "did not answer" in secrets.notice
    assert secrets.get_secret("camera/3") == "x"

"""Secrets come from the environment or the keyring, and a keyring that hangs does not hang the room."""

import logging
import subprocess
import threading
import time

import keyring
import pytest
from keyring.errors import KeyringLocked

from core.kernel.errors import UnavailableError
from core.kernel.secrets import AGAIN_S, Secrets, environment_name
from tests.fixtures.keyrings import HangingKeyring, MemoryKeyring, no_keyring_of_this_machine  # noqa: F401

pytestmark = pytest.mark.usefixtures("no_keyring_of_this_machine")


class Seconds:
    """A monotonic clock that stands still."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


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


def test_a_keyring_that_failed_once_is_asked_again_after_a_while() -> None:
    backend, clock = MemoryKeyring(), Seconds()
    keyring.set_keyring(backend)
    Secrets().set_secret("camera/a", "hunter2")
    secrets = Secrets(monotonic=clock)
    backend.is_locked = True
    with pytest.raises(UnavailableError, match="KeyringLocked: nobody unlocks it"):
        secrets.read_secret("camera/a")
    backend.is_locked = False

    with pytest.raises(UnavailableError):
        secrets.read_secret("camera/a")
    clock.now_s += AGAIN_S

    assert secrets.read_secret("camera/a") == "hunter2"


def test_what_a_keyring_said_last_holds_while_it_fails() -> None:
    backend, clock = MemoryKeyring(), Seconds()
    keyring.set_keyring(backend)
    secrets = Secrets(monotonic=clock)
    secrets.set_secret("camera/a", "hunter2")
    Secrets().set_secret("camera/b", "hunter3")
    secrets.read_secret("camera/b")
    backend.is_locked = True

    assert [secrets.read_secret(name) for name in ("camera/a", "camera/b")] == ["hunter2", "hunter3"]
    secrets.delete_secret("camera/a")
    assert secrets.read_secret("camera/a") is None


def test_a_secret_that_nobody_told_is_none_where_the_keyring_answers() -> None:
    keyring.set_keyring(MemoryKeyring())

    assert Secrets().read_secret("camera/a") is None


def test_what_was_typed_while_the_keyring_failed_is_put_there_later() -> None:
    backend, clock = MemoryKeyring(), Seconds()
    keyring.set_keyring(backend)
    secrets = Secrets(monotonic=clock)
    backend.is_locked = True
    assert "kept until the program ends only" in secrets.set_secret("camera/a", "hunter2")
    backend.is_locked = False
    clock.now_s += AGAIN_S

    assert secrets.read_secret("camera/a") == "hunter2"

    assert backend.kept == {("watchfloor", "camera/a"): "hunter2"}
    assert secrets.notice == ""


def test_a_keyring_that_takes_nothing_still_tells_what_it_has() -> None:
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    Secrets().set_secret("camera/a", "hunter2")
    backend.is_read_only = True
    secrets = Secrets()

    notice = secrets.set_secret("camera/b", "hunter3")

    assert "camera/b" in notice
    assert [secrets.read_secret(name) for name in ("camera/a", "camera/b")] == ["hunter2", "hunter3"]


def test_a_keyring_that_hangs_holds_few_threads_however_long_it_does() -> None:
    hanging, clock = HangingKeyring(), Seconds()
    keyring.set_keyring(hanging)
    secrets = Secrets(timeout_s=0.01, monotonic=clock)

    for _ in range(20):
        clock.now_s += AGAIN_S
        assert secrets.get_secret("camera/a") is None
    n_asked = hanging.n_asked
    hanging.released.set()

    assert n_asked <= 3


def test_a_keyring_that_answers_another_question_meanwhile_has_not_taken_a_secret() -> None:
    released, clock = threading.Event(), Seconds()

    class WaitingKeyring(MemoryKeyring):
        def set_password(self, service: str, username: str, password: str) -> None:
            released.wait(30)
            raise KeyringLocked("nobody unlocks it")

    class Reading(logging.Handler):
        """Asks another question as soon as the keyring is said to fail, and has its answer."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno == logging.WARNING:
                clock.now_s += AGAIN_S
                assert secrets.get_secret("camera/b") is None

    keyring.set_keyring(WaitingKeyring())
    secrets = Secrets(timeout_s=2.0, monotonic=clock)
    log, handler = logging.getLogger("core.kernel.secrets"), Reading()
    log.addHandler(handler)
    try:
        secrets.set_secret("camera/a", "hunter2")
    finally:
        log.removeHandler(handler)
        released.set()

    assert secrets.get_secret("camera/a") == "hunter2"
    assert "camera/a" in secrets.notice


def test_what_a_keyring_says_of_its_failure_does_not_tell_the_secret(caplog) -> None:
    class CallingKeyring(MemoryKeyring):
        def set_password(self, service: str, username: str, password: str) -> None:
            raise subprocess.CalledProcessError(1, ["vault", "put", username, password])

    keyring.set_keyring(CallingKeyring())
    secrets = Secrets()

    for secret in ("hunter2", "back\\slash"):
        notice = secrets.set_secret("camera/a", secret)

        assert "CalledProcessError" in notice
        assert secret not in (notice + caplog.text).replace("\\\\", "\\")

"""Passwords and keys: from the environment or the system's keyring, never from a file or the database."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from core.kernel.errors import UnavailableError

log = logging.getLogger(__name__)

SERVICE = "watchfloor"
PREFIX = "WATCHFLOOR_SECRET_"
KEYRING_TIMEOUT_S = 3.0
"""A keyring on a machine without a desktop may wait for ever for someone to unlock it."""

AGAIN_S = 30.0
"""A keyring that failed is asked again after this long."""

_MAX_NAMED = 2
_MAX_HANGING = 3
"""Questions that a keyring has not answered yet before it is asked no more: each is a thread that waits."""

# These keep what they are given in plain files, or keep nothing.
_REFUSED_BACKENDS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


class Secrets:
    """Looks a secret up in the environment, then in what this run was told, then in the keyring.

    While the keyring fails, what it said last holds; it is asked again after `AGAIN_S`.

    Threads: any; a call may take `KEYRING_TIMEOUT_S`, so keep it off the loop.
    """

    def __init__(
        self,
        *,
        service: str = SERVICE,
        timeout_s: float = KEYRING_TIMEOUT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet: the keyring is asked when it is needed."""
        self._service = service
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        """Held while the keyring is told something: what is moved there must not come after what is newer."""

        self._kept: dict[str, str] = {}
        self._known: dict[str, str | None] = {}
        """What the keyring said or was told last; None where it had nothing."""

        self._reason = ""
        self._failed_s = 0.0
        self._kept_reason = ""
        self._moved_s = 0.0
        self._hanging: list[threading.Thread] = []

    @property
    def notice(self) -> str:
        """What a person should know: that secrets of this run will be forgotten; empty where all is well."""
        with self._lock:
            if not self._kept:
                return ""
            names = sorted(self._kept)
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            named = ", ".join(names[:_MAX_NAMED]) + more
            return (
                f"The passwords of {named} are kept until the program ends only: {self._kept_reason}. "
                f"Set up a keyring, or put them into {PREFIX}… of the environment."
            )

    def get_secret(self, name: str) -> str | None:
        """Return a secret by its name, e.g. "camera/01JD…"; None where nobody told it, or the keyring fails."""
        try:
            return self.read_secret(name)
        except UnavailableError:
            return None

    def read_secret(self, name: str) -> str | None:
        """Return a secret by its name; None where nobody told it.

        Raises:
            UnavailableError: Nobody knows whether there is one, because the keyring fails.
        """
        from_environment = os.environ.get(environment_name(name))
        if from_environment is not None:
            return from_environment
        with self._lock:
            kept = self._kept.get(name)
        self._move_kept()
        if kept is not None:
            return kept
        try:
            found = self._ask(lambda keyring: keyring.get_password(self._service, name))
        except UnavailableError:
            with self._lock:
                if name in self._known:
                    return self._known[name]
            raise
        self._note(name, found if isinstance(found, str) else None)
        return found if isinstance(found, str) else None

    def set_secret(self, name: str, value: str) -> str:
        """Put a secret into the keyring.

        Returns:
            Empty, or `notice` where there is no keyring and it is kept until the program ends.
        """
        with self._writing:
            reason = self._put(name, value)
            with self._lock:
                if not reason:
                    return ""
                self._kept[name], self._kept_reason = value, reason
                self._moved_s = self._monotonic()
        return self.notice

    def delete_secret(self, name: str) -> None:
        """Forget a secret; one that is not there is fine."""
        # Without asking first, some backends show an error to the person at the desk.
        with self._writing, contextlib.suppress(UnavailableError):
            with self._lock:
                self._kept.pop(name, None)
            self._note(name, None)
            self._ask(
                lambda keyring: (
                    keyring.get_password(self._service, name) is not None
                    and keyring.delete_password(self._service, name)
                )
            )

    def _put(self, name: str, value: str) -> str:
        """Put a secret into the keyring; returns why it does not take it, else nothing."""
        try:
            # That it takes nothing does not speak against what it tells: its error is an answer.
            reason = self._ask(lambda keyring: _set_in(keyring, self._service, name, value))
        except _KeyringAwayError as error:
            return error.reason
        if isinstance(reason, str) and reason:
            return reason
        with self._lock:
            self._kept.pop(name, None)
            self._known[name] = value
        return ""

    def _move_kept(self) -> None:
        """Put what is kept until the program ends into a keyring that answers again."""
        with self._lock:
            if not self._kept or self._monotonic() - self._moved_s < AGAIN_S:
                return
            self._moved_s = self._monotonic()
            kept = dict(self._kept)
        for name, value in kept.items():
            with self._writing:
                # Another may have been typed meanwhile.
                reason = self._put(name, value) if self._kept.get(name) == value else ""
            if reason:
                with self._lock:
                    self._kept_reason = reason
                return

    def _note(self, name: str, value: str | None) -> None:
        with self._lock:
            self._known[name] = value

    def _ask(self, question: Callable[[Any], object]) -> object:
        """Ask the keyring on a thread of its own.

        Raises:
            UnavailableError: There is none, it fails, it does not answer, or it did so less than `AGAIN_S` ago.
        """
        with self._lock:
            self._hanging = [thread for thread in self._hanging if thread.is_alive()]
            is_early = self._monotonic() - self._failed_s < AGAIN_S or len(self._hanging) >= _MAX_HANGING
            if self._reason and is_early:
                raise _KeyringAwayError(self._reason)
        answers: list[object] = []
        reasons: list[str] = []

        def run() -> None:
            try:
                import keyring

                backend = keyring.get_keyring()
                refusal = _refusal_of(backend)
                if refusal:
                    reasons.append(refusal)
                else:
                    answers.append(question(backend))
            # Backends raise what their system libraries raise; a room without a keyring still has to work.
            except Exception as error:  # noqa: BLE001
                reasons.append(_failed(error))

        thread = threading.Thread(target=run, name="keyring", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if answers:
            self._note_answer()
            return answers[0]
        reason = reasons[0] if reasons else f"the keyring did not answer within {self._timeout_s:g} s"
        with self._lock:
            is_news = not self._reason
            self._reason, self._failed_s = reason, self._monotonic()
            if thread.is_alive():
                self._hanging.append(thread)
        if is_news:
            log.warning("no keyring is used: %s", reason)
        raise _KeyringAwayError(reason)

    def _note_answer(self) -> None:
        with self._lock:
            was_away, self._reason = bool(self._reason), ""
        if was_away:
            log.info("the keyring answers again")


class _KeyringAwayError(UnavailableError):
    """Nobody knows what the keyring has, or would have taken."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The password cannot be read: {reason}.", hint="It is tried again by itself.")
        self.reason = reason


def environment_name(name: str) -> str:
    """Return the environment variable that overrides a secret: "camera/01JD" is WATCHFLOOR_SECRET_CAMERA_01JD."""
    return PREFIX + re.sub(r"[^A-Z0-9]+", "_", name.upper())


def _set_in(backend: Any, service: str, name: str, value: str) -> str:
    """Set a secret; returns why the backend does not take it, else nothing."""
    try:
        backend.set_password(service, name, value)
    # As above: what backends raise, nobody says.
    except Exception as error:  # noqa: BLE001
        said = _failed(error)
        # Some name the command that they called, with all that it was given.
        for written in filter(None, (value, repr(value)[1:-1])):
            said = said.replace(written, "…")
        return said
    return ""


def _failed(error: Exception) -> str:
    return f"the keyring failed ({type(error).__name__}: {error})"


def _refusal_of(backend: object) -> str:
    """Say why a keyring backend must not be used; empty where it may."""
    # The chainer asks several in turn; it is as good as the best of them.
    members = getattr(backend, "backends", None)
    candidates = list(members) if isinstance(members, list | tuple) else [backend]
    if any(not type(one).__module__.startswith(_REFUSED_BACKENDS) for one in candidates):
        return ""
    if any(type(one).__module__.startswith("keyrings.alt") for one in candidates):
        return "the only keyring here keeps passwords in plain files"
    return "this machine has no keyring"

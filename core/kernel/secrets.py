"""Passwords and keys: from the environment or the system's keyring, never from a file or the database."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

SERVICE = "watchfloor"
PREFIX = "WATCHFLOOR_SECRET_"
KEYRING_TIMEOUT_S = 3.0
"""A keyring on a machine without a desktop may wait for ever for someone to unlock it."""

_MAX_NAMED = 2

# These keep what they are given in plain files, or keep nothing.
_REFUSED_BACKENDS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


class Secrets:
    """Looks a secret up in the environment, then in what this run was told, then in the keyring.

    Threads: any; a call may take `KEYRING_TIMEOUT_S`, so keep it off the loop.
    """

    def __init__(self, *, service: str = SERVICE, timeout_s: float = KEYRING_TIMEOUT_S) -> None:
        """Look at nothing yet: the keyring is asked when it is needed."""
        self._service = service
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._kept: dict[str, str] = {}
        self._reason = ""

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
                f"The passwords of {named} are kept until the program ends only: {self._reason}. "
                f"Set up a keyring, or put them into {PREFIX}… of the environment."
            )

    def get_secret(self, name: str) -> str | None:
        """Return a secret by its name, e.g. "camera/01JD…"; None where nobody told it."""
        from_environment = os.environ.get(environment_name(name))
        if from_environment is not None:
            return from_environment
        with self._lock:
            if name in self._kept:
                return self._kept[name]
        found = self._ask(lambda keyring: keyring.get_password(self._service, name))
        return found if isinstance(found, str) else None

    def set_secret(self, name: str, value: str) -> str:
        """Put a secret into the keyring.

        Returns:
            Empty, or `notice` where there is no keyring and it is kept until the program ends.
        """
        # The keyring says nothing on success, so something has to be said for it.
        if self._ask(lambda keyring: keyring.set_password(self._service, name, value) or True):
            with self._lock:
                self._kept.pop(name, None)
            return ""
        with self._lock:
            self._kept[name] = value
        return self.notice

    def delete_secret(self, name: str) -> None:
        """Forget a secret; one that is not there is fine."""
        with self._lock:
            self._kept.pop(name, None)
        # Without asking first, some backends show an error to the person at the desk.
        self._ask(
            lambda keyring: (
                keyring.get_password(self._service, name) is not None and keyring.delete_password(self._service, name)
            )
        )

    def _ask(self, question: Callable[[Any], object]) -> object:
        """Ask the keyring on a thread of its own; None where there is none, it fails, or it does not answer."""
        with self._lock:
            if self._reason:
                return None
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
                reasons.append(f"the keyring failed ({type(error).__name__}: {error})")

        thread = threading.Thread(target=run, name="keyring", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if answers:
            return answers[0]
        reason = reasons[0] if reasons else f"the keyring did not answer within {self._timeout_s:g} s"
        with self._lock:
            is_news = not self._reason
            self._reason = reason
        if is_news:
            log.warning("no keyring is used: %s", reason)
        return None


def environment_name(name: str) -> str:
    """Return the environment variable that overrides a secret: "camera/01JD" is WATCHFLOOR_SECRET_CAMERA_01JD."""
    return PREFIX + re.sub(r"[^A-Z0-9]+", "_", name.upper())


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

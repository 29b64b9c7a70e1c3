"""Errors that are sentences with a way out."""

from __future__ import annotations


class ConsoleError(Exception):
    """Something was asked that cannot be done; the operator reads the message.

    Attributes:
        message: One sentence that names the input and the reason.
        hint: What to do about it; may be empty.
        kind: Stable word for the wire and for tests.
    """

    kind = "refused"

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the sentence and the way out apart."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the sentence, and the hint where there is one."""
        return f"{self.message} {self.hint}".strip()


class BadInputError(ConsoleError):
    """A file, an address or a value from outside is not usable."""

    kind = "bad_input"


class StaleWriteError(ConsoleError):
    """Someone else changed the row first."""

    kind = "stale_write"


class NotPermittedError(ConsoleError):
    """The role does not allow this verb, or nobody is signed in."""

    kind = "not_permitted"


class UnavailableError(ConsoleError):
    """A link, a device or a service is gone for now."""

    kind = "unavailable"


_KINDS: dict[str, type[ConsoleError]] = {
    cls.kind: cls for cls in (ConsoleError, BadInputError, StaleWriteError, NotPermittedError, UnavailableError)
}


def error_of_kind(kind: str, message: str, hint: str) -> ConsoleError:
    """Rebuild an error that came over the wire; an unknown kind becomes a plain `ConsoleError`."""
    return _KINDS.get(kind, ConsoleError)(message, hint=hint)

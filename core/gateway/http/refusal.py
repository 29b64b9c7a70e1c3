"""Why a request is not served: a status for programs, a sentence with a way out for people."""

from __future__ import annotations

import json

from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, StaleWriteError, UnavailableError


class Refused(Exception):  # noqa: N818 - a refusal is an answer, no fault of ours
    """A request is answered with an error.

    Attributes:
        status: Of HTTP.
        retry_after_s: When it may come again; None where that would not help.
    """

    def __init__(self, status: int, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        """Keep status, sentence and way out apart."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What goes along."""
        found = [(b"content-type", b"application/json")]
        if self.status == 401:
            found.append((b"www-authenticate", b'Bearer realm="watchfloor"'))
        if self.retry_after_s is not None:
            found.append((b"retry-after", str(max(1, round(self.retry_after_s))).encode()))
        return found

    @property
    def body(self) -> bytes:
        """The sentence as JSON."""
        return json.dumps({"error": self.message, "hint": self.hint}).encode()


def refused_by(error: ConsoleError) -> Refused:
    """Turn an error of the room into an answer."""
    status = {BadInputError: 400, NotPermittedError: 403, StaleWriteError: 409, UnavailableError: 503}
    return Refused(status.get(type(error), 400), error.message, hint=error.hint)

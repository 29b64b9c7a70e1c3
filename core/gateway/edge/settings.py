"""What an edge client is told: a TOML file, arguments that beat it, and a key that stands in neither."""

from __future__ import annotations

import argparse
import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from core.gateway.edge.arguments import KEY_VARIABLE
from core.kernel.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Everything an edge client needs.

    Attributes:
        to: Address of the gateway, with scheme and port.
        source: As `core.gateway.edge.sources.open_source` takes it.
        period_s: Between two pictures.
        spool: Folder for what could not be sent; None keeps nothing.
        spool_mb: When it is full, the oldest pictures go.
        width: Of the pictures that a camera module takes [px]; the height follows.
    """

    to: str
    lot: str
    source: str
    key: str
    period_s: float = 2.0
    ca_file: Path | None = None
    spool: Path | None = None
    spool_mb: float = 200.0
    width: int = 1280
    loops: bool = False

    def __repr__(self) -> str:
        """Leave the key out, and the source, which may hold a camera's password."""
        return f"EdgeSettings(to={self.to!r}, lot={self.lot!r})"

    @property
    def path(self) -> str:
        """Where pictures are posted."""
        return f"/api/parking/{quote(self.lot, safe='')}/frame"


def settings_of(options: argparse.Namespace) -> EdgeSettings:
    """Merge file, arguments and key.

    Raises:
        BadInputError: Something is missing or cannot be used; the sentence names it.
    """
    data = _read_file(options.config)
    arguments = {
        "to": options.to,
        "lot": options.lot,
        "source": options.source,
        "period_s": options.period,
        "key_file": options.key_file,
        "ca_file": options.ca,
        "spool": options.spool,
        "spool_mb": options.spool_mb,
        "loops": options.loop or None,
    }
    data.update({name: value for name, value in arguments.items() if value is not None})
    key_file = data.pop("key_file", None)
    known = {field.name for field in fields(EdgeSettings)} - {"key"}
    if unknown := sorted(set(data) - known):
        raise BadInputError(f"There is no setting {unknown[0]!r}.", hint=f"There are {', '.join(sorted(known))}.")
    for name in ("to", "lot", "source"):
        if not data.get(name):
            raise BadInputError(f"The setting {name!r} is missing.", hint=f"Give it as --{name}, or in the file.")
    for name in ("ca_file", "spool"):
        if data.get(name) is not None:
            data[name] = Path(data[name])
    return _checked(EdgeSettings(key=_read_key(key_file), **data))


def _checked(settings: EdgeSettings) -> EdgeSettings:
    parts = urlsplit(settings.to)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInputError(f"{settings.to!r} is no address of a gateway.", hint="Write it like https://HOST:8480.")
    for name, value, low, high in (
        ("period_s", settings.period_s, 0.02, 86_400.0),
        ("spool_mb", settings.spool_mb, 1.0, 1e6),
        ("width", settings.width, 64, 8192),
    ):
        if not isinstance(value, int | float) or not low <= value <= high:
            raise BadInputError(f"{name} is {value!r}.", hint=f"Use {low:g} to {high:g}.")
    return settings


def _read_key(key_file: str | Path | None) -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and key_file is not None:
        try:
            key = Path(key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"The key in {key_file} cannot be read: {error}.") from error
    if not key:
        raise BadInputError("The device key is missing.", hint=f"Set {KEY_VARIABLE}, or name a file with --key-file.")
    return key


def _read_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file} cannot be read: {error}.") from error

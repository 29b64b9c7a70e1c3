"""What a field client is told: a TOML file, and arguments that beat it."""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.field.client.arguments import PASSWORD_VARIABLE
from core.field.client.device import Access, DeviceInfo, access_to
from core.field.payloads import Location
from core.field.settings import BrokerSettings
from core.field.topics import TopicError, is_slug
from core.kernel.errors import BadInputError


class DeviceSettings(BaseModel):
    """Who the device is.

    Attributes:
        id: "group/device", as its topics begin.
        kind: Key of its device kind; what it says is checked against it.
        location: Latitude and longitude [deg], WGS-84.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    kind: str = "other"
    name: str = Field(default="", max_length=200)
    model: str = Field(default="", max_length=200)
    firmware: str = Field(default="", max_length=64)
    location: tuple[float, float] | None = None


class ClientSettings(BaseModel):
    """Everything a field client needs.

    Attributes:
        password_file: Holds the broker's password; the variable WATCHFLOOR_FIELD_PASSWORD beats it.
        memory: File for outbox, commands and settings; without one a power cut loses what waits.
        simulate: Name of a device kind that is simulated; empty reads measurements from the standard input.
        period_s: Between two measurements of a simulated device.
        count: How many of them; they are numbered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker: BrokerSettings = BrokerSettings(host="127.0.0.1")
    device: DeviceSettings = DeviceSettings()
    password_file: Path | None = None
    memory: Path | None = None
    simulate: str = ""
    period_s: float = Field(default=10.0, ge=0.01, le=86_400)
    count: int = Field(default=1, ge=1, le=1000)
    seed: int = 1

    @property
    def id_parts(self) -> tuple[str, str]:
        """Group and device.

        Raises:
            TopicError: The id is not of that form.
        """
        group, _, device = self.device.id.partition("/")
        if not (is_slug(group) and is_slug(device)):
            raise TopicError(
                f"The device id {self.device.id[:80]!r} is not usable in a topic.",
                hint="Write GROUP/DEVICE, each 1 to 32 of the characters a-z, 0-9 and the hyphen.",
            )
        return group, device

    def info(self, *, number: int = 0) -> DeviceInfo:
        """Describe the device; of several the one with this number, from 1 on."""
        group, device = self.id_parts
        settings = self.device
        name = settings.name or device
        return DeviceInfo(
            group=group,
            device=f"{device}-{number:03}" if number else device,
            name=f"{name} {number}" if number else name,
            model=settings.model,
            firmware=settings.firmware,
            location=None
            if settings.location is None
            else Location(lat=settings.location[0], lon=settings.location[1]),
        )

    def access(self) -> Access:
        """Read password and certificates.

        Raises:
            BadInputError: A file cannot be read.
        """
        try:
            password = os.environ.get(PASSWORD_VARIABLE, "")
            if not password and self.password_file is not None:
                password = self.password_file.read_text(encoding="utf-8").strip()
            return access_to(self.broker, password=password)
        except (OSError, ValueError) as error:
            raise BadInputError(f"Password or certificates cannot be read: {error}.") from error

    def memory_of(self, number: int) -> Path | None:
        """Return the memory file of one of several devices; of the only one for 0."""
        if self.memory is None or number == 0:
            return self.memory
        return self.memory.with_name(f"{self.memory.stem}-{number:03}{self.memory.suffix}")


def settings_of(options: argparse.Namespace) -> ClientSettings:
    """Merge file and arguments.

    Raises:
        BadInputError: One of them is not usable; the sentence names it.
    """
    data = _read_file(options.config)
    broker: dict[str, Any] = data.setdefault("broker", {})
    device: dict[str, Any] = data.setdefault("device", {})
    if options.broker:
        broker["host"], port = _host_and_port(options.broker)
        if port is not None:
            broker["port"] = port
    broker.setdefault("host", "127.0.0.1")
    if options.ca or options.cert:
        broker["is_tls"] = True
        broker.setdefault("port", 8883)
    _put(broker, ca_file=options.ca, cert_file=options.cert, key_file=options.key)
    _put(broker, tenant=options.tenant, username=options.username)
    _put(device, id=options.id, kind=options.kind, name=options.name)
    if options.location:
        device["location"] = options.location.split(",")
    _put(data, memory=options.memory, simulate=options.simulate, count=options.count, period_s=options.period)
    try:
        return ClientSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"The setting {where!r} is not usable: {first['msg']}.") from error


def _read_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file} cannot be read: {error}.") from error


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), None
    if not port.isdigit():
        raise BadInputError(f"The broker {text!r} is not of the form HOST:PORT.")
    return host.strip("[]"), int(port)


def _put(into: dict[str, Any], **values: Any) -> None:
    into.update({key: value for key, value in values.items() if value is not None})

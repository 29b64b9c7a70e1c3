"""Home Assistant out: our devices are found by it, each with its numbers, by device-based MQTT discovery.

What Home Assistant shows comes straight from the devices' own retained topics; nothing is sent twice and nothing can be
switched from there. Told are the devices that speak our grammar themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from core.field.inbox import Inbound
from core.field.kinds import find_kinds
from core.field.kinds.base import OTHER, DeviceKind, Quantity
from core.field.model import Device, Reading
from core.field.payloads import Payload, PayloadError, write
from core.field.topics import OWN_GROUPS, Channel, device_topic
from core.gateway.adapter import Publish
from core.gateway.sparkplug import OUR_GROUP

LOOKED_AT_ONCE = 500
"""Devices in one second: ten thousand take twenty."""

_DEVICE_CLASSES = {"km/h": "speed", "s": "duration", "°C": "temperature", "V": "voltage", "dBm": "signal_strength"}


class DiscoveryConfig(Payload):
    """Home Assistant's discovery payload of one device, as far as we use it.

    Attributes:
        dev, o: The device and who tells of it.
        cmps: Its sensors by key.
    """

    dev: dict[str, Any]
    o: dict[str, Any]
    availability: list[dict[str, Any]]
    cmps: dict[str, dict[str, Any]]
    qos: int


class HomeAssistantAdapter:
    """Keeps what Home Assistant may know equal to what we know.

    Threads: the owner's loop only.
    """

    key = "home_assistant"
    title = "Home Assistant"

    def __init__(
        self,
        *,
        topic: str,
        tenant: str,
        version: str,
        devices: Callable[[], Iterable[Device]],
        newest: Callable[[str], tuple[Reading, ...]],
        publish: Publish,
    ) -> None:
        """Tell of `devices`, with the streams of their `newest` readings, below Home Assistant's discovery `topic`."""
        self._topic = topic
        self._tenant = tenant
        self._version = version
        self._devices = devices
        self._newest = newest
        self._publish = publish
        self._waiting: deque[Device] = deque()
        self._sent: dict[str, bytes] = {}
        self._is_connected = False
        self._is_there = False

    @property
    def filters(self) -> tuple[tuple[str, int], ...]:
        """Whether Home Assistant is there."""
        return ((f"{self._topic}/status", 1),)

    @property
    def note(self) -> str:
        """How many devices it was told of."""
        return f"{len(self._sent)} devices told{'' if self._is_there else ', it has not said that it is there'}"

    def take(self, message: Inbound) -> None:
        """Home Assistant came, and wants to hear everything anew, or went.

        Raises:
            PayloadError: It says neither.
        """
        words = message.payload.decode("utf-8", "replace").strip()
        if words not in ("online", "offline"):
            raise PayloadError(f"Home Assistant is neither online nor offline but {words[:40]!r}.")
        self._is_there = words == "online"
        if self._is_there and not message.is_retained:
            self._tell_anew()

    def connected(self) -> None:
        """The broker may be an empty one."""
        self._is_connected = True
        self._tell_anew()

    def tick(self, now_s: float) -> None:  # noqa: ARG002 - as every adapter
        """Look at the next devices, and tell what is new of them."""
        if not self._is_connected:
            return
        if not self._waiting:
            self._waiting.extend(device for device in self._devices() if _is_told(device))
            self._take_away({device.device_id for device in self._waiting})
        for _ in range(min(LOOKED_AT_ONCE, len(self._waiting))):
            device = self._waiting.popleft()
            config = self._config(device)
            if config == self._sent.get(device.device_id) or not config:
                continue
            if not self._publish(self._config_topic(device.device_id), config, qos=1, is_retained=True):
                self._waiting.appendleft(device)
                return
            self._sent[device.device_id] = config

    def _tell_anew(self) -> None:
        self._sent.clear()
        self._waiting.clear()

    def _take_away(self, known: set[str]) -> None:
        for device_id in self._sent.keys() - known:
            del self._sent[device_id]
            self._publish(self._config_topic(device_id), b"", qos=1, is_retained=True)

    def _config_topic(self, device_id: str) -> str:
        return f"{self._topic}/device/{self._unique(device_id)}/config"

    def _unique(self, device_id: str) -> str:
        return f"watchfloor-{self._tenant}-{device_id.replace('/', '_')}"

    def _config(self, device: Device) -> bytes:
        """Return what is told of a device; empty while there is nothing to show."""
        kind = find_kinds().get(device.kind, OTHER)
        unique = self._unique(device.device_id)
        sensors: dict[str, Any] = {}
        for stream, quantity in self._quantities(device, kind):
            key = f"{stream}-{quantity.key}"
            sensors[key] = {
                "p": "sensor",
                "unique_id": f"{unique}-{key}",
                "name": quantity.title,
                "state_topic": device_topic(self._tenant, device.device_id, Channel.STATE, stream),
                "value_template": f"{{{{ value_json.data[{quantity.key!r}] | default(none) }}}}",
                "state_class": "measurement",
                "suggested_display_precision": quantity.decimals,
                "expire_after": round(kind.stale_s(stream)),
                **({"unit_of_measurement": quantity.unit} if quantity.unit else {}),
                **({"device_class": _DEVICE_CLASSES[quantity.unit]} if quantity.unit in _DEVICE_CLASSES else {}),
            }
        if not sensors:
            return b""
        config = DiscoveryConfig(
            dev={
                "ids": [unique],
                "name": device.name,
                "mf": "Watchfloor",
                "mdl": kind.title,
                **({"sw": device.firmware} if device.firmware else {}),
            },
            o={"name": "Watchfloor", "sw": self._version},
            availability=[
                {
                    "topic": device_topic(self._tenant, device.device_id, Channel.STATUS),
                    "value_template": "{{ 'online' if value_json.state == 'online' else 'offline' }}",
                }
            ],
            cmps=sensors,
            qos=1,
        )
        return write(config)

    def _quantities(self, device: Device, kind: DeviceKind) -> list[tuple[str, Quantity]]:
        """Return stream and quantity of all that a device has said; before it spoke, of all its kind may say."""
        declared = {quantity.key: quantity for quantity in kind.quantities}
        found = [
            (reading.stream, declared.get(key) or Quantity(key=key, title=key, unit="", decimals=2))
            for reading in self._newest(device.device_id)
            for key in reading.values
            if _is_plain(key)
        ]
        return found or [(kind.streams[0].key, quantity) for quantity in kind.quantities]


def _is_told(device: Device) -> bool:
    return device.is_enabled and device.device_id.partition("/")[0] not in OWN_GROUPS | {OUR_GROUP}


def _is_plain(key: str) -> bool:
    """What a device calls its numbers stands in a template: only what cannot be one."""
    return key.isascii() and key.replace("_", "").replace("-", "").isalnum()

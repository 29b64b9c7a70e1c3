"""Settings: typed, bounded, and never a reason for the room not to open.

Precedence: arguments > environment (`WATCHFLOOR_SECTION__KEY`) > TOML file > defaults. A section that cannot be used
falls back to its defaults; what was wrong is returned beside the settings as sentences, one for each fault.
"""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from core.kernel.sizes import input_wh_of
from core.kernel.zone import is_zone

Port = Annotated[int, Field(ge=0, le=65535)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]


class Section(BaseModel):
    """One table of the settings file; an unknown key is a fault, not a surprise."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_zone(name: str) -> str:
    if name and not is_zone(name):
        raise ValueError("there is no such time zone; write it like Europe/Berlin")
    return name


def _networks(text: str) -> str:
    for part in text.split(","):
        try:
            ipaddress.ip_network(part.strip() or "127.0.0.1", strict=False)
        except ValueError:
            raise ValueError(f"{part.strip()!r} is no network; write it like 192.168.4.0/24") from None
    return text


def _input_size(text: str) -> str:
    if text and input_wh_of(text) is None:
        raise ValueError("width and height are multiples of 32 up to 2048; write it like 512x288")
    return text


def area_codes_of(text: str) -> frozenset[tuple[str, str]]:
    """Return names and values of codes of areas, written like "WARNCELLID=105315000, UGC=ILZ014".

    Raises:
        ValueError: It is written otherwise.
    """
    found = set()
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, value = (word.strip() for word in part.rpartition("="))
        if not name or not value or ";" in part:
            raise ValueError(f"{part!r} is no code of an area; write them like WARNCELLID=105315000, UGC=ILZ014")
        found.add((name, value))
    return frozenset(found)


def _area_codes(text: str) -> str:
    area_codes_of(text)
    return text


class SiteSettings(Section):
    """What this room is called and where it is."""

    name: Annotated[str, Field(min_length=1, max_length=60)] = "Watchfloor"
    tenant: Slug = "city"
    basemap: str = ""
    center_lat_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    center_lon_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    time_zone: Annotated[str, AfterValidator(_known_zone)] = ""
    """IANA name that hours and weekdays are meant in; empty is this machine's."""


class StoreSettings(Section):
    """Where the truth is kept; empty means the SQLite file in the data folder."""

    url: str = ""
    stand_by: bool = False
    """Where another node writes into the database: wait for its end and go on from there, and do not end."""

    keep_readings_days: Annotated[int, Field(ge=1, le=3660)] = 90


class BrokerSection(Section):
    """The MQTT broker; an empty host starts the embedded one on this machine.

    The password comes from `WATCHFLOOR_SECRET_BROKER` or the keyring, never from the file.
    """

    host: str = ""
    port: Port = 1883
    username: str = ""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    folder: str = ""
    """What `broker-config` made, where this node can write it: consoles may then issue certificates."""


class AdapterSettings(Section):
    """Other systems at the same broker; each is off until it is switched on.

    `frigate_zones` names the zones that call an operator, "ZONE" or "CAMERA/ZONE", with commas; empty means all.
    """

    frigate: bool = False
    frigate_topic: Annotated[str, Field(pattern=r"^[^+#\x00]{1,60}$")] = "frigate"
    frigate_zones: str = ""
    home_assistant: bool = False
    home_assistant_topic: Annotated[str, Field(pattern=r"^[^+#\x00]{1,60}$")] = "homeassistant"
    sparkplug: bool = False


class VisionSettings(Section):
    """Detection: which model, on what, and how much of the machine it may take."""

    model: str = ""
    engine: Literal["auto", "openvino", "onnxruntime", "torch-cuda", "tensorrt", "triton"] = "auto"
    input_size: Annotated[str, AfterValidator(_input_size)] = ""
    """Width and height that the network sees, like "512x288", multiples of 32; empty is the model's own. A smaller one
    leaves room for more cameras and misses small vehicles. Models of one fixed size keep theirs,
    and Health says so."""

    threads: Annotated[int, Field(ge=0, le=256)] = 0
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Boxes below it are dropped; the trackers use weak ones to follow what they know, and begin with strong ones."""

    overlap: Annotated[float, Field(gt=0, lt=1)] = 0.5
    cameras_per_worker: Annotated[int, Field(ge=1, le=64)] = 16
    may_download: bool = True
    hardware_decode: Annotated[str, Field(min_length=1, max_length=64)] = "auto"
    """"auto" takes what decodes a clip at the start, "off" decodes in software, or a name: "cuda", "vaapi:DEVICE"."""


class LinkSettings(Section):
    """How consoles reach the node.

    `node` names an external node (`host:port`); empty lets the console start its own. Another address than
    loopback needs a certificate.
    """

    node: str = ""
    host: str = "127.0.0.1"
    port: Port = 0
    certificate_file: str = ""
    key_file: str = ""
    ca_file: str = ""


class ConsoleSettings(Section):
    """How this desk looks and sounds."""

    desk: Annotated[str, Field(max_length=60)] = ""
    theme: Literal["dark", "day"] = "dark"
    scale_percent: Annotated[int, Field(ge=80, le=200)] = 100
    sound: bool = True
    sound_output: str = ""
    """Name of the output that alarms are heard from; empty is the system's default."""

    volume_percent: Annotated[int, Field(ge=0, le=100)] = 80
    """Critical alarms are never lower than 30."""

    speech: bool = False
    reduced_motion: bool = False
    arrange_for_alarms: bool = True
    """Selecting an alarm shows its cameras, its place and its trend; Backspace puts the room back."""


def _as_keys(value: Any) -> Any:
    """Take "Space A" for two keys: on a command line and in the environment there are no lists."""
    return tuple(value.split()) if isinstance(value, str) else value


Keys = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=32)], ...], BeforeValidator(_as_keys)]


class KeySettings(Section):
    """What the keys of the alarm list do; each takes one key or several, written as on the F1 page."""

    newest: Keys = ("F2",)
    put_back: Keys = ("Backspace",)
    help: Keys = ("F1",)
    acknowledge: Keys = ("Space", "A")
    acknowledge_page: Keys = ("Shift+A",)
    shelve: Keys = ("S",)
    unacknowledge: Keys = ("U",)
    reset: Keys = ("R",)
    close_unheard: Keys = ("X",)
    out_of_service: Keys = ("O",)
    comment: Keys = ("C",)
    tick: Keys = ("T",)
    go_to: Keys = ("G", "Return", "Enter")
    escalate: Keys = ("E",)
    make_incident: Keys = ("I",)
    silence: Keys = ("M",)
    next: Keys = ("N",)
    previous: Keys = ("P",)


class AccessSettings(Section):
    """How long a shift is."""

    session_hours: Annotated[float, Field(gt=0, le=48)] = 12.5


class CapSettings(Section):
    """Regional warnings in, incidents out, as CAP 1.2; each way is off while its place is empty.

    `languages` and `accept` are lists apart by commas. What is farther than `radius_km` from the site's centre is only
    kept; 0 takes everything. `geocodes` are names and values of codes of areas, "WARNCELLID=105315000, UGC=ILZ014":
    an area with codes of such a name and none of the values is elsewhere. `publish_status` is what our own messages say
    they are: only "Actual" is meant.
    """

    folder: str = ""
    url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    poll_s: Annotated[float, Field(ge=10, le=3600)] = 60.0
    topic: Annotated[str, Field(max_length=256)] = ""
    languages: str = "en"
    accept: Annotated[str, Field(pattern=r"^(Actual|Exercise|System|Test)(, *(Actual|Exercise|System|Test))*$")] = (
        "Actual"
    )
    radius_km: Annotated[float, Field(ge=0, le=20000)] = 0.0
    geocodes: Annotated[str, AfterValidator(_area_codes)] = ""
    publish_folder: str = ""
    publish_topic: Annotated[str, Field(max_length=256)] = ""
    publish_status: Literal["Actual", "Exercise", "Test"] = "Test"
    sender: Annotated[str, Field(pattern=r"^[^\s,<&]*$", max_length=120)] = ""


class GatewaySettings(Section):
    """HTTP for edge cameras and other systems; nobody listens until `enabled`.

    Another address than loopback needs a certificate. A key may post `frames_per_s` pictures of at most `max_frame_mb`,
    which unpack to at most `max_frame_megapixels`. Drones need a key too, unless they come from one of the networks in
    `keyless_drones` ("192.168.4.0/24, 127.0.0.1"): whoever is in such a network also sees all drones.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Port = 8480
    certificate_file: str = ""
    key_file: str = ""
    max_frame_mb: Annotated[float, Field(ge=0.1, le=32)] = 8.0
    max_frame_megapixels: Annotated[float, Field(ge=0.1, le=64)] = 16.0
    frames_per_s: Annotated[float, Field(gt=0, le=30)] = 5.0
    keyless_drones: Annotated[str, AfterValidator(_networks)] = ""


class ParkingSettings(Section):
    """Forecasts of lots: whose public holidays count, when models are trained, and when a full lot is warned of.

    `country` is ISO 3166-1 (two letters), `region` ISO 3166-2 without it; empty knows no holidays. A lot that is full
    within `warn_full_min` minutes with at least `warn_full_probability` is called; 0 minutes warns of none.
    """

    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    region: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,3}$")] = ""
    train_hour: Annotated[int, Field(ge=0, le=23)] = 3
    warn_full_min: Annotated[int, Field(ge=0, le=240)] = 60
    warn_full_probability: Annotated[float, Field(ge=0.5, le=1.0)] = 0.7


class DroneSettings(Section):
    """Drones that speak MAVLink; nobody is listened to while `links` is empty.

    Nothing is sent, unless a supervisor lets a link ask for a while. It then speaks as system `active_system`, which no
    drone may have, and says that it is a "companion" computer, which no failsafe listens to. As "ground_station"
    (`active_heartbeat`) it hides from drones that their pilot's own is lost.

    A link is "udp:HOST:PORT" (where we listen), "tcp:HOST:PORT" (a modem, a simulator, mavlink-router),
    "serial:DEVICE:BAUD" or "file:LOG.tlog"; "NAME=" before it names it, ";warn" or ";require" behind it checks
    signatures there. Keys come from `WATCHFLOOR_SECRET_DRONE_LINK_NAME` or the keyring. A drone above `max_height_m`
    over its home is called, where its fence says no other height; 0 for none.
    """

    links: Annotated[tuple[Annotated[str, Field(min_length=5, max_length=300)], ...], BeforeValidator(_as_keys)] = ()
    signing: Literal["off", "warn", "require"] = "off"
    max_height_m: Annotated[float, Field(ge=0, le=10000)] = 120.0
    keep_log_days: Annotated[int, Field(ge=1, le=3660)] = 30
    """Of every byte that came; flights and their tracks stay."""

    active_system: Annotated[int, Field(ge=1, le=254)] = 245
    """Never 255: that is what pilots' ground stations use."""

    active_heartbeat: Literal["companion", "ground_station"] = "companion"


class CotSettings(Section):
    """Drones and units for TAK, as Cursor on Target; nobody is told while `url` is empty.

    "udp://239.2.3.1:6969", "tcp://HOST:8087" or "tls://HOST:8089". With TLS the server's certificate is checked against
    `ca_file` (empty: the machine's authorities), and `certificate_file` with `key_file` is shown to it.
    """

    url: Annotated[str, Field(max_length=300)] = ""
    every_s: Annotated[float, Field(ge=0.2, le=60)] = 2.0
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class Settings(BaseModel):
    """All settings of one start."""

    model_config = ConfigDict(frozen=True)

    site: SiteSettings = SiteSettings()
    store: StoreSettings = StoreSettings()
    broker: BrokerSection = BrokerSection()
    adapters: AdapterSettings = AdapterSettings()
    vision: VisionSettings = VisionSettings()
    link: LinkSettings = LinkSettings()
    console: ConsoleSettings = ConsoleSettings()
    keys: KeySettings = KeySettings()
    access: AccessSettings = AccessSettings()
    cap: CapSettings = CapSettings()
    gateway: GatewaySettings = GatewaySettings()
    parking: ParkingSettings = ParkingSettings()
    drones: DroneSettings = DroneSettings()
    cot: CotSettings = CotSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFault:
    """One thing in the settings that could not be used.

    Attributes:
        origin: File name, "environment" or "arguments".
        key: `section.key`, or "" where the whole file is meant.
    """

    origin: str
    key: str
    reason: str

    @property
    def sentence(self) -> str:
        """What the operator reads."""
        where = f"{self.key} in {self.origin}" if self.key else self.origin
        return f"Setting {where} is not used: {self.reason}." if self.key else f"{where} is not used: {self.reason}."


class _Environment(BaseSettings):
    """Reads nested `WATCHFLOOR_SECTION__KEY` variables as raw text; validation happens section by section."""

    model_config = SettingsConfigDict(env_prefix="WATCHFLOOR_", env_nested_delimiter="__", extra="ignore")

    site: dict[str, Any] = {}
    store: dict[str, Any] = {}
    broker: dict[str, Any] = {}
    adapters: dict[str, Any] = {}
    vision: dict[str, Any] = {}
    link: dict[str, Any] = {}
    console: dict[str, Any] = {}
    keys: dict[str, Any] = {}
    access: dict[str, Any] = {}
    cap: dict[str, Any] = {}
    gateway: dict[str, Any] = {}
    parking: dict[str, Any] = {}
    drones: dict[str, Any] = {}
    cot: dict[str, Any] = {}


def load_settings(
    file: Path | None = None, arguments: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Settings, tuple[SettingsFault, ...]]:
    """Merge every source; whatever is wrong is left out and named.

    Args:
        file: TOML file; None or a missing default file counts as empty.
        arguments: Values by section and key that beat everything else.
    """
    faults: list[SettingsFault] = []
    layers = [
        (str(file), _read_toml(file, faults) if file else {}),
        ("environment", _read_environment(faults)),
        ("arguments", {name: dict(values) for name, values in (arguments or {}).items()}),
    ]
    sections: dict[str, Section] = {}
    for name, info in Settings.model_fields.items():
        kind = info.annotation
        if not isinstance(kind, type) or not issubclass(kind, Section):
            raise TypeError(f"{name} of Settings is no section")
        sections[name] = _merge_section(name, kind, layers, faults)
    for origin, values in layers:
        faults.extend(
            SettingsFault(origin=origin, key=name, reason=_unknown("section", name, list(sections)))
            for name in values
            if name not in sections
        )
    return Settings(**sections), tuple(faults)


def _read_toml(file: Path, faults: list[SettingsFault]) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults.append(SettingsFault(origin=str(file), key="", reason="the file does not exist"))
    except tomllib.TOMLDecodeError as error:
        faults.append(SettingsFault(origin=str(file), key="", reason=f"it is not valid TOML ({error})"))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(SettingsFault(origin=str(file), key="", reason=f"it cannot be read ({error})"))
    return {}


def _read_environment(faults: list[SettingsFault]) -> dict[str, Any]:
    try:
        return {name: values for name, values in EnvSettingsSource(_Environment)().items() if values}
    except ValueError as error:
        faults.append(SettingsFault(origin="environment", key="", reason=str(error)))
        return {}


def _merge_section(
    name: str, kind: type[Section], layers: list[tuple[str, dict[str, Any]]], faults: list[SettingsFault]
) -> Section:
    """Lay the sources over each other; a source whose values do not validate is left out of this section."""
    merged: dict[str, Any] = {}
    for origin, values in layers:
        table = values.get(name)
        if table is None:
            continue
        if not isinstance(table, Mapping):
            faults.append(SettingsFault(origin=origin, key=name, reason="it must be a table of keys"))
            continue
        usable: dict[str, Any] = {}
        for key, value in table.items():
            if key not in kind.model_fields:
                reason = _unknown("key", key, list(kind.model_fields))
                faults.append(SettingsFault(origin=origin, key=f"{name}.{key}", reason=reason))
            elif value is not None:
                usable[key] = value
        try:
            kind.model_validate(usable)
        except ValidationError as error:
            for item in error.errors():
                key = ".".join(str(part) for part in item["loc"]) or name
                faults.append(SettingsFault(origin=origin, key=f"{name}.{key}", reason=_plain(item["msg"])))
            continue
        merged.update(usable)
    return kind.model_validate(merged)


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no such {what}" + (f", did you mean {near[0]!r}" if near else "")


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]

"""A folder from which a Mosquitto runs: configuration, access list, certificates, and a place for what it keeps.

Every client signs in with a certificate; its common name is its user name: a device's is "{group}.{device}". Each
device has lines of its own in the access list, so that taking a device out of it ends its rights at the next reload,
also on a connection that is open.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from core.field.certificates import (
    CLIENT_DAYS,
    Pair,
    Revoked,
    days_left,
    hosts_of,
    issue_client,
    issue_server,
    make_authority,
    revocation_list,
)
from core.field.topics import AVAILABILITY_GROUP, FROM_DEVICE, ROOT, STREAMED, VERSION, Channel, device_topic, is_slug
from core.kernel.errors import BadInputError, ConsoleError

TLS_PORT = 8883
RENEW_SERVER_BELOW_DAYS = 60.0
BROKER_USER = "mosquitto"

SITE_FILE = "site.json"
CONFIG_FILE = "mosquitto.conf"
ACCESS_FILE = "acl"
AUTHORITY_CERTIFICATE, AUTHORITY_KEY = "ca.crt", "ca.key"
SERVER_CERTIFICATE, SERVER_KEY = "server.crt", "server.key"
REVOKED_FILE = "revoked.crl"
CLIENTS_FOLDER, DATA_FOLDER = "clients", "data"

_TO_DEVICE = (Channel.EVT_ACK, Channel.CMD, Channel.TWIN_DESIRED)
SYSTEMS: dict[str, tuple[str, ...]] = {
    "frigate": ("readwrite frigate/#",),
    "home-assistant": ("read {root}/#", "readwrite homeassistant/#"),
    "sparkplug": ("readwrite spBv1.0/#",),
    "reader": ("read {root}/#",),
}
"""Other programs that may come to the same broker, and what each may do there."""

_CORE = (
    *("readwrite {root}/#", "readwrite spBv1.0/#", "readwrite homeassistant/#", "readwrite frigate/#"),
    *("read v1.1/#", "read $SYS/#"),
)


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that was issued.

    Attributes:
        user: Its common name, which is the user name at the broker.
        kind: "core", "device", or a key of `SYSTEMS`.
        device_id: "{group}/{device}"; empty where it is no device.
    """

    user: str
    kind: str
    serial: str
    issued_at: datetime
    ends_at: datetime
    device_id: str = ""
    revoked_at: datetime | None = None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder was made for; `site.json`."""

    tenant: str
    hosts: tuple[str, ...]
    port: int
    broker_user: str
    clients: tuple[Client, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerWish:
    """What an installer asks for.

    Attributes:
        tenant, hosts, port: Empty or 0 keeps what the folder was made with; a new one needs hosts.
        devices: Ids, "{group}/{device}".
        systems: Keys of `SYSTEMS`.
        broker_user: System user the broker runs as; empty means "mosquitto" where root makes the folder.
    """

    tenant: str = ""
    hosts: tuple[str, ...] = ()
    port: int = 0
    cores: tuple[str, ...] = ("core",)
    devices: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    broker_user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A client's new certificate, with all that the client needs.

    Attributes:
        authority_pem: Signs the broker's certificate; the client trusts it and nobody else.
    """

    user: str
    device_id: str
    ends_at: datetime
    certificate_pem: str
    key_pem: str = field(repr=False)
    authority_pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOutcome:
    """What became of one device of many that shall have a certificate.

    Attributes:
        reason: Why it got none; empty where it did.
    """

    device_id: str
    reason: str = ""
    issued: IssuedCertificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerReport:
    """What was done to a folder."""

    folder: Path
    site: Site
    is_new: bool
    issued: tuple[str, ...]
    has_new_server: bool


def write_broker(folder: Path, wish: BrokerWish, now: datetime) -> BrokerReport:
    """Make the folder, or bring it up to date: the authority and every certificate that counts stay.

    Raises:
        BadInputError: A name is outside the grammar, no host is known, or the folder holds another site.
        ConsoleError: The folder cannot be written.
    """
    with _changing(folder):
        known = _read_site(folder)
        site = _merge(known, wish)
        authority = _authority(folder, site.tenant, now)
        has_new_server = _keep_server(folder, site, authority, now)
        wanted = [(core, "core", "") for core in wish.cores]
        wanted += [(system, system, "") for system in wish.systems]
        wanted += [(user_of(device), "device", device) for device in wish.devices]
        valid = {client.user for client in site.clients if client.revoked_at is None}
        issued = []
        for user, kind, device_id in wanted:
            if user in valid:
                continue
            valid.add(user)
            client, pair = _issue(authority, user, kind, device_id, now, CLIENT_DAYS)
            _write_client(folder, user, pair)
            site = msgspec.structs.replace(site, clients=(*site.clients, client))
            issued.append(user)
        _write_broker_side(folder, site, authority, now)
    return BrokerReport(
        folder=folder, site=site, is_new=known is None, issued=tuple(issued), has_new_server=has_new_server
    )


def issue_certificate(folder: Path, device_id: str, now: datetime, *, days: int = CLIENT_DAYS) -> IssuedCertificate:
    """Give a device a certificate and its lines in the access list; an older certificate of it no longer counts.

    The key is in the answer only: the folder does not keep it. The broker reads the new list when it is told to
    (`systemctl reload mosquitto`, or SIGHUP).

    Raises:
        BadInputError: The id is outside the grammar, or the folder was not made by `write_broker`.
        ConsoleError: The folder cannot be written.
    """
    (issued,) = issue_certificates(folder, [device_id], now, days=days)
    return issued


def issue_certificates(
    folder: Path, device_ids: Sequence[str], now: datetime, *, days: int = CLIENT_DAYS
) -> list[IssuedCertificate]:
    """Give devices a certificate each, writing the folder once; see `issue_certificate`.

    Raises:
        BadInputError: An id is outside the grammar, or the folder was not made by `write_broker`; nothing was issued.
        ConsoleError: The folder cannot be written.
    """
    users = {user_of(device_id): device_id for device_id in device_ids}
    with _changing(folder):
        site = _known_site(folder)
        authority = _authority(folder, site.tenant, now)
        clients = tuple(_revoked(client, now) if client.user in users else client for client in site.clients)
        new = [
            (device_id, *_issue(authority, user, "device", device_id, now, days)) for user, device_id in users.items()
        ]
        site = msgspec.structs.replace(site, clients=(*clients, *(client for _, client, _ in new)))
        _write_broker_side(folder, site, authority, now)
    return [
        IssuedCertificate(
            user=client.user,
            device_id=device_id,
            ends_at=client.ends_at,
            certificate_pem=pair.certificate_pem.decode(),
            key_pem=pair.key_pem.decode(),
            authority_pem=authority.certificate_pem.decode(),
        )
        for device_id, client, pair in new
    ]


def revoke(folder: Path, names: Iterable[str], now: datetime) -> tuple[str, ...]:
    """Take clients' certificates back, by user name or device id; returns the user names.

    Raises:
        BadInputError: Somebody has no certificate that counts; nothing was changed then.
        ConsoleError: The folder cannot be written.
    """
    with _changing(folder):
        site = _known_site(folder)
        valid = {client.user for client in site.clients if client.revoked_at is None}
        users = tuple(dict.fromkeys(user_of(name) if "/" in name else name for name in names))
        for user in users:
            if user not in valid:
                raise BadInputError(
                    f"{user!r} has no certificate that counts.", hint=f"{folder / SITE_FILE} lists those that do."
                )
        clients = tuple(_revoked(client, now) if client.user in users else client for client in site.clients)
        site = msgspec.structs.replace(site, clients=clients)
        _write_broker_side(folder, site, _authority(folder, site.tenant, now), now)
        for user in users:
            for file in _client_files(folder, user):
                file.unlink(missing_ok=True)
    return users


def user_of(device_id: str) -> str:
    """Return a device's user name: a dot stands for the slash, which later Mosquittos distrust in names.

    Raises:
        BadInputError: The id is outside the grammar.
    """
    group, slash, device = device_id.partition("/")
    if not (slash and is_slug(group) and is_slug(device)):
        raise BadInputError(
            f"The device id {device_id[:80]!r} is not usable.",
            hint="Write it as group/device, each of 1 to 32 of the characters a-z, 0-9 and the hyphen.",
        )
    return f"{group}.{device}"


def read_device_list(text: str) -> tuple[str, ...]:
    """Return the ids in a list: one a line, or the first column of a CSV; empty lines and those with # are left out.

    Raises:
        BadInputError: A line is no id; the sentence names the line.
    """
    found = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        device_id = line.partition("#")[0].replace(";", ",").split(",")[0].strip().strip('"')
        if not device_id or (number == 1 and "/" not in device_id):
            continue
        try:
            user_of(device_id)
        except BadInputError as error:
            raise BadInputError(f"Line {number}: {error.message}", hint=error.hint) from error
        found.append(device_id)
    return tuple(dict.fromkeys(found))


def mosquitto_tls_config(folder: Path, site: Site) -> str:
    """Return the configuration: for Mosquitto 2.0 and newer, alone in its process, with absolute paths."""
    lines = [
        "# Written by `watchfloor broker-config`, and written again by its next run.",
        f"user {site.broker_user}",
        f"listener {site.port}",
        f"cafile {folder / AUTHORITY_CERTIFICATE}",
        f"certfile {folder / SERVER_CERTIFICATE}",
        f"keyfile {folder / SERVER_KEY}",
        f"crlfile {folder / REVOKED_FILE}",
        "tls_version tlsv1.2",
        "require_certificate true",
        "use_identity_as_username true",
        "allow_anonymous false",
        f"acl_file {folder / ACCESS_FILE}",
        "",
        "# Sessions, queues and retained messages outlive a restart; a power cut costs 30 s of them at most.",
        "persistence true",
        f"persistence_location {folder / DATA_FOLDER}{os.sep}",
        "autosave_interval 30",
        "persistent_client_expiration 7d",
        "",
        "# The stock limit of 1000 drops quietly while a console is away.",
        "max_queued_messages 100000",
        "max_inflight_messages 100",
        "max_packet_size 1048576",
        "set_tcp_nodelay true",
        "",
        "log_dest stderr",
        *(f"log_type {level}" for level in ("error", "warning", "notice", "information")),
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    return "\n".join(lines) + "\n"


def access_list(site: Site) -> str:
    """Return who may do what: one block for each client whose certificate counts."""
    root = f"{ROOT}/{VERSION}/{site.tenant}"
    blocks = ["# Written by `watchfloor broker-config`. Who does not stand here may do nothing."]
    for client in site.clients:
        if client.revoked_at is not None:
            continue
        if client.kind == "device":
            rights = _device_rights(site.tenant, client.device_id)
        else:
            lines = _CORE if client.kind == "core" else SYSTEMS[client.kind]
            rights = [f"topic {line.format(root=root)}" for line in lines]
        blocks.append("\n".join([f"user {client.user}", *rights]))
    return "\n\n".join(blocks) + "\n"


def _device_rights(tenant: str, device_id: str) -> list[str]:
    def name(channel: Channel) -> str:
        if channel not in STREAMED:
            return device_topic(tenant, device_id, channel)
        return device_topic(tenant, device_id, channel, "x").removesuffix("x") + "+"

    return [
        *(f"topic write {name(channel)}" for channel in FROM_DEVICE),
        *(f"topic read {name(channel)}" for channel in _TO_DEVICE),
        f"topic read {ROOT}/{VERSION}/{tenant}/_host/#",
        f"topic read {ROOT}/{VERSION}/{tenant}/{AVAILABILITY_GROUP}/#",
    ]


# -- the folder -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """Hold the folder alone, and turn what the system refuses into a sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        with (folder / ".lock").open("a+b") as lock:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ConsoleError(
            f"The broker's folder {folder} cannot be written ({error.strerror or error}).",
            hint="Run it as the user who owns the folder, or as root.",
        ) from error


def _read_site(folder: Path) -> Site | None:
    file = folder / SITE_FILE
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Site)
    except msgspec.DecodeError as error:
        raise BadInputError(f"{file} is damaged ({error}).", hint="Put it back from a backup.") from error


def _known_site(folder: Path) -> Site:
    site = _read_site(folder)
    if site is None:
        raise BadInputError(f"{folder} holds no broker.", hint="Make it with: main.py broker-config --out FOLDER.")
    return site


def _merge(known: Site | None, wish: BrokerWish) -> Site:
    _check(wish)
    if known is None:
        if not wish.hosts:
            raise BadInputError(
                "The broker's certificate has to name the hosts under which clients reach it.",
                hint="Name them with --host.",
            )
        return Site(
            tenant=wish.tenant or "city",
            hosts=wish.hosts,
            port=wish.port or TLS_PORT,
            broker_user=wish.broker_user or _own_user(),
        )
    if wish.tenant and known.tenant != wish.tenant:
        raise BadInputError(
            f"The folder holds the broker of the tenant {known.tenant!r}, not of {wish.tenant!r}.",
            hint="Name the same tenant, or another folder.",
        )
    return msgspec.structs.replace(
        known,
        hosts=wish.hosts or known.hosts,
        port=wish.port or known.port,
        broker_user=wish.broker_user or known.broker_user,
    )


def _check(wish: BrokerWish) -> None:
    named = [("core", core) for core in wish.cores]
    if wish.tenant:
        named.append(("tenant", wish.tenant))
    for what, slug in named:
        if not is_slug(slug):
            raise BadInputError(
                f"The {what} {slug[:80]!r} is not usable.",
                hint="Use 1 to 32 of the characters a-z, 0-9 and the hyphen.",
            )
    for system in wish.systems:
        if system not in SYSTEMS:
            raise BadInputError(f"There is no system {system[:40]!r}.", hint=f"Choose of {', '.join(SYSTEMS)}.")
    if not 0 <= wish.port <= 65_535:
        raise BadInputError(f"{wish.port} is no port.", hint="Use 1 to 65535.")
    clash = set(wish.cores) & set(SYSTEMS)
    if clash:
        raise BadInputError(f"A core cannot be called {clash.pop()!r}: a system is called so.")


def _own_user() -> str:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return BROKER_USER
    import getpass

    return getpass.getuser()


def _authority(folder: Path, tenant: str, now: datetime) -> Pair:
    certificate, key = folder / AUTHORITY_CERTIFICATE, folder / AUTHORITY_KEY
    if certificate.exists() != key.exists():
        missing = key if certificate.exists() else certificate
        raise BadInputError(
            f"{missing} is missing: without it nothing can be signed.",
            hint="Put it back from where you keep it; a new authority would lock out every client.",
        )
    if not certificate.exists():
        made = make_authority(f"Watchfloor {tenant}", now)
        _write(key, made.key_pem, 0o600)
        _write(certificate, made.certificate_pem, 0o644)
    return Pair(certificate_pem=certificate.read_bytes(), key_pem=key.read_bytes())


def _keep_server(folder: Path, site: Site, authority: Pair, now: datetime) -> bool:
    """Sign the broker's certificate anew where it names other hosts or ends soon; tells whether it did."""
    certificate = folder / SERVER_CERTIFICATE
    if certificate.exists() and (folder / SERVER_KEY).exists():
        pem = certificate.read_bytes()
        if set(hosts_of(pem)) == set(site.hosts) and days_left(pem, now) > RENEW_SERVER_BELOW_DAYS:
            return False
    pair = issue_server(authority, site.hosts, now)
    _write(folder / SERVER_KEY, pair.key_pem, 0o600)
    _write(certificate, pair.certificate_pem, 0o644)
    return True


def _issue(authority: Pair, user: str, kind: str, device_id: str, now: datetime, days: int) -> tuple[Client, Pair]:
    pair = issue_client(authority, user, now, days)
    certificate = pair.certificate
    client = Client(
        user=user,
        kind=kind,
        serial=f"{certificate.serial_number:x}",
        issued_at=now,
        ends_at=certificate.not_valid_after_utc,
        device_id=device_id,
    )
    return client, pair


def _revoked(client: Client, now: datetime) -> Client:
    return client if client.revoked_at is not None else msgspec.structs.replace(client, revoked_at=now)


def _client_files(folder: Path, user: str) -> tuple[Path, Path]:
    place = folder / CLIENTS_FOLDER
    return place / f"{user}.crt", place / f"{user}.key"


def _write_client(folder: Path, user: str, pair: Pair) -> None:
    (folder / CLIENTS_FOLDER).mkdir(exist_ok=True, mode=0o700)
    certificate, key = _client_files(folder, user)
    _write(key, pair.key_pem, 0o600)
    _write(certificate, pair.certificate_pem, 0o644)


def _write_broker_side(folder: Path, site: Site, authority: Pair, now: datetime) -> None:
    """Write all that the broker reads, and give it to the user it runs as."""
    revoked = [
        Revoked(serial=int(client.serial, 16), revoked_at=client.revoked_at)
        for client in site.clients
        if client.revoked_at is not None
    ]
    _write(folder / REVOKED_FILE, revocation_list(authority, revoked, now), 0o644)
    _write(folder / ACCESS_FILE, access_list(site).encode(), 0o600)
    _write(folder / CONFIG_FILE, mosquitto_tls_config(folder, site).encode(), 0o600)
    (folder / DATA_FOLDER).mkdir(exist_ok=True, mode=0o700)
    _give_to_broker(folder, site.broker_user)
    # Last: what stands here is then true of all the others.
    _write(folder / SITE_FILE, msgspec.json.format(msgspec.json.encode(site), indent=1), 0o600)


def _give_to_broker(folder: Path, user: str) -> None:
    """Mosquitto leaves root before it reads its key: what it reads and writes has to be its own."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    import pwd

    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise BadInputError(
            f"There is no system user {user!r} here, as whom the broker could run.",
            hint="Install Mosquitto first, or name its user with --user.",
        ) from None
    os.chown(folder, -1, found.pw_gid)
    folder.chmod(0o750)
    for name in (CONFIG_FILE, ACCESS_FILE, AUTHORITY_CERTIFICATE, SERVER_CERTIFICATE, SERVER_KEY, REVOKED_FILE):
        os.chown(folder / name, found.pw_uid, found.pw_gid)
    data = folder / DATA_FOLDER
    for path in (data, *data.iterdir()):
        os.chown(path, found.pw_uid, found.pw_gid)


def _write(file: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all; it never stands open to others, not even for a moment."""
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)

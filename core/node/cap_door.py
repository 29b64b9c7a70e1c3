"""Where CAP comes in and goes out: a folder, an address that is asked, a topic; and what is wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from core.access.model import Actor, Role
from core.access.permission import require
from core.field.inbox import Inbound
from core.incidents import cap, publish
from core.incidents.dispatch import DispatchService
from core.incidents.model import Incident
from core.incidents.warnings import WarningService
from core.kernel import xml
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.log import OncePerLoss
from core.kernel.settings import CapSettings

log = logging.getLogger(__name__)

FOLDER_EVERY_S = 2.0
SETTLED_S = 0.5
"""A file that was written to within this time may be half of one."""

FETCH_TIMEOUT_S = 10.0
MAX_LINKS = 30
"""Messages that are fetched from one feed at a time; the rest has its turn with the next look."""

MAX_FILES = 50
"""Files of one look; the rest has its turn two seconds later."""

MAX_SEEN = 5000
_ENDINGS = (".cap", ".xml")
_AGENT = "Watchfloor (CAP reader)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was sent out, and where to."""

    identifier: str
    msg_type: str
    status: str
    places: tuple[str, ...]


class CapDoor:
    """Looks at the places that the settings name, and publishes incidents.

    Threads: all calls come from the owner's loop; files and addresses are read in worker threads.
    """

    def __init__(
        self,
        settings: CapSettings,
        warnings: WarningService,
        dispatch: DispatchService,
        *,
        tenant: str,
        site: str,
        send: Callable[[str, bytes], bool],
        clock: Clock,
    ) -> None:
        """Send to topics with `send`, which tells whether it took the message."""
        self._settings = settings
        self._warnings = warnings
        self._dispatch = dispatch
        self._sender = settings.sender or f"watchfloor-{tenant}"
        self._site = site
        self._send = send
        self._clock = clock
        self._once = OncePerLoss(log)
        self._faults: dict[str, str] = {}
        self._seen: OrderedDict[str, object] = OrderedDict()
        self._folder_due_s = 0.0
        self._waiting: list[Inbound] = []
        self._publishing = asyncio.Lock()

    @property
    def status(self) -> str:
        """What our own messages say they are; empty where nothing is published."""
        is_on = self._settings.publish_folder or self._settings.publish_topic
        return self._settings.publish_status if is_on else ""

    def faults(self) -> tuple[str, ...]:
        """Return what is wrong with a place, as sentences."""
        return tuple(self._faults.values())

    async def look(self) -> None:
        """End what has expired, and look at topic and folder; call it about once a second."""
        now_s = time.monotonic()
        await self._warnings.tick()
        while self._waiting:
            message = self._waiting[0]
            await self._warnings.take(message.payload, origin=f"topic {message.topic}")
            self._waiting.pop(0)
        if self._settings.folder and now_s >= self._folder_due_s:
            self._folder_due_s = now_s + FOLDER_EVERY_S
            await self._read_folder(Path(self._settings.folder))

    async def fetch(self) -> None:
        """Ask the address, where one is set; apart from `look`, because an answer may take its time."""
        if self._settings.url:
            await self._read_address(self._settings.url)

    @property
    def fetch_every_s(self) -> float:
        """How often the address is asked."""
        return self._settings.poll_s

    def take_message(self, message: Inbound) -> None:
        """Keep a message of the topic until the next look; of a flood of them the oldest wait no longer."""
        if message.payload:
            self._waiting.append(message)
            del self._waiting[:-MAX_SEEN]

    async def publish(self, actor: Actor, incident_id: str) -> Published:
        """Send an incident out as it stands, and write that into its timeline.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such incident, or the settings name no place.
            UnavailableError: A place took nothing.
        """
        require(actor, Role.OPERATOR)
        if not self.status:
            raise BadInputError(
                "No place for CAP is set.", hint="Set cap.publish_folder or cap.publish_topic, then start again."
            )
        async with self._publishing:
            incident = (await self._dispatch.detail(incident_id)).incident
            alert = publish.alert_of(
                incident,
                sent=self._clock.now().replace(microsecond=0),
                published=await self._dispatch.published(incident_id),
                sender=self._sender,
                sender_name=self._site,
                status=self.status,
            )
            places = await self._send_out(incident, alert.identifier, cap.to_xml(alert))
            detail = f"{alert.msg_type} ({alert.status}) to {' and '.join(places)}"
            await self._dispatch.note_published(actor, incident_id, detail, at=alert.sent)
        return Published(
            identifier=alert.identifier, msg_type=alert.msg_type, status=alert.status, places=tuple(places)
        )

    async def _send_out(self, incident: Incident, identifier: str, data: bytes) -> list[str]:
        places = []
        if self._settings.publish_folder:
            file = Path(self._settings.publish_folder) / f"{identifier}.cap"
            try:
                await asyncio.to_thread(_write, file, data)
            except OSError as error:
                raise UnavailableError(
                    f"{incident.title} was not published: {file} cannot be written ({error.strerror or error}).",
                    hint="Check cap.publish_folder.",
                ) from error
            places.append("the folder")
        if self._settings.publish_topic:
            if not self._send(self._settings.publish_topic, data):
                raise UnavailableError(
                    f"{incident.title} was not published: the broker is away.", hint="Try again once it is back."
                )
            places.append("the broker")
        return places

    # -- places ---------------------------------------------------------------------------------------------------

    async def _read_folder(self, folder: Path) -> None:
        try:
            files = await asyncio.to_thread(_fresh_files, folder, frozenset(self._seen))
        except OSError as error:
            self._blame("folder", f"The folder for CAP {folder} cannot be read ({error.strerror or error}).")
            return
        self._praise("folder")
        for name, key, data in files:
            await self._warnings.take(data, origin=name)
            self._remember(key)

    async def _read_address(self, address: str) -> None:
        try:
            data = await asyncio.to_thread(_fetch, address)
            links = _links_of(data)
            if links is None:
                await self._warnings.take(data, origin=address)
            else:
                # A feed may not send us to other machines: who knows what stands in our own network.
                await self._read_links([one for one in links if urlsplit(one).hostname == urlsplit(address).hostname])
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            self._blame("url", f"CAP at {address} does not answer ({reason}).")
        else:
            self._praise("url")

    async def _read_links(self, links: list[str]) -> None:
        fresh = [link for link in links if link not in self._seen]
        for link in fresh[:MAX_LINKS]:
            data = await asyncio.to_thread(_fetch, link)
            await self._warnings.take(data, origin=link)
            self._remember(link)

    def _remember(self, key: str) -> None:
        self._seen[key] = True
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def _blame(self, place: str, sentence: str) -> None:
        self._faults[place] = sentence
        self._once.lost(f"cap/{place}", sentence)

    def _praise(self, place: str) -> None:
        self._faults.pop(place, None)
        self._once.back(f"cap/{place}", f"CAP is read from its {place} again")


async def look_forever(door: CapDoor, *, every_s: float = 1.0) -> None:
    """Look at topic and folder once a second; what the database does not take comes again."""
    while True:
        with contextlib.suppress(ConsoleError):
            await door.look()
        await asyncio.sleep(every_s)


async def fetch_forever(door: CapDoor) -> None:
    """Ask the address as often as the settings say."""
    while True:
        with contextlib.suppress(ConsoleError):
            await door.fetch()
        await asyncio.sleep(door.fetch_every_s)


def _fresh_files(folder: Path, seen: frozenset[str]) -> list[tuple[str, str, bytes]]:
    """Return name, key and content of the files that were not read yet; blocks."""
    found = []
    newest = time.time() - SETTLED_S
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if not entry.name.lower().endswith(_ENDINGS) or not entry.is_file():
            continue
        stat = entry.stat()
        key = f"{entry.path}|{stat.st_mtime_ns}|{stat.st_size}"
        if key in seen or stat.st_mtime > newest:
            continue
        with Path(entry.path).open("rb") as file:
            found.append((entry.name, key, file.read(xml.MAX_BYTES + 1)))
        if len(found) >= MAX_FILES:
            break
    return found


def _fetch(address: str) -> bytes:
    """Read an address by HTTP or HTTPS, never by anything else that a redirect may name; blocks.

    Raises:
        OSError: It does not answer, or with an error.
        ValueError: It is no such address, or the answer is too large.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"{address[:80]} is no address for HTTP")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    headers = {"User-Agent": _AGENT, "Accept": "application/cap+xml, */*;q=0.5"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - looked at above
    with opener.open(request, timeout=FETCH_TIMEOUT_S) as answer:
        data = bytes(answer.read(xml.MAX_BYTES + 1))
    if len(data) > xml.MAX_BYTES:
        raise ValueError(f"the answer is larger than {xml.MAX_BYTES // 1024} KiB")
    return data


def _links_of(data: bytes) -> list[str] | None:
    """Return the links of an Atom or RSS feed of CAP messages; None where the document is no feed."""
    try:
        root = xml.parse(data)
    except BadInputError:
        return None
    if root.name == "feed":
        links = (link for entry in root.all("entry") for link in entry.all("link")[:1])
        return [link.attributes.get("href", "") for link in links if link.attributes.get("href")]
    channel = root.find("channel")
    if root.name == "rss" and channel is not None:
        return [link for item in channel.all("item") if (link := item.read("link"))]
    return None


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(data)
    part.replace(file)

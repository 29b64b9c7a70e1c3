"""Where CAP comes in and goes out: a folder, an address that is asked, a topic; and what is wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

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
from core.kernel.xml import Element
from core.kernel.zone import write_site

log = logging.getLogger(__name__)

FOLDER_EVERY_S = 2.0
SETTLED_S = 0.5
"""A file that was written to within this time may be half of one."""

FETCH_TIMEOUT_S = 10.0
MAX_LINKS = 30
"""Messages that are fetched from one feed at a time; the rest has its turn with the next look."""

MAX_FILES = 50
"""Files of one look; the rest has its turn two seconds later."""

WARNING_PLACES = ("folder", "url")
"""Of which it is known whether anything may come from there."""

MAX_SEEN = 5000
_ENDINGS = (".cap", ".xml")
_AGENT = "Watchfloor (CAP reader)"
REFUSAL_IS_SHOWN_S = 24 * 3600.0
"""So long it is said that a message could not be used: somebody may have to ask its sender."""


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
        self._refusals: dict[str, tuple[float, str]] = {}
        """By place, until when it is said which message of it could not be used."""

        self._seen: OrderedDict[str, object] = OrderedDict()
        self._silent: dict[str, str] = {}
        """Addresses of the feed's messages that did not answer the last time, and why."""

        self._asked: dict[str, int] = {}
        """In which order addresses of the feed were asked last."""

        self._n_asked = 0
        self._folder_due_s = 0.0
        self._waiting: list[Inbound] = []
        self._publishing = asyncio.Lock()

    @property
    def status(self) -> str:
        """What our own messages say they are; empty where nothing is published."""
        is_on = self._settings.publish_folder or self._settings.publish_topic
        return self._settings.publish_status if is_on else ""

    def faults(self) -> dict[str, str]:
        """Return what is wrong with a place, as a sentence for each."""
        now_s = self._clock.monotonic()
        refused = {f"{place}/refused": said for place, (until_s, said) in self._refusals.items() if now_s < until_s}
        return self._faults | refused

    def silent_places(self) -> dict[str, str]:
        """Return the places from which nothing comes, and why."""
        return {place: said for place, said in self._faults.items() if place in WARNING_PLACES}

    async def look(self) -> None:
        """End what has expired, and look at topic and folder; call it about once a second."""
        now_s = time.monotonic()
        while self._waiting:
            message = self._waiting[0]
            await self._take(message.payload, place="topic", origin=f"topic {message.topic}")
            self._waiting.pop(0)
        if self._settings.folder and now_s >= self._folder_due_s:
            self._folder_due_s = now_s + FOLDER_EVERY_S
            await self._read_folder(Path(self._settings.folder))
        await self._warnings.tick()

    async def fetch(self) -> None:
        """Ask the address, where one is set; apart from `look`, because an answer may take its time."""
        if self._settings.url:
            await self._read_address(self._settings.url)
            await self._warnings.tick()

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

    async def _take(self, data: bytes, *, place: str, origin: str) -> bool:
        """Take a message in; returns whether it could be read."""
        taken = await self._warnings.receive(data, origin=origin)
        if taken.outcome != "refused":
            return True
        at = write_site(self._clock.now())
        sentence = f"A warning could not be used ({origin}, {at}): {taken.sentence}"
        self._refusals[place] = (self._clock.monotonic() + REFUSAL_IS_SHOWN_S, sentence)
        return False

    async def _read_folder(self, folder: Path) -> None:
        try:
            files, unread = await asyncio.to_thread(_fresh_files, folder, frozenset(self._seen))
        except OSError as error:
            self._blame("folder", f"The folder for CAP {folder} cannot be read ({error.strerror or error}).")
            return
        self._praise("folder")
        if unread:
            self._blame("folder/files", f"In the folder for CAP {folder} cannot be read: {', '.join(unread[:3])}.")
        else:
            self._praise("folder/files")
        for name, key, data in files:
            await self._take(data, place="folder", origin=name)
            self._remember(key)

    async def _read_address(self, address: str) -> None:
        try:
            data = await asyncio.to_thread(_fetch, address)
            links = _links_of(data, address)
            if links is None:
                sentence = await self._read_message(address, data)
            else:
                # A feed may not send us to other machines: who knows what stands in our own network.
                mine = [one for one in links if _host_of(one.address) == _host_of(address)]
                await self._read_links(mine)
                sentence = self._judge_others(address, links, mine)
        except _NO_ANSWER as error:
            sentence = f"CAP at {address} does not answer ({_why(error)})."
        if sentence:
            self._blame("url", sentence)
        else:
            self._praise("url")

    def _judge_others(self, address: str, links: list[_Link], mine: list[_Link]) -> str:
        """Say which messages of a feed are not asked for; returns what is wrong with it where that is all of them."""
        others = [one.address for one in links if one not in mine]
        where = f"at another host ({_host_of(others[0]) or others[0]}), which is not asked" if others else ""
        if others and mine:
            self._blame("url/elsewhere", f"The feed {address} names {len(others)} of {len(links)} messages {where}.")
        else:
            self._praise("url/elsewhere")
        return f"The feed {address} names messages {where}." if others and not mine else ""

    async def _read_message(self, address: str, data: bytes) -> str:
        """Take in what an address answers; returns what is wrong with it, as a sentence."""
        # Some places answer with nothing while nothing is the matter.
        if not data.strip() or await self._take(data, place="url", origin=address):
            return ""
        return f"What stands at {address} is neither a CAP message nor a feed of them."

    async def _read_links(self, links: list[_Link]) -> None:
        """Take in what a feed names; one that does not answer holds up no other."""
        fresh = [link for link in links if link.key not in self._seen]
        self._silent = {one.address: self._silent[one.address] for one in fresh if one.address in self._silent}
        self._asked = {one.address: self._asked[one.address] for one in links if one.address in self._asked}
        # However much does not answer, or is said to have changed each time: the others have their turn.
        for link in sorted(fresh, key=lambda one: self._asked.get(one.address, 0))[:MAX_LINKS]:
            self._n_asked += 1
            self._asked[link.address] = self._n_asked
            try:
                data = await asyncio.to_thread(_fetch, link.address)
            except _NO_ANSWER as error:
                self._silent[link.address] = f"{link.address}: {_why(error)}"
                continue
            await self._take(data, place="url", origin=link.address)
            self._remember(link.key)
            self._silent.pop(link.address, None)
        if not self._silent:
            self._praise("url/messages")
            return
        n_silent, first = len(self._silent), next(iter(self._silent.values()))
        do = "do" if n_silent > 1 else "does"
        self._blame(
            "url/messages", f"{n_silent} of {len(links)} messages that the feed names {do} not answer ({first})."
        )

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


def _fresh_files(folder: Path, seen: frozenset[str]) -> tuple[list[tuple[str, str, bytes]], list[str]]:
    """Return name, key and content of the files that were not read yet, and the names of those that cannot be; blocks.

    Raises:
        OSError: The folder cannot be read.
    """
    found, unread = [], []
    newest = time.time() - SETTLED_S
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if not entry.name.lower().endswith(_ENDINGS):
            continue
        try:
            stat = entry.stat()
            key = f"{entry.path}|{stat.st_mtime_ns}|{stat.st_size}"
            if not entry.is_file() or key in seen or stat.st_mtime > newest:
                continue
            with Path(entry.path).open("rb") as file:
                found.append((entry.name, key, file.read(xml.MAX_BYTES + 1)))
        except FileNotFoundError:
            # It was taken away meanwhile.
            continue
        except OSError:
            unread.append(entry.name)
        if len(found) >= MAX_FILES:
            break
    return found, unread


def _fetch(address: str) -> bytes:
    """Read an address by HTTP or HTTPS, never by anything else that a redirect may name; blocks.

    Raises:
        OSError: It does not answer, or with an error, or its answer broke off.
        http.client.HTTPException: Its answer is no HTTP.
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
        n_missing = answer.length or 0
    if len(data) > xml.MAX_BYTES:
        raise ValueError(f"the answer is larger than {xml.MAX_BYTES // 1024} KiB")
    if n_missing:
        raise OSError("the answer broke off")
    return data


_NO_ANSWER = (OSError, ValueError, http.client.HTTPException)
"""What it may be that an address does not answer as HTTP has it; the last is none of the first two."""


def _why(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error or type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Link:
    """What a feed names; `key` is another where it says that what stands there has changed."""

    address: str
    key: str


def _links_of(data: bytes, base: str) -> list[_Link] | None:
    """Return the links of an Atom or RSS feed of CAP messages; None where the document is no feed."""
    try:
        root = xml.parse(data)
    except BadInputError:
        return None
    if root.name == "feed":
        entries = [(_link_of_entry(entry), entry.read("updated")) for entry in root.all("entry")]
    elif root.name == "rss" and (channel := root.find("channel")) is not None:
        entries = [(item.read("link"), item.read("pubDate")) for item in channel.all("item")]
    else:
        return None
    found = ((_joined(base, link), changed) for link, changed in entries if link)
    return [_Link(address, f"{address}|{changed}") for address, changed in found]


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _host_of(address: str) -> str:
    """Return the host of an address; empty where it names none that can be read."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _link_of_entry(entry: Element) -> str:
    """Return where the message of an entry is: the link that says it is CAP, else the first."""
    links = [link.attributes for link in entry.all("link") if link.attributes.get("href")]
    of_cap = [link for link in links if link.get("type", "").startswith("application/cap")]
    return (of_cap or links)[0]["href"] if links else ""


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(data)
    part.replace(file)

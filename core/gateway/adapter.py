"""What an adapter is, and the one place through which messages reach it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.field.inbox import Inbound
from core.field.model import BadSource, LinkReport, LinkState
from core.field.nonsense import Nonsense
from core.field.payloads import PayloadError
from core.field.topics import ROOT
from core.kernel.clock import Clock

log = logging.getLogger(__name__)

MAX_SOURCE_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterReport:
    """One adapter, for the health panel.

    Attributes:
        reason: Why it does not work; empty while it does.
        note: What it does just now, in a few words.
    """

    key: str
    title: str
    reason: str = ""
    note: str = ""
    n_messages: int = 0
    n_bad_messages: int = 0
    last_at: datetime | None = None


class Publish(Protocol):
    """Puts a message on its way to the broker; `MqttLink.publish` is one."""

    def __call__(
        self, topic: str, payload: bytes, *, qos: int = 0, is_retained: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Queue a message; False where the queue is full."""
        ...


class Adapter(Protocol):
    """One other system.

    Threads: the owner's loop only; nothing here may block.
    """

    @property
    def key(self) -> str:
        """Stable word, as in the settings."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def filters(self) -> tuple[tuple[str, int], ...]:
        """What it listens to, each with its QoS."""
        ...

    @property
    def note(self) -> str:
        """What it does just now, in a few words."""
        ...

    def take(self, message: Inbound) -> None:
        """Take a message of one of its topics.

        Raises:
            PayloadError: It cannot be used; the sentence says why.
        """
        ...

    def connected(self) -> None:
        """The broker is there, again or for the first time; it may be another one."""
        ...

    def tick(self, now_s: float) -> None:
        """Do what is due; once a second, with a monotonic time."""
        ...


class Gateway:
    """Hands each message to whom it is for, counts what cannot be used, and keeps one adapter's fault to itself.

    Threads: the owner's loop only.
    """

    def __init__(self, adapters: Sequence[Adapter], *, clock: Clock, to_field: Callable[[list[Inbound]], None]) -> None:
        """Give everything that is no adapter's to `to_field`, in order."""
        self._adapters = tuple(adapters)
        self._clock = clock
        self._to_field = to_field
        self._nonsense = Nonsense()
        self._n_messages: dict[str, int] = dict.fromkeys((adapter.key for adapter in adapters), 0)
        self._n_bad: dict[str, int] = dict(self._n_messages)
        self._last_at: dict[str, datetime] = {}
        self._was_connected = False

    @property
    def filters(self) -> tuple[tuple[str, int], ...]:
        """What all adapters listen to."""
        return tuple(item for adapter in self._adapters for item in adapter.filters)

    def on_messages(self, batch: list[Inbound]) -> None:
        """Take a batch; the link's `on_message`."""
        if not self._adapters:
            self._to_field(batch)
            return
        ours = [message for message in batch if message.topic.startswith(f"{ROOT}/")]
        if ours:
            self._to_field(ours)
        now_s = self._clock.monotonic()
        for message in batch:
            if not message.topic.startswith(f"{ROOT}/"):
                self._hand_over(message, now_s)

    def on_link_state(self, report: LinkReport) -> None:
        """The link is in another state."""
        is_connected = report.state in (LinkState.CONNECTED, LinkState.STALE)
        if is_connected and not self._was_connected:
            for adapter in self._adapters:
                self._guard(adapter, adapter.connected)
        self._was_connected = is_connected

    def tick(self) -> None:
        """Let every adapter do what is due; once a second, while the broker is there."""
        if not self._was_connected:
            return
        now_s = self._clock.monotonic()
        for adapter in self._adapters:
            self._guard(adapter, lambda adapter=adapter: adapter.tick(now_s))  # type: ignore[misc]

    def reports(self, refused_filters: Sequence[str] = ()) -> tuple[AdapterReport, ...]:
        """Return how each adapter is; `refused_filters` are those that the broker does not let us read."""
        found = []
        for adapter in self._adapters:
            refused = [name for name, _ in adapter.filters if name in refused_filters]
            found.append(
                AdapterReport(
                    key=adapter.key,
                    title=adapter.title,
                    reason=f"The broker's access list does not let us read {refused[0]}." if refused else "",
                    note=adapter.note,
                    n_messages=self._n_messages[adapter.key],
                    n_bad_messages=self._n_bad[adapter.key],
                    last_at=self._last_at.get(adapter.key),
                )
            )
        return tuple(found)

    def bad_sources(self) -> tuple[BadSource, ...]:
        """Return who sends what cannot be used, the worst first."""
        return self._nonsense.sources()

    def _hand_over(self, message: Inbound, now_s: float) -> None:
        adapter = next((item for item in self._adapters if _is_for(message.topic, item.filters)), None)
        if adapter is None:
            return
        self._n_messages[adapter.key] += 1
        self._last_at[adapter.key] = message.received_at
        source = message.topic[:MAX_SOURCE_CHARS]
        if not self._nonsense.may_speak(source, now_s):
            self._note_bad(
                adapter, source, "It sends so much nonsense that it is not listened to for a while.", message
            )
            return
        try:
            adapter.take(message)
        except PayloadError as error:
            self._note_bad(adapter, source, str(error), message)
        except Exception:
            log.exception("the adapter %s stumbled over a message on %s", adapter.key, source)
            self._note_bad(adapter, source, "The adapter stumbled over it; the log says where.", message)

    def _note_bad(self, adapter: Adapter, source: str, sentence: str, message: Inbound) -> None:
        self._n_bad[adapter.key] += 1
        now_s = self._clock.monotonic()
        if self._nonsense.note(source, sentence, received_at=message.received_at, now_s=now_s):
            log.warning(
                "%s: a message on %s cannot be used: %s (more is only counted)", adapter.title, source, sentence
            )

    def _guard(self, adapter: Adapter, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("the adapter %s stumbled", adapter.key)


def _is_for(topic: str, filters: tuple[tuple[str, int], ...]) -> bool:
    return any(matches(name, topic) for name, _ in filters)


def matches(name: str, topic: str) -> bool:
    """Tell whether a topic is one that the filter `name` asks for, as the broker would."""
    wanted, parts = name.split("/"), topic.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(parts) or part not in ("+", parts[index]):
            return False
    return len(wanted) == len(parts)

"""How the parts of the node are, as a condition and a few words; one place for the header and the health panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.field.model import LinkReport, LinkState
from core.media.model import StreamReport, StreamState
from core.node.model import Health, WorkerReport
from widgets.base.conditions import Condition
from widgets.base.times import format_clock

SILENT_AFTER_S = 5.0
"""The node says how it is every second; this long without a word is silence."""

_LINK = {
    LinkState.CONNECTING: (Condition.WAITING, "connecting"),
    LinkState.CONNECTED: (Condition.OK, "connected"),
    LinkState.STALE: (Condition.STALE, "does not answer"),
    LinkState.DOWN: (Condition.LOST, "down"),
    LinkState.REFUSED: (Condition.LOST, "refused"),
}
_WORKER = {
    "running": Condition.OK,
    "starting": Condition.WAITING,
    "restarting": Condition.WAITING,
    "stopping": Condition.WAITING,
    "stopped": Condition.DISABLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One part.

    Attributes:
        words: What is the case, in a word or two.
        reason: A sentence where it is not well; empty otherwise.
    """

    condition: Condition
    words: str
    reason: str = ""


UNHEARD = PartState(condition=Condition.UNKNOWN, words="--")


def node_state(health: Health | None, now: datetime) -> PartState:
    """Return how the node is; one that is silent is lost, whatever it said last."""
    if health is None:
        return UNHEARD
    if (now - health.at).total_seconds() > SILENT_AFTER_S:
        return PartState(condition=Condition.LOST, words="silent", reason="The node says nothing any more.")
    return PartState(condition=Condition.OK, words="running")


def link_state(link: LinkReport | None) -> PartState:
    """Return how the link to the broker is; where all is well, how long our own ping takes."""
    if link is None:
        return UNHEARD
    condition, words = _LINK[link.state]
    if condition is Condition.OK and link.round_trip_ms is not None:
        words = f"{words}, {max(1.0, link.round_trip_ms):.0f} ms"
    return PartState(condition=condition, words=words, reason=link.reason if condition is not Condition.OK else "")


def database_state(health: Health | None) -> PartState:
    """Return whether the database takes what it is given."""
    if health is None:
        return UNHEARD
    if health.is_database_ok:
        return PartState(condition=Condition.OK, words="writing")
    return PartState(condition=Condition.LOST, words="not writing", reason=health.database_reason)


def unstored_sentence(health: Health) -> str:
    """Say what calls an operator and is in no list, because the database is away; empty where nothing does."""
    n_calls = health.n_unstored_calls
    if not n_calls:
        return ""
    named = "; ".join(f"{call.title}, {call.source_name}, {format_clock(call.at)}" for call in health.unstored_calls)
    n_more = n_calls - len(health.unstored_calls)
    what = "One call is" if n_calls == 1 else f"{n_calls:,} calls are"
    return f"{what} not listed yet: {named}{f'; and {n_more:,} more' if n_more else ''}."


def worker_condition(worker: WorkerReport) -> Condition:
    """Return how a vision worker is; a word we do not know is no reason to call it well."""
    return _WORKER.get(worker.state, Condition.LOST)


def vision_state(health: Health | None, streams: Mapping[str, StreamReport]) -> PartState:
    """Return how detection is: its workers first, then the pictures they get."""
    if health is None:
        return UNHEARD
    if not health.workers:
        return PartState(condition=Condition.DISABLED, words="no workers")
    bad = [worker for worker in health.workers if worker_condition(worker) is not Condition.OK]
    if bad:
        worst = (
            Condition.LOST if any(worker_condition(worker) is Condition.LOST for worker in bad) else Condition.WAITING
        )
        words = f"{len(bad)} of {len(health.workers)} workers {bad[0].state}"
        return PartState(condition=worst, words=words, reason=bad[0].reason)
    if health.stand_in_reason:
        return PartState(condition=Condition.STALE, words="demonstration model", reason=health.stand_in_reason)
    wanted = [report for report in streams.values() if report.state is not StreamState.DISABLED]
    live = sum(report.state is StreamState.LIVE for report in wanted)
    if live < len(wanted):
        return PartState(condition=Condition.STALE, words=f"{live} of {len(wanted)} live")
    return PartState(condition=Condition.OK, words=f"{live} live" if wanted else "running")


def at_most(state: PartState, node: PartState) -> PartState:
    """Return a part's state as it is known through the node: through a silent node it is only the last one known."""
    if node.condition is Condition.OK or state is UNHEARD:
        return state
    return PartState(condition=Condition.STALE, words=f"was {state.words}", reason=node.reason)

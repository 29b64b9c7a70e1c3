"""Many devices lost within seconds are one alarm: a gateway, a switch or a site is gone, and not a thousand devices.

Who is in such a loss makes no alarm of its own while it lasts. Once only a few have not come back they are called one
by one, and the loss is over. A gateway is always called by its own name: it explains the devices behind it, until it
is back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.field.kinds.gateway import KIND as GATEWAY
from core.field.model import Device, DeviceState
from core.incidents.model import Alarm, Condition
from core.node import conditions

N_TOGETHER = 20
"""More devices than this, lost within…"""

WITHIN_S = 5.0
"""…so many seconds, are one loss."""

JOIN_S = 30.0
"""Who is lost so soon after the last one of a loss belongs to it."""

SAY_AFTER_S = 1.0
"""It is said so long after it began; who comes later joins."""

SETTLE_S = 0.4
"""Where others were lost so shortly before, it says that there are more."""

N_FEW = 5
"""So few that are left are called one by one."""

_FIRST_BEFORE = timedelta(seconds=WITHIN_S + SAY_AFTER_S + SETTLE_S)
"""Nobody of a loss was lost earlier than this before it was said."""

_LOST = (DeviceState.LOST, DeviceState.STALE)


@dataclass(slots=True)
class _Loss:
    """One loss of many devices; times are monotonic [s].

    Attributes:
        condition: As it was raised; None while it is still growing.
        missing: Those that have not come back.
    """

    began_s: float
    last_s: float
    missing: dict[str, Device] = field(default_factory=dict)
    condition: Condition | None = None


class MassLoss:
    """Holds the devices of a loss back from calling, and calls for all of them.

    Threads: the node's loop.
    """

    def __init__(
        self,
        *,
        call: Callable[[Device], None],
        raise_condition: Callable[[Condition], None],
        return_condition: Callable[[str], None],
    ) -> None:
        """Use `call` for a single device, as it is now."""
        self._call, self._raise, self._return = call, raise_condition, return_condition
        self._recent: OrderedDict[str, tuple[float, Device]] = OrderedDict()
        self._losses: list[_Loss] = []
        self._of: dict[str, _Loss] = {}

    @property
    def is_growing(self) -> bool:
        """Whether a loss waits to be said; then `tick` has to be called again."""
        return any(loss.condition is None for loss in self._losses)

    def take(self, device: Device, now_s: float) -> None:
        """A device is in another state; it is called or taken back unless it belongs to a loss."""
        if device.kind == GATEWAY.key:
            # Also one that was something else when it was lost.
            self.forget(device.device_id)
            self._call(device)
            return
        if device.is_enabled and device.state in _LOST:
            self._take_lost(device, now_s)
            return
        self._recent.pop(device.device_id, None)
        if not self._leave(device.device_id):
            self._call(device)

    def restore(
        self, lost: Iterable[Device], *, named: Collection[str], standing: Iterable[Alarm], now: datetime, now_s: float
    ) -> None:
        """Go on from the run before: who was called by name still is, and a loss that was said holds those of it.

        Who calls neither way is taken as it would have been then, by when it was lost.

        Args:
            lost: Devices that were lost before the start.
            named: Ids of those that have an alarm of their own.
            standing: Alarms of losses that are not over.
            now: When `now_s` is.
            now_s: Monotonic.
        """
        losses = [(alarm, _Loss(began_s=now_s, last_s=now_s)) for alarm in standing]
        losses.sort(key=lambda pair: pair[0].raised_at, reverse=True)
        unsaid: list[tuple[float, Device]] = []
        for device in sorted(lost, key=lambda one: one.state_since or now):
            since = device.state_since or now
            if device.kind == GATEWAY.key or device.device_id in named:
                self._call(device)
                continue
            at_s = now_s - max(0.0, (now - since).total_seconds())
            own = (loss for alarm, loss in losses if since >= alarm.raised_at - _FIRST_BEFORE)
            if (loss := next(own, None)) is not None:
                self._join(loss, device, at_s)
            else:
                unsaid.append((at_s, device))
        for at_s, device in unsaid:
            self._take_lost(device, at_s)
        for alarm, loss in losses:
            if loss.missing:
                self._go_on(loss, conditions.standing(alarm))

    def _go_on(self, loss: _Loss, condition: Condition) -> None:
        self._losses.append(loss)
        if len(loss.missing) <= N_FEW:
            self._end(loss, condition)
            return
        loss.condition = condition
        self._raise(condition)

    def forget(self, device_id: str) -> None:
        """A device was removed."""
        self._recent.pop(device_id, None)
        self._leave(device_id)

    def tick(self, now_s: float) -> None:
        """Say what has settled."""
        for loss in self._losses:
            if loss.condition is None and now_s - loss.began_s >= SAY_AFTER_S:
                loss.condition = self._condition(loss, is_settled=now_s - loss.last_s >= SETTLE_S)
                self._raise(loss.condition)

    def _take_lost(self, device: Device, now_s: float) -> None:
        known = self._of.get(device.device_id)
        if known is not None:
            known.missing[device.device_id] = device
            return
        growing = (one for one in self._losses if one.condition is None or now_s - one.last_s <= JOIN_S)
        if (loss := next(growing, None)) is not None:
            self._join(loss, device, now_s)
            return
        self._recent[device.device_id] = (now_s, device)
        while self._recent and next(iter(self._recent.values()))[0] < now_s - WITHIN_S:
            self._recent.popitem(last=False)
        if len(self._recent) <= N_TOGETHER:
            self._call(device)
            return
        loss = _Loss(began_s=now_s, last_s=now_s)
        self._losses.append(loss)
        for _, lost in self._recent.values():
            self._join(loss, lost, now_s)
        # Those before this one were called already: within their delay nobody has seen it.
        for device_id in self._recent:
            if device_id != device.device_id:
                self._return(conditions.device_lost_key(device_id))
        self._recent.clear()

    def _join(self, loss: _Loss, device: Device, now_s: float) -> None:
        loss.missing[device.device_id] = device
        loss.last_s = now_s
        self._of[device.device_id] = loss

    def _leave(self, device_id: str) -> bool:
        """Take a device out of its loss, and end the loss with the last ones; False where it was in none."""
        loss = self._of.pop(device_id, None)
        if loss is None:
            return False
        del loss.missing[device_id]
        if loss.condition is not None and len(loss.missing) <= N_FEW:
            self._end(loss, loss.condition)
        elif not loss.missing:
            self._losses.remove(loss)
        return True

    def _end(self, loss: _Loss, condition: Condition) -> None:
        self._losses.remove(loss)
        self._return(condition.condition_key)
        for device in loss.missing.values():
            del self._of[device.device_id]
            self._call(device)

    def _condition(self, loss: _Loss, *, is_settled: bool) -> Condition:
        where, lost = where_of(loss.missing.values()), list(loss.missing.values())
        n_lost = f"{len(lost):,}" if is_settled else f"More than {len(lost):,}"
        taken = {one.condition.condition_key for one in self._losses if one.condition is not None}
        condition = conditions.devices_lost(where, lost, n_lost=n_lost)
        number = 2
        while condition.condition_key in taken:
            condition = conditions.devices_lost(f"{where}, {number}", lost, n_lost=n_lost)
            number += 1
        return condition


def where_of(devices: Iterable[Device]) -> str:
    """Return what lost devices have in common: their site, the group of their topics, or how many groups."""
    found = tuple(devices)
    sites, groups = {one.site for one in found}, {one.device_id.partition("/")[0] for one in found}
    if len(sites) == 1 and "" not in sites:
        return f"site {next(iter(sites))}"
    return f"group {next(iter(groups))}" if len(groups) == 1 else f"{len(groups)} groups"

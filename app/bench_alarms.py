"""`main.py bench alarms`: from a device's publish to the painted row, while the field talks; and a burst of alarms.

The whole way is measured, from a device that says it has too much load: broker, field link, limit, transaction, push,
list, paint. The limit stands in an alarm rule of the bench, which has no on-delay: that would be waiting and no work.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import multiprocessing
import random
import statistics
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QApplication, QStyleOptionViewItem

from app.bootstrap import Console
from app.window_bench import make_store, measure_apart, measure_in_room, node_of_bench, run_room, start_field
from core.access.model import SYSTEM
from core.field.broker import EmbeddedBroker
from core.field.client.device import send_at_once
from core.incidents.model import Alarm
from core.incidents.rules.desk import RuleDesk
from core.incidents.rules.model import AlarmRule, AppliesTo, Guidance, Limits
from core.incidents.rules.text import shipped_rules
from core.kernel.bench import BenchResult, Figure, wait_until
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock
from core.store.engine import Store
from widgets.alarms.delegates import PriorityDelegate
from widgets.alarms.list import AlarmList
from widgets.alarms.table_model import ALARM_ROLE

MESSAGES_PER_S = 1000
N_TALKERS = 200
N_SINGLE, SINGLE_EVERY_S = 150, (0.08, 0.22)
"""Alarms one by one, at random times within these bounds."""

N_BURST = 500
QUIET_EVERY = 20
"""Of so many messages one is of a device that has nothing new to say."""

QUANTITY, LIMIT = "benchLoad", 75.0
SETTLE_S = 6.0
LIMIT_S = 240.0


def bench_alarms() -> BenchResult:
    """Run a node, a broker, a talking field and a console, each in a process of its own, and measure the console."""
    data = measure_apart("app.bench_alarms", limit_s=LIMIT_S, failed="The room of the bench did not end.")
    under = f"{data['messages_per_s']:.0f} messages a second beside it, {data['n_painted']:.0f} alarms"
    burst = f"{N_BURST} devices hot at once, {data['n_burst']:.0f} of them in the list"
    return BenchResult(
        bench="alarms",
        figures={
            "p50_ms": Figure(value=round(data["p50_ms"], 1), unit="ms", reference=under),
            "p99_ms": Figure(value=round(data["p99_ms"], 1), unit="ms", reference=under),
            "max_ms": Figure(value=round(data["max_ms"], 1), unit="ms", reference=under),
            "missed": Figure(value=data["n_missed"], unit="alarms", reference=f"of {N_SINGLE} raised one by one"),
            "burst_s": Figure(value=round(data["burst_s"], 3), unit="s", reference=burst),
            "messages_per_s": Figure(value=round(data["messages_per_s"]), unit="1/s", reference="as the node counts"),
            "lag_max_ms": Figure(
                value=round(data["lag_max_ms"], 1), unit="ms", reference="of the window, burst included"
            ),
            "errors": Figure(value=data["n_errors"], unit="errors", reference="console and node"),
        },
    )


class _Watching(PriorityDelegate):
    """Notes when the row of each source was painted first [s, monotonic]."""

    def __init__(self, alarms: AlarmList) -> None:
        super().__init__(alarms.table)
        self.painted: dict[str, float] = {}

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        alarm = index.data(ALARM_ROLE)
        if isinstance(alarm, Alarm):
            self.painted.setdefault(alarm.source_id, time.monotonic())


async def run(app: QApplication, folder: Path, report: Path) -> None:
    """Open the room, let the field talk, and write what was measured."""
    (folder / "broker").mkdir()
    broker = EmbeddedBroker(folder / "broker")
    address = await broker.start()
    data = folder / "data"
    store = await make_store(data)
    await _save_rule(store)
    await store.close()
    field, pipe = start_field(talk, address)
    wanted = (
        *(f"broker.host={address.host}", f"broker.port={address.port}", "broker.username=core"),
        *(f"broker.protocol={address.protocol}", "site.tenant=city", "vision.model=demo"),
    )
    secrets = {"WATCHFLOOR_SECRET_BROKER": address.passwords["core"]}
    try:
        with node_of_bench(data, *wanted, secrets=secrets):
            result = await measure_in_room(app, data, lambda console: _measure(console, pipe), size=(1920, 1080))
            report.write_text(json.dumps(result), encoding="utf-8")
    finally:
        pipe.close()
        field.join(5.0)
        await broker.stop()


async def _measure(console: Console, pipe: Connection) -> dict[str, float]:
    alarms = console.window.panel("alarms")
    assert isinstance(alarms, AlarmList)
    watching = _Watching(alarms)
    alarms.table.setItemDelegateForColumn(0, watching)
    await wait_until(lambda: pipe.poll(0), "the field")
    pipe.recv()
    await asyncio.sleep(SETTLE_S)
    gc.collect()
    gc.freeze()
    console.lag.begin_window()
    before, began_s = await console.connection.call("room.health", dict), time.monotonic()
    pipe.send("singles")
    published = await _answer(pipe)
    with contextlib.suppress(TimeoutError):
        await wait_until(lambda: published.keys() <= watching.painted.keys(), "the last row", timeout_s=5.0)
    after, took_s = await console.connection.call("room.health", dict), time.monotonic() - began_s
    late = sorted((watching.painted[key] - at_s) * 1000.0 for key, at_s in published.items() if key in watching.painted)
    pipe.send("burst")
    burst = await _answer(pipe)
    wanted = set(burst)
    first_s = min(burst.values())

    def listed() -> set[str]:
        return wanted & {alarm.source_id for alarm in alarms.model.alarms}

    with contextlib.suppress(TimeoutError):
        await wait_until(lambda: listed() == wanted, "the burst", every_s=0.005)
    burst_s = time.monotonic() - first_s
    return {
        "p50_ms": statistics.median(late) if late else float("nan"),
        "p99_ms": late[min(len(late) - 1, round(len(late) * 0.99))] if late else float("nan"),
        "max_ms": late[-1] if late else float("nan"),
        "n_painted": len(late),
        "n_missed": len(published) - len(late),
        "burst_s": burst_s,
        "n_burst": len(listed()),
        "messages_per_s": (after["n_messages"] - before["n_messages"]) / took_s,
        "lag_max_ms": console.lag.overall_max_ms,
    }


async def _answer(pipe: Connection) -> dict[str, float]:
    """Return when each device said that it is hot [s, monotonic]; the loop goes on meanwhile."""
    await wait_until(lambda: pipe.poll(0), "the field", timeout_s=90.0)
    found: dict[str, float] = pipe.recv()
    return found


def talk(pipe: Connection, host: str, port: int, password: str) -> None:
    """Entry point of the field: stations that talk all the time, devices that are hot when the bench says so."""
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-field", protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set("field", password)
    client.max_inflight_messages_set(1000)
    client.on_socket_open = send_at_once
    client.connect(host, port)
    client.loop_start()
    singles = [f"bench/single-{index:03d}" for index in range(N_SINGLE)]
    burst = [f"bench/burst-{index:03d}" for index in range(N_BURST)]
    talking = _Talking(client, [*singles, *burst])
    for number, device in enumerate((*singles, *burst)):
        client.publish(f"watchfloor/v1/city/{device}/status", _status("online"), qos=1)
        client.publish(f"watchfloor/v1/city/{device}/state/load", _load(number, 40.0), qos=1)
    pipe.send("ready")
    try:
        while not pipe.poll(0):
            talking.step()
        pipe.recv()
        published: dict[str, float] = {}
        due_s = time.monotonic()
        for device in singles:
            due_s += random.uniform(*SINGLE_EVERY_S)
            while time.monotonic() < due_s:
                talking.step()
            published[device] = talking.heat(device)
        for _ in range(MESSAGES_PER_S):
            talking.step()
        pipe.send(published)
        while not pipe.poll(0):
            talking.step()
        pipe.recv()
        pipe.send({device: talking.heat(device) for device in burst})
        while not pipe.poll(0):
            talking.step()
        pipe.recv()
    except (EOFError, BrokenPipeError):
        pass  # The bench is over.
    client.loop_stop()


class _Talking:
    """Publishes readings at an even rate."""

    def __init__(self, client: Any, quiet: list[str]) -> None:
        """Talk for stations, and now and then for the devices of `quiet`, so that none of them counts as lost."""
        self._client = client
        self._quiet = quiet
        self._hot: set[str] = set()
        self._sequence = len(quiet)
        self._due_s = time.monotonic()

    def step(self) -> None:
        """Publish one reading when its time has come; returns then."""
        index = self._sequence % N_TALKERS
        body = {
            "v": 1,
            "id": f"{self._sequence:026d}",
            "type": "TrafficFlowObserved",
            "ts": _now(),
            "boot": "bench",
            "seq": self._sequence,
            "q": "good",
            "hist": False,
            "data": {"intensity": 20, "occupancy": 0.1, "averageVehicleSpeed": 50.0 + self._sequence % 7},
        }
        self._client.publish(f"watchfloor/v1/city/talk/post-{index:03d}/tele/flow", json.dumps(body), qos=0)
        if self._sequence % QUIET_EVERY == 0:
            device = self._quiet[self._sequence // QUIET_EVERY % len(self._quiet)]
            self._say(device)
        self._sequence += 1
        self._due_s += 1.0 / MESSAGES_PER_S
        time.sleep(max(0.0, self._due_s - time.monotonic()))

    def heat(self, device: str) -> float:
        """Let a device be hot from now on, and say so; returns when it was said [s, monotonic]."""
        self._hot.add(device)
        said_s = time.monotonic()
        self._sequence += 1
        self._say(device)
        return said_s

    def _say(self, device: str) -> None:
        # One count for all: a device's numbers must never go back, or its message is an old one that came late.
        load = _load(self._sequence, 95.0 if device in self._hot else 40.0)
        self._client.publish(f"watchfloor/v1/city/{device}/state/load", load, qos=1)


def _status(state: str) -> str:
    return json.dumps({"v": 1, "state": state, "boot": "bench", "ts": _now()})


def _load(sequence: int, load: float) -> str:
    body = {
        "v": 1,
        "id": f"{sequence:026d}",
        "type": "Bench",
        "ts": _now(),
        "boot": "bench",
        "seq": sequence,
        "q": "good",
        "hist": False,
        "data": {QUANTITY: load},
    }
    return json.dumps(body)


def _now() -> str:
    now_s = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s)) + f".{int(now_s * 1000) % 1000:03d}Z"


async def _save_rule(store: Store) -> None:
    """Put the rule of the bench in force before the node starts, as a supervisor would: it has no on-delay."""
    rule = AlarmRule(
        rule_id="bench_load",
        title="Load: {where}",
        applies_to=AppliesTo(quantities=(QUANTITY,)),
        limits=Limits(limit=LIMIT),
        guidance=Guidance(action="Nothing: it is a bench."),
    )
    shipped = shipped_rules()
    rules = replace(shipped, rules=(rule, *shipped.rules))
    await RuleDesk(store, Bus(), SystemClock()).save(SYSTEM, rules, expect_version=0, reason="The bench's own rule")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    run_room(run, Path(sys.argv[1]), Path(sys.argv[2]))

"""`main.py bench fleet`: 10,000 devices, from the cold start of a node that knows them to one alarm for all of them.

The database holds the devices and the broker their births, states and last values, as after a night. Measured are the
tree in the console, the window's lag while the devices talk, the search, and 10,000 wills at once. The wills are
published by one client, just as a broker publishes them: same topics, same payloads, retained.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication

from app.bootstrap import Console, ConsoleOptions
from app.connection import ConnectionState
from app.report import ErrorDoor
from app.window_bench import NAME, PASSWORD, field_client, make_store, measure_apart, run_room, start_field
from core.field import rows
from core.field.broker import EmbeddedBroker
from core.field.payloads import Birth, check
from core.field.registry import Registry
from core.kernel.bench import WAIT_S, BenchResult, Figure, wait_until
from core.kernel.paths import default_folders
from core.kernel.settings import load_settings
from widgets.devices.device_panel import DevicePanel
from widgets.devices.tree_model import GroupBy

N_DEVICES, N_GROUPS = 10_000, 20
UPDATES_PER_S, UPDATE_S = 1000, 10.0
QUERIES = ("device 1234", "fleet-07", "nothing like it")
SETTLE_S, LIMIT_S = 5.0, 400.0
_LAGS = ("fill_lag_max_ms", "talk_lag_max_ms", "wills_lag_max_ms")


def bench_fleet() -> BenchResult:
    """Run a broker, a node, a console and the fleet, each in a process of its own, and measure the console."""
    data = measure_apart("app.bench_fleet", limit_s=LIMIT_S, failed="The fleet of the bench did not end.")
    fleet = f"{N_DEVICES:,} devices stored and retained; console and its node started at 0 s"
    under = f"{data['messages_per_s']:.0f} messages a second from {N_DEVICES:,} devices, tree by kind and by state"
    together = f"{N_DEVICES:,} wills published within {data['publish_s']:.2f} s; from the first one on"
    return BenchResult(
        bench="fleet",
        figures={
            "tree_s": Figure(value=round(data["tree_s"], 2), unit="s", reference=fleet),
            "values_s": Figure(value=round(data["values_s"], 2), unit="s", reference=f"{fleet}; newest values as well"),
            "node_s": Figure(value=round(data["node_s"], 2), unit="s", reference="the node's door, same start"),
            "lag_max_ms": Figure(
                value=round(max(data[key] for key in _LAGS), 1),
                unit="ms",
                reference="of the window, the largest of signing in until the tree is full, messages, and all wills",
            ),
            "fill_lag_max_ms": Figure(
                value=round(data["fill_lag_max_ms"], 1),
                unit="ms",
                reference=f"from signing in until {N_DEVICES:,} devices with their values stand in the tree",
            ),
            "talk_lag_max_ms": Figure(value=round(data["talk_lag_max_ms"], 1), unit="ms", reference=under),
            "lag_p99_ms": Figure(value=round(data["lag_p99_ms"], 1), unit="ms", reference=under),
            "search_max_ms": Figure(
                value=round(data["search_max_ms"], 1), unit="ms", reference=f"one key of {', '.join(QUERIES)}; painted"
            ),
            "wills_to_alarm_s": Figure(value=round(data["wills_to_alarm_s"], 2), unit="s", reference=together),
            "alarms": Figure(value=data["n_alarms"], unit="alarms", reference="one for all wills"),
            "in_alarm": Figure(value=data["n_lost"], unit="devices", reference=f"shown as lost, of {N_DEVICES:,}"),
            "wills_lag_max_ms": Figure(
                value=round(data["wills_lag_max_ms"], 1), unit="ms", reference="of the window while all are lost"
            ),
            "back_s": Figure(value=round(data["back_s"], 2), unit="s", reference="all online again: no alarm active"),
            "errors": Figure(value=data["n_errors"], unit="errors", reference="console and node"),
        },
    )


def device_ids(n_devices: int) -> list[str]:
    """Return the ids of a fleet."""
    return [f"fleet-{number % N_GROUPS:02d}/device-{number:05d}" for number in range(n_devices)]


def birth_of(device_id: str) -> dict[str, Any]:
    """Return what a device says about itself."""
    number = int(device_id.rpartition("-")[2])
    return {
        "v": 1,
        "name": f"Device {number}",
        "fw": "1.0",
        "boot": "night",
        "location": {"lat": 36.0 + number / 100_000, "lon": -30.0 - number / 100_000},
        "streams": [{"name": "flow", "type": "TrafficFlowObserved", "stale_s": 3600}],
    }


async def fill_database(folder: Path, n_devices: int) -> None:
    """Write the devices and one account, as an earlier run would have left them."""
    store = await make_store(folder)
    registry, now = Registry(), datetime.now(UTC)
    values = []
    for device_id in device_ids(n_devices):
        tracked = registry.track(device_id, now_s=0.0)
        assert tracked is not None
        birth = birth_of(device_id)
        registry.on_birth(tracked, check(birth, Birth), birth, received_at=now, is_live=True)
        values.append(rows.device_values(tracked))

    for first in range(0, len(values), 500):
        portion = values[first : first + 500]
        await store.write(partial(rows.insert_devices, rows=portion, created_at=now))
    await store.close()


async def run(app: QApplication, folder: Path, report: Path) -> None:
    """Prepare the night, open the room, and write what was measured."""
    (folder / "broker").mkdir()
    broker = EmbeddedBroker(folder / "broker")
    address = await broker.start()
    data = folder / "data"
    await fill_database(data, N_DEVICES)
    fleet, pipe = start_field(drive, address)
    await wait_until(lambda: pipe.poll(0), "the fleet")
    pipe.recv()
    settings, _ = load_settings(arguments={"console": {"desk": "bench", "sound": False}})
    result: dict[str, float] = {}
    errors = ErrorDoor()
    errors.open(asyncio.get_event_loop())
    console, ending = None, None
    try:
        os.environ["WATCHFLOOR_SECRET_BROKER"] = address.passwords["core"]
        options = ConsoleOptions(
            settings=settings,
            faults=(),
            folders=default_folders(data),
            node_arguments=(
                *("--set", f"broker.host={address.host}", "--set", f"broker.port={address.port}"),
                *("--set", "broker.username=core", "--set", f"broker.protocol={address.protocol}"),
                *("--set", "site.tenant=city", "--set", "vision.model=demo"),
            ),
            size=(1920, 1080),
        )
        began_s = time.monotonic()
        console = Console(app, options, errors, time.perf_counter())
        ending = asyncio.get_event_loop().create_task(console.run())
        await wait_until(lambda: (data / "node.json").exists(), "the node", every_s=0.01)
        result["node_s"] = time.monotonic() - began_s
        result |= await _measure_start(console, began_s)
        result |= await _measure(console, pipe)
        health = await console.connection.call("room.health", dict)
        result["n_errors"] = errors.n_errors + health["n_errors"]
        report.write_text(json.dumps(result), encoding="utf-8")
    finally:
        if console is not None and ending is not None:
            console.window.close()
            await ending
        pipe.close()
        fleet.join(5.0)
        await broker.stop()


async def _measure_start(console: Console, began_s: float) -> dict[str, float]:
    await wait_until(lambda: console.connection.state is ConnectionState.SIGNED_OUT, "the door")
    console.lag.begin_window()
    await console.connection.sign_in(NAME, PASSWORD)
    await wait_until(lambda: console.is_open, "the room")
    panel = _devices(console)
    await wait_until(lambda: panel.n_shown >= N_DEVICES, "the tree", every_s=0.01)
    panel.tree.viewport().repaint()
    tree_s = time.monotonic() - began_s
    await wait_until(lambda: len(console.live.readings) >= N_DEVICES, "the values", every_s=0.01)
    values_s = time.monotonic() - began_s
    await wait_until(lambda: console.is_furnished, "the panels behind")
    return {"tree_s": tree_s, "values_s": values_s, "fill_lag_max_ms": console.lag.overall_max_ms}


async def _measure(console: Console, pipe: Connection) -> dict[str, float]:
    panel = _devices(console)
    await asyncio.sleep(SETTLE_S)
    before, began_s = await console.connection.call("room.health", dict), time.monotonic()
    console.lag.begin_window()
    pipe.send("talk")
    await asyncio.sleep(UPDATE_S / 2)
    panel.divide(GroupBy.STATE)
    await wait_until(lambda: pipe.poll(0), "the talk")
    pipe.recv()
    after, took_s = await console.connection.call("room.health", dict), time.monotonic() - began_s
    figures = {
        "talk_lag_max_ms": console.lag.overall_max_ms,
        "lag_p99_ms": console.lag.overall_p99_ms,
        "messages_per_s": (after["n_messages"] - before["n_messages"]) / took_s,
    }
    panel.divide(GroupBy.KIND)
    figures["search_max_ms"] = max(_type(panel, query) for query in QUERIES)
    return figures | await _measure_wills(console, pipe)


def _type(panel: DevicePanel, query: str) -> float:
    """Type a query key by key; returns how long the slowest key took until the tree was painted [ms]."""
    slowest_ms = 0.0
    for end in range(1, len(query) + 1):
        began_s = time.perf_counter()
        panel.search.setText(query[:end])
        panel.tree.viewport().repaint()
        slowest_ms = max(slowest_ms, (time.perf_counter() - began_s) * 1000.0)
    panel.search.clear()
    return slowest_ms


async def _measure_wills(console: Console, pipe: Connection) -> dict[str, float]:
    # Whoever spoke is online; all others say so first.
    pipe.send("online")
    await wait_until(lambda: pipe.poll(0), "everyone")
    pipe.recv()
    await wait_until(lambda: _count(console, "online") == N_DEVICES, "everyone in the console")
    await asyncio.sleep(SETTLE_S)
    console.lag.begin_window()
    pipe.send("wills")
    await wait_until(lambda: _lost_alarms(console), "the alarm", every_s=0.005)
    told_s = time.monotonic()
    await wait_until(lambda: pipe.poll(0), "the wills")
    first_s, last_s = pipe.recv()
    await wait_until(lambda: _count(console, "lost") == N_DEVICES, "everyone to be lost")
    await asyncio.sleep(SETTLE_S)
    figures = {
        "wills_to_alarm_s": told_s - first_s,
        "publish_s": last_s - first_s,
        "n_alarms": len(_lost_alarms(console)),
        "n_lost": _count(console, "lost"),
        "wills_lag_max_ms": console.lag.overall_max_ms,
    }
    began_s = time.monotonic()
    pipe.send("online")
    await wait_until(lambda: not any(alarm.is_active for alarm in _lost_alarms(console)), "the end of the alarm")
    figures["back_s"] = time.monotonic() - began_s
    return figures


def _lost_alarms(console: Console) -> list[Any]:
    return [alarm for alarm in console.live.open_alarms() if alarm.kind in ("devices_lost", "device_lost")]


def _count(console: Console, state: str) -> int:
    return sum(device.state.value == state for device in console.live.devices.values())


def _devices(console: Console) -> DevicePanel:
    panel = console.window.panel("devices")
    found = None if panel is None else panel.findChild(DevicePanel)
    assert found is not None
    return found


def drive(pipe: Connection, host: str, port: int, password: str) -> None:
    """Entry point of the fleet: leaves what a night leaves on the broker, then does what the bench says."""
    client = field_client("bench-fleet", host, port, password)
    ids = device_ids(N_DEVICES)

    def everyone(suffix: str, bodies: list[str]) -> tuple[float, float]:
        first_s = time.monotonic()
        sent = [
            client.publish(f"watchfloor/v1/city/{device_id}/{suffix}", body, qos=1, retain=True)
            for device_id, body in zip(ids, bodies, strict=True)
        ]
        for message in sent:
            message.wait_for_publish(WAIT_S)
        return first_s, time.monotonic()

    try:
        everyone("birth", [json.dumps(birth_of(device_id)) for device_id in ids])
        everyone("status", [_status("online")] * N_DEVICES)
        everyone("state/flow", [_reading(number) for number in range(N_DEVICES)])
        pipe.send("ready")
        while (word := pipe.recv()) is not None:
            if word == "talk":
                _talk(client, ids)
                pipe.send("done")
            elif word == "online":
                everyone("status", [_status("online")] * N_DEVICES)
                pipe.send("done")
            elif word == "wills":
                pipe.send(everyone("status", [_status("lost")] * N_DEVICES))
    except (EOFError, BrokenPipeError):
        pass  # The bench is over.
    client.loop_stop()


def _talk(client: Any, ids: list[str]) -> None:
    due_s = time.monotonic()
    for number in range(round(UPDATES_PER_S * UPDATE_S)):
        device_id = ids[number * 7919 % len(ids)]
        client.publish(f"watchfloor/v1/city/{device_id}/state/flow", _reading(number), qos=0)
        due_s += 1.0 / UPDATES_PER_S
        time.sleep(max(0.0, due_s - time.monotonic()))


def _reading(number: int) -> str:
    data = {"intensity": 20, "occupancy": 0.1, "averageVehicleSpeed": 40.0 + number % 17}
    return json.dumps({"v": 1, "type": "TrafficFlowObserved", "ts": _now(), "boot": "night", "q": "good", "data": data})


def _status(state: str) -> str:
    return json.dumps({"v": 1, "state": state, "boot": "night", "ts": _now()})


def _now() -> str:
    now_s = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s)) + f".{int(now_s * 1000) % 1000:03d}Z"


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    run_room(run, Path(sys.argv[1]), Path(sys.argv[2]))

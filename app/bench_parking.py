"""`main.py bench parking`: from a bay sensor's message on a real broker to the colour of its bay in the twin.

A broker, a node and a console with the twin in front, each in a process of its own, and gateways that tell 200 changes
a second of 2,000 bays. A change is timed from the moment it is published until the twin has painted the first picture
in which its bay has the new colour; a second figure ends where every panel of the console took it over.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from collections import deque
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication

from app.bootstrap import Console
from app.window_bench import (
    field_client,
    make_store,
    measure_apart,
    measure_in_room,
    node_of_bench,
    run_room,
    start_field,
)
from core.field.broker import EmbeddedBroker
from core.kernel.bench import BenchResult, Figure, wait_until
from core.kernel.errors import BadInputError
from core.node.bench_bays import N_BAYS_EACH, N_CAMERAS, measure_bay_cost
from core.node.bench_vision import DETECT_FPS
from core.parking.model import BayState, BayStatus, Lot
from core.parking.plans import open_lot
from widgets.twin.view import TwinView

N_BAYS, N_GATEWAYS = 2000, 40
CHANGES_PER_S, CHANGE_S = 200, 20.0
REFERENCE_MS = 300.0
LOT_ID = "bench"
SETTLE_S, LIMIT_S = 4.0, 180.0
TWIN = "twin"


def bench_parking() -> BenchResult:
    """Run it in a process of its own, since it needs the window's loop.

    Raises:
        BadInputError: It did not end.
    """
    data = measure_apart("app.bench_parking", limit_s=LIMIT_S, failed="The lot of the bench did not end.")
    cost = measure_bay_cost()
    cameras = f"{N_CAMERAS} cameras at {DETECT_FPS:g}/s, half of them see {N_BAYS_EACH} bays each"
    shared = f"{cameras}; {cost.n_looks} looks at bays"
    load = f"{data['changes_per_s']:.0f} changes a second of {N_BAYS:,} bays, the twin in front"
    return BenchResult(
        bench="parking",
        figures={
            "p95_ms": Figure(value=round(data["p95_ms"], 1), unit="ms", reference=f"at most {REFERENCE_MS:g}; {load}"),
            "p50_ms": Figure(value=round(data["p50_ms"], 1), unit="ms", reference=load),
            "max_ms": Figure(value=round(data["max_ms"], 1), unit="ms", reference=load),
            "told_p95_ms": Figure(
                value=round(data["told_p95_ms"], 1), unit="ms", reference=f"until every panel took it over; {load}"
            ),
            "n_unpainted": Figure(value=data["n_unpainted"], unit="changes", reference="told and in no picture"),
            "draw_p50_ms": Figure(
                value=round(data["draw_p50_ms"], 1), unit="ms", reference="one picture of the twin; the rest is waiting"
            ),
            "n_unseen": Figure(
                value=data["n_unseen"], unit="bays", reference="that stand otherwise in the console than last told"
            ),
            "lag_p99_ms": Figure(value=round(data["lag_p99_ms"], 1), unit="ms", reference=f"of the window; {load}"),
            "errors": Figure(value=data["n_errors"], unit="errors", reference="console and node"),
            "rate_with_bays": Figure(
                value=round(cost.with_bays / max(cost.without_bays, 1e-9), 3),
                unit="of the rate of cameras without bays at the same time",
                reference=f"{cost.with_bays:.2f} and {cost.without_bays:.2f} looks a second; {shared} (>= 0.95)",
            ),
            "rate_after_bays": Figure(
                value=round((cost.with_bays + cost.without_bays) / max(2 * cost.before, 1e-9), 3),
                unit="of the rate of all cameras before",
                reference=f"{cost.before:.2f} looks a second before; {shared}",
            ),
        },
    )


def bench_lot() -> Lot:
    """Return the lot of the bench."""
    lot = open_lot(LOT_ID, "Bench", n_bays=N_BAYS, bays_per_row=50)
    gateways = tuple(f"parking/gw-{number:02d}" for number in range(N_GATEWAYS))
    return Lot(lot_id=LOT_ID, name="Bench", bays=lot.bays, levels=lot.levels, device_ids=gateways)


async def run(app: QApplication, folder: Path, report: Path) -> None:
    """Open broker, node and console, and write what was measured."""
    (folder / "broker").mkdir()
    broker = EmbeddedBroker(folder / "broker")
    address = await broker.start()
    data = folder / "data"
    await (await make_store(data)).close()
    sensors, pipe = start_field(drive, address)
    wanted = (
        *(f"broker.host={address.host}", f"broker.port={address.port}", "broker.username=core"),
        *(f"broker.protocol={address.protocol}", "site.tenant=city", "vision.model=demo"),
    )
    secrets = {"WATCHFLOOR_SECRET_BROKER": address.passwords["core"]}
    try:
        with node_of_bench(data, *wanted, secrets=secrets):
            result = await measure_in_room(app, data, lambda console: _measure(console, pipe), size=(1280, 800))
            report.write_text(json.dumps(result), encoding="utf-8")
    finally:
        pipe.close()
        sensors.join(5.0)
        await broker.stop()


async def _measure(console: Console, pipe: Connection) -> dict[str, Any]:
    live = console.live
    await console.connection.call("parking.save_lot", Lot, lot=bench_lot(), note="bench")
    await wait_until(lambda: len(live.bays.get(LOT_ID, {})) == N_BAYS, "the lot")
    console.window.bring_panel(TWIN)
    console.room.select("lot", LOT_ID)
    view = _view_of(console)
    await wait_until(lambda: view.has_picture, "the twin's picture")
    await asyncio.sleep(SETTLE_S)
    pipe.send("all")
    await wait_until(lambda: pipe.poll(0), "every sensor")
    pipe.recv()
    await wait_until(lambda: all(status.is_known for status in live.bays[LOT_ID].values()), "every bay")
    await asyncio.sleep(SETTLE_S)
    told_ms: list[float] = []
    painted_ms: list[float] = []
    draws_ms: list[float] = []
    under_way: deque[tuple[int, datetime]] = deque()

    def heard(fresh: tuple[BayStatus, ...]) -> None:
        # Connected last: every panel has taken these over.
        now = datetime.now(UTC)
        since = [status.since for status in fresh if status.since >= began]
        told_ms.extend((now - at).total_seconds() * 1000.0 for at in since)
        under_way.extend((view.look_number, at) for at in since)

    def painted(look_number: int) -> None:
        now = datetime.now(UTC)
        draws_ms.append(view.draw_s * 1000.0)
        while under_way and under_way[0][0] <= look_number:
            painted_ms.append((now - under_way.popleft()[1]).total_seconds() * 1000.0)

    began = datetime.now(UTC)
    live.bays_updated.connect(heard)
    view.look_painted.connect(painted)
    console.lag.begin_window()
    pipe.send("talk")
    await wait_until(lambda: pipe.poll(0), "the changes")
    last: dict[str, bool] = pipe.recv()
    await asyncio.sleep(SETTLE_S)
    live.bays_updated.disconnect(heard)
    view.look_painted.disconnect(painted)
    statuses = live.bays[LOT_ID]
    n_unseen = sum(
        (statuses[bay_id].state is BayState.OCCUPIED) is not is_occupied for bay_id, is_occupied in last.items()
    )
    return {
        "p95_ms": statistics.quantiles(painted_ms, n=20)[18],
        "p50_ms": statistics.median(painted_ms),
        "max_ms": max(painted_ms),
        "told_p95_ms": statistics.quantiles(told_ms, n=20)[18],
        "draw_p50_ms": statistics.median(draws_ms),
        "n_unpainted": len(under_way),
        "changes_per_s": len(told_ms) / CHANGE_S,
        "n_unseen": n_unseen,
        "lag_p99_ms": console.lag.overall_p99_ms,
    }


def _view_of(console: Console) -> TwinView:
    """Return the twin's picture.

    Raises:
        BadInputError: The console has none.
    """
    panel = console.window.panel(TWIN)
    view = panel.findChild(TwinView) if panel is not None else None
    if view is None:
        raise BadInputError("The console has no twin.", hint="Is its panel there?")
    return view


def drive(pipe: Connection, host: str, port: int, password: str) -> None:
    """Entry point of the sensors: says what the bench asks for."""
    client = field_client("bench-bays", host, port, password)
    bays = [bay.bay_id for bay in bench_lot().bays]
    states = dict.fromkeys(bays, False)

    def tell(number: int) -> Any:
        bay_id = bays[number]
        topic = f"watchfloor/v1/city/parking/gw-{number % N_GATEWAYS:02d}/state/{bay_id.lower()}"
        return client.publish(topic, _spot(is_occupied=states[bay_id]), qos=1)

    try:
        while (word := pipe.recv()) is not None:
            if word == "all":
                for message in [tell(number) for number in range(len(bays))]:
                    message.wait_for_publish(30.0)
                pipe.send("done")
                continue
            due_s = time.monotonic()
            for step in range(round(CHANGES_PER_S * CHANGE_S)):
                number = step * 7919 % len(bays)
                states[bays[number]] = not states[bays[number]]
                tell(number)
                due_s += 1.0 / CHANGES_PER_S
                time.sleep(max(0.0, due_s - time.monotonic()))
            pipe.send(states)
    except (EOFError, BrokenPipeError):
        pass  # The bench is over.
    client.loop_stop()


def _spot(*, is_occupied: bool) -> str:
    ts = datetime.now(UTC).isoformat()
    return json.dumps(
        {"v": 1, "type": "ParkingSpot", "ts": ts, "data": {"status": "occupied" if is_occupied else "free"}}
    )


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    run_room(run, Path(sys.argv[1]), Path(sys.argv[2]))

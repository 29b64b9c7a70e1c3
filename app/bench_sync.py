"""`main.py bench sync`: events from many field clients into both databases while broker and consumer are killed.

Three parts, each a process of its own as in the field: a Mosquitto that keeps nothing over a kill; a sender with the
field clients and their outboxes; a consumer with the node's store, field service and link. What was lost or doubled is
counted in the database afterwards, against the numbers that the senders gave.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from app.bench_servers import BenchBroker, BenchPostgres
from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import UnavailableError
from core.store.engine import sqlite_url

if TYPE_CHECKING:
    from core.kernel.clock import Clock
    from core.store.engine import Store

N_DEVICES = 50
RATE_PER_S = 1000.0
PEAK_PER_S = 2000.0
PEAK_S = 60.0
WARM_UP_S = 20.0
"""A new process fills its pools and caches for so long; growth is measured from then on."""

DRAIN_TIMEOUT_S = 120.0
REPORT_EVERY_S = 0.5
BUCKETS_PER_DECADE = 40
CONSUMER_KILLS = (0.05, 0.15)
BROKER_KILLS = (0.3, 0.6)
"""When, as shares of the run. The consumer that lives longest tells whether memory grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What sender and consumer need to know; JSON on their command line."""

    port: int
    url: str
    folder: str
    rate_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What one run found."""

    n_sent: int
    n_lost: int
    n_doubled: int
    p50_ms: float
    p99_ms: float
    calm_p99_ms: float
    rss_growth_mb: float
    drained_s: float
    n_repetitions: int


def bench_sync(minutes: float) -> BenchResult:
    """Run both loads into both databases; the plain figures are the worse ones."""
    runs: dict[str, tuple[_Outcome, _Outcome]] = {}
    runs["sqlite"] = _both_loads(minutes, None)
    postgres = BenchPostgres()
    try:
        runs["postgresql"] = _both_loads(minutes, postgres.url)
    finally:
        postgres.remove()
    steady = {name: run[0] for name, run in runs.items()}
    peak = {name: run[1] for name, run in runs.items()}
    n_kills = len(BROKER_KILLS) + len(CONSUMER_KILLS)
    load = f"{RATE_PER_S:,.0f} events/s of {N_DEVICES} devices for {minutes:g} min, {n_kills} SIGKILLs"
    figures = {
        "lost": Figure(value=max(run.n_lost for run in steady.values()), unit="events", reference=load),
        "doubled": Figure(value=max(run.n_doubled for run in steady.values()), unit="events", reference=load),
        "p99_ms": Figure(
            value=max(run.p99_ms for run in steady.values()),
            unit="ms",
            reference=f"device's time to after the commit, outages included; {load}",
        ),
        "rss_growth_mb": Figure(
            value=max(run.rss_growth_mb for run in steady.values()),
            unit="MB",
            reference=f"of the consumer that lived longest, after its first {WARM_UP_S:g} s",
        ),
        "peak_lost": Figure(
            value=max(run.n_lost for run in peak.values()),
            unit="events",
            reference=f"{PEAK_PER_S:,.0f}/s for {PEAK_S:g} s",
        ),
    }
    for name, run in steady.items():
        for key, unit in (
            ("n_sent", "events"),
            ("n_lost", "events"),
            ("n_doubled", "events"),
            ("p50_ms", "ms"),
            ("p99_ms", "ms"),
            ("calm_p99_ms", "ms"),
            ("rss_growth_mb", "MB"),
            ("drained_s", "s"),
        ):
            figures[f"{name}_{key.removeprefix('n_')}"] = Figure(value=getattr(run, key), unit=unit, reference=load)
    for name, run in peak.items():
        for key, unit in (
            ("n_sent", "events"),
            ("n_lost", "events"),
            ("n_doubled", "events"),
            ("p99_ms", "ms"),
            ("drained_s", "s"),
        ):
            figures[f"{name}_peak_{key.removeprefix('n_')}"] = Figure(
                value=getattr(run, key), unit=unit, reference=f"{PEAK_PER_S:,.0f}/s for {PEAK_S:g} s"
            )
    return BenchResult(bench="sync", figures=figures)


def _both_loads(minutes: float, url: str | None) -> tuple[_Outcome, _Outcome]:
    steady = _run(url, rate_per_s=RATE_PER_S, seconds=minutes * 60.0, is_disturbed=True)
    peak = _run(url, rate_per_s=PEAK_PER_S, seconds=PEAK_S, is_disturbed=False)
    return steady, peak


def _run(url: str | None, *, rate_per_s: float, seconds: float, is_disturbed: bool) -> _Outcome:
    """Let the parts run against each other, disturb them, and count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = BenchBroker(folder)
        order = _Order(
            port=broker.port,
            url=url or sqlite_url(folder / "bench.sqlite3"),
            folder=name,
            rate_per_s=rate_per_s,
            seconds=seconds,
        )
        broker.start()
        before = asyncio.run(_rows(order))
        consumer = _Consumer(order)
        sender: subprocess.Popen[bytes] | None = None
        try:
            consumer.start()
            sender = _start(order, "sender")
            outages = _disturb(sender, consumer, broker, seconds=seconds, is_disturbed=is_disturbed)
            said = _said(folder)
            consumer.stop()
        finally:
            if sender is not None and sender.poll() is None:
                sender.kill()
            consumer.kill()
            broker.kill()
        after = asyncio.run(_rows(order))
        return _judge(said, before, after, _reports(folder), outages)


def _said(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "sent.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UnavailableError(
            f"The senders' outboxes were not empty {DRAIN_TIMEOUT_S:.0f} s after the load: nothing can be counted.",
            hint="Run it on a machine that does nothing else.",
        ) from error


class _Consumer:
    """The consumer's process, started again after a kill."""

    def __init__(self, order: _Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = _start(self._order, "consumer")

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it politely, so that its last report is written."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30.0)


def _start(order: _Order, part: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.bench_sync", part, json.dumps(asdict(order))],
        cwd=Path(__file__).resolve().parents[1],
        stdout=subprocess.DEVNULL,
    )


def _disturb(
    sender: subprocess.Popen[bytes],
    consumer: _Consumer,
    broker: BenchBroker,
    *,
    seconds: float,
    is_disturbed: bool,
) -> list[float]:
    """Kill what is to be killed until the sender has drained its outboxes; returns when it did [epoch s]."""

    def kill_broker() -> None:
        broker.kill()
        broker.start()

    def kill_consumer() -> None:
        consumer.kill()
        consumer.start()

    plan: list[tuple[float, Callable[[], None]]] = []
    if is_disturbed:
        plan += [(share * seconds, kill_broker) for share in BROKER_KILLS]
        plan += [(share * seconds, kill_consumer) for share in CONSUMER_KILLS]
    plan.sort(key=lambda step: step[0])
    began_s = time.monotonic()
    outages: list[float] = []
    while sender.poll() is None:
        passed_s = time.monotonic() - began_s
        if passed_s > seconds + DRAIN_TIMEOUT_S:
            break
        if plan and passed_s >= plan[0][0]:
            outages.append(time.time())
            plan.pop(0)[1]()
        time.sleep(0.02)
    return outages


async def _open_as_node(url: str, folder: Path, clock: Clock) -> Store:
    """Open the store as its one writer; a killed consumer's place is free once the server has noticed the death."""
    from core.kernel.lock import HeldError, Holder
    from core.store.engine import open_store

    me = Holder.of_this_process(clock.now())
    while True:
        try:
            return open_store(url, backups=folder, clock=clock, writer=me)
        except HeldError:
            await asyncio.sleep(0.05)


async def _rows(order: _Order) -> dict[tuple[str, int], int]:
    """Return how often each event stands in the database."""
    from sqlalchemy import func, select

    from core.kernel.clock import SystemClock
    from core.store.engine import open_store
    from core.store.tables import FieldEventRow

    store = open_store(order.url, backups=Path(order.folder), clock=SystemClock())
    try:
        query = select(FieldEventRow.device_id, FieldEventRow.seq, func.count()).group_by(
            FieldEventRow.device_id, FieldEventRow.seq
        )
        return await store.read(lambda session: {(row[0], row[1]): row[2] for row in session.execute(query)})
    finally:
        await store.close()


def _reports(folder: Path) -> list[dict[str, Any]]:
    found = []
    for line in (folder / "consumer.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            # A kill in the middle of a line.
            continue
    return found


def _judge(
    said: dict[str, Any],
    before: dict[tuple[str, int], int],
    after: dict[tuple[str, int], int],
    reports: list[dict[str, Any]],
    outages: list[float],
) -> _Outcome:
    new = {key: n_rows for key, n_rows in after.items() if key not in before}
    sent = {(device_id, seq) for device_id, last in said["last_seqs"].items() for seq in range(1, last + 1)}
    whole: dict[int, int] = {}
    calm: dict[int, int] = {}
    for report in reports:
        is_calm = not any(-1.0 <= report["at"] - outage <= 10.0 for outage in outages)
        for bucket, n_events in report["delays"].items():
            whole[int(bucket)] = whole.get(int(bucket), 0) + n_events
            if is_calm:
                calm[int(bucket)] = calm.get(int(bucket), 0) + n_events
    return _Outcome(
        n_sent=len(sent),
        n_lost=len(sent - new.keys()),
        n_doubled=sum(n_rows - 1 for n_rows in new.values()) + len(new.keys() - sent),
        p50_ms=_percentile(whole, 0.5),
        p99_ms=_percentile(whole, 0.99),
        calm_p99_ms=_percentile(calm, 0.99),
        rss_growth_mb=_growth_mb(reports),
        drained_s=round(float(said["drained_s"]), 2),
        n_repetitions=sum(report["n_duplicates"] for report in reports),
    )


def _percentile(buckets: dict[int, int], share: float) -> float:
    """Return the upper end of the bucket that holds it [ms]."""
    left = share * sum(buckets.values())
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return round(float(10.0 ** ((bucket + 1) / BUCKETS_PER_DECADE)), 1)
    return 0.0


def _growth_mb(reports: list[dict[str, Any]]) -> float:
    """Of the consumer that lived longest: its last second against the end of its warm-up."""
    by_pid: dict[int, list[dict[str, Any]]] = {}
    for report in reports:
        by_pid.setdefault(report["pid"], []).append(report)
    lived = max(by_pid.values(), key=lambda one: one[-1]["at"] - one[0]["at"])
    warm = [report["rss_mb"] for report in lived if report["at"] - lived[0]["at"] >= WARM_UP_S]
    return round(warm[-1] - warm[0], 1) if warm else 0.0


# -- the sender's process ---------------------------------------------------------------------------------------------


def _send(order: _Order) -> None:
    from core.field.client.device import Access, DeviceInfo, Dialect, FieldDevice
    from core.field.client.runner import FieldRunner
    from core.field.settings import BrokerSettings

    class Counter(FieldDevice):
        """Reports vehicles at a steady rate until told to end."""

        began_s = ends_s = float("inf")
        n_reported = 0

        def measure(self) -> None:
            now_s = min(time.monotonic(), self.ends_s)
            n_due = int((now_s - self.began_s) * order.rate_per_s / N_DEVICES) if now_s > self.began_s else 0
            for _ in range(n_due - self.n_reported):
                self.report(
                    "TrafficFlowObserved",
                    {"intensity": 17, "occupancy": 0.31, "averageVehicleSpeed": 42.1, "laneId": 2},
                )
            self.n_reported = max(self.n_reported, n_due)

    access = Access(broker=BrokerSettings(host="127.0.0.1", port=order.port))
    dialect = Dialect()
    devices = [
        Counter(
            DeviceInfo(group="traffic", device=f"bench-{order.port}-{number:02}", name=f"Bench {number:02}"),
            access,
            memory_file=Path(order.folder) / f"device-{number:02}.sqlite3",
            dialect=dialect,
        )
        for number in range(N_DEVICES)
    ]
    runner = FieldRunner(devices)
    runner.start()
    while not all(device.is_connected for device in devices):
        time.sleep(0.05)
    began_s = time.monotonic() + 1.0
    for number, device in enumerate(devices):
        device.began_s = began_s + number / order.rate_per_s
        device.ends_s = began_s + order.seconds
    time.sleep(1.0 + order.seconds)
    while any(device.n_waiting for device in devices) and time.monotonic() < began_s + order.seconds + DRAIN_TIMEOUT_S:
        time.sleep(0.05)
    drained_s = time.monotonic() - began_s - order.seconds
    last_seqs = {device.device_id: device.last_seq for device in devices}
    runner.stop()
    (Path(order.folder) / "sent.json").write_text(
        json.dumps({"last_seqs": last_seqs, "drained_s": drained_s}), encoding="utf-8"
    )


# -- the consumer's process -------------------------------------------------------------------------------------------


async def _consume(order: _Order) -> None:
    import math
    import signal

    from core.field.mqtt_link import MqttLink
    from core.field.outbox import Outbox
    from core.field.service import FieldEventReceived, FieldService
    from core.field.settings import BrokerSettings
    from core.kernel.bus import Bus
    from core.kernel.clock import SystemClock

    folder, clock, bus = Path(order.folder), SystemClock(), Bus()
    settings = BrokerSettings(host="127.0.0.1", port=order.port, protocol="5")
    store = await _open_as_node(order.url, folder, clock)
    outbox = Outbox(folder / "outbox.sqlite3")
    service = FieldService(store=store, bus=bus, clock=clock, outbox=outbox, settings=settings)
    await service.prepare()
    loop = asyncio.get_running_loop()
    link = MqttLink(
        settings, loop=loop, on_message=service.on_messages, on_state=service.on_link_state, epoch=outbox.epoch
    )
    delays: dict[int, int] = {}

    def note(event: FieldEventReceived) -> None:
        delay_ms = max(0.1, (datetime.now(UTC) - event.event.at).total_seconds() * 1000.0)
        bucket = int(math.log10(delay_ms) * BUCKETS_PER_DECADE)
        delays[bucket] = delays.get(bucket, 0) + 1

    bus.subscribe(FieldEventReceived, note)
    is_ending = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, is_ending.set)
    await service.start(link)
    process, n_told = psutil.Process(), 0
    with (folder / "consumer.jsonl").open("a", encoding="utf-8") as file:
        while True:
            done = is_ending.is_set()
            report = {
                "at": time.time(),
                "pid": process.pid,
                "rss_mb": process.memory_info().rss / 2**20,
                "n_duplicates": service.n_duplicates - n_told,
                "delays": delays.copy(),
            }
            delays.clear()
            n_told = service.n_duplicates
            file.write(json.dumps(report) + "\n")
            file.flush()
            if done:
                break
            try:
                await asyncio.wait_for(is_ending.wait(), REPORT_EVERY_S)
            except TimeoutError:
                continue
    await service.stop()
    await store.close()


def _main(part: str, order: _Order) -> None:
    if part == "sender":
        _send(order)
    elif part == "consumer":
        asyncio.run(_consume(order))
    else:
        raise UnavailableError(f"A bench has no part {part!r}.")


if __name__ == "__main__":
    _main(sys.argv[1], _Order(**json.loads(sys.argv[2])))

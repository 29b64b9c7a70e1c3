"""`main.py bench drones`: what 50 drones of 40 messages a second cost the node, and when silence is said."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import psutil

from app.bench_recover import enter_node
from app.connection import own_command
from core.drones.model import DroneLink, DroneState, LinkHealth
from core.kernel.bench import BenchResult, Figure, wait_until
from core.kernel.geo import GeoPoint
from core.link.client import LinkClient

N_DRONES = 50
PHASE_S = 15.0
SETTLE_S = 4.0
LINK = "bench"
SILENT = 1
HOME = GeoPoint(36.0, -30.0)


@dataclass(slots=True)
class _Desk:
    """A console without a window: it decodes every push, as a real one does."""

    n_pushes: int = 0
    n_states: int = 0
    newest: dict[str, DroneState] = field(default_factory=dict)
    lost_after_s: dict[str, float] = field(default_factory=dict)

    def take(self, _topic: str, data: Any) -> None:
        states = msgspec.convert(data.get("drones", ()), tuple[DroneState, ...])
        self.n_pushes += bool(states)
        self.n_states += len(states)
        for state in states:
            self.newest[state.drone_id] = state
            if state.health is LinkHealth.LOST and state.heartbeat_at is not None:
                silent_s = (datetime.now(UTC) - state.heartbeat_at).total_seconds()
                self.lost_after_s.setdefault(state.drone_id, silent_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    idle_share: float
    busy_share: float
    messages_per_s: float
    states_per_s: float
    n_drones: int
    lags_p99_ms: tuple[float, float]
    lost_after_s: float
    n_faults: int


def bench_drones() -> BenchResult:
    """Start a node with one UDP link and a desk, without drones and with them; all over the loopback."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ["--set", "vision.model=demo", "--set", f"drones.links={LINK}=udp:127.0.0.1:0"]
        node = subprocess.Popen([*own_command(), "node", "--data", folder, *settings], stderr=subprocess.DEVNULL)
        try:
            found = asyncio.run(_measure(Path(folder), node.pid))
        finally:
            node.terminate()
            node.wait(30.0)
    share = max(0.0, found.busy_share - found.idle_share)
    return BenchResult(
        bench="drones",
        figures={
            "drones_core": Figure(
                value=share, unit="of one core", reference=f"{found.idle_share:.3f} of a core without drones"
            ),
            "us_per_message": Figure(value=1e6 * share / found.messages_per_s, unit="us CPU", reference="none"),
            "messages_per_s": Figure(
                value=found.messages_per_s, unit="1/s", reference=f"{N_DRONES} drones of 40 messages a second"
            ),
            "shown_hz": Figure(
                value=found.states_per_s / found.n_drones, unit="Hz", reference="states of each drone at the desk"
            ),
            "drones_seen": Figure(value=float(found.n_drones), unit="", reference=f"of {N_DRONES}"),
            "lost_or_corrupt": Figure(value=float(found.n_faults), unit="", reference="messages"),
            "silence_said_after_s": Figure(
                value=found.lost_after_s,
                unit="s",
                reference="after the last heartbeat; 5.0 wanted, its radio still talks",
            ),
            "loop_lag_p99_ms": Figure(
                value=found.lags_p99_ms[1], unit="ms", reference=f"{found.lags_p99_ms[0]:.1f} ms without drones"
            ),
        },
    )


async def _measure(folder: Path, pid: int) -> _Measured:
    desk = _Desk()
    client = LinkClient(on_push=desk.take, on_gone=lambda _reason: None)
    await enter_node(client, folder)
    here, theirs = multiprocessing.Pipe()
    swarm = multiprocessing.get_context("spawn").Process(
        target=fly, args=(theirs, await _port(client)), name="bench-drones", daemon=True
    )
    try:
        process = psutil.Process(pid)
        await asyncio.sleep(SETTLE_S)
        cpu_s = _cpu_s(process)
        await asyncio.sleep(PHASE_S)
        idle_share = (_cpu_s(process) - cpu_s) / PHASE_S
        idle_lag_ms = await _lag_ms(client)
        swarm.start()
        await wait_until(lambda: len(desk.newest) == N_DRONES, "every drone")
        await asyncio.sleep(SETTLE_S)
        cpu_s, n_states, before = _cpu_s(process), desk.n_states, await _link(client)
        await asyncio.sleep(PHASE_S)
        busy_share = (_cpu_s(process) - cpu_s) / PHASE_S
        after, n_after = await _link(client), desk.n_states
        lag_ms = await _lag_ms(client)
        here.send(SILENT)
        await wait_until(lambda: f"mav-{SILENT}" in desk.lost_after_s, "the silence")
    finally:
        here.close()
        swarm.join(5.0)
        await client.close()
    return _Measured(
        idle_share=idle_share,
        busy_share=busy_share,
        messages_per_s=(after.n_messages - before.n_messages) / PHASE_S,
        states_per_s=(n_after - n_states) / PHASE_S,
        n_drones=len(desk.newest),
        lags_p99_ms=(idle_lag_ms, lag_ms),
        lost_after_s=desk.lost_after_s[f"mav-{SILENT}"],
        n_faults=after.n_corrupt + after.n_dropped,
    )


async def _lag_ms(client: LinkClient) -> float:
    return float((await client.call("room.health"))["loop_lag_p99_ms"])


async def _link(client: LinkClient) -> DroneLink:
    (link,) = await client.call("drones.links", list[DroneLink])
    return link


async def _port(client: LinkClient) -> int:
    """Return where the node's link listens."""
    while not (await _link(client)).is_open:
        await asyncio.sleep(0.05)
    return int((await _link(client)).address.rpartition(":")[2])


def fly(pipe: Connection, port: int) -> None:
    """Entry point of the drones' process: fly until the pipe closes; a number in it silences that drone's autopilot."""
    asyncio.run(_fly(pipe, port))


async def _fly(pipe: Connection, port: int) -> None:
    from core.sim.drones import DroneScript, DroneSwarm, SimDrone, square_around

    drones = {
        system: SimDrone(
            DroneScript(system=system, route=square_around(HOME, 100.0 + system), waits_s=0.0, attitudes_per_tick=2)
        )
        for system in range(1, N_DRONES + 1)
    }
    flying = asyncio.create_task(DroneSwarm(tuple(drones.values()), host="127.0.0.1", port=port).run())
    with contextlib.suppress(EOFError, OSError):
        while True:
            drones[await asyncio.to_thread(pipe.recv)].is_autopilot_silent = True
    flying.cancel()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)

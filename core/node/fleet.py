"""The demo city's field devices, in a process of their own: what they do must not touch the node's loop."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from core.field.settings import BrokerSettings
from core.sim.flow import ParkingBefore

STOP_TIMEOUT_S = 4.0


class FleetProcess:
    """Starts and ends the process.

    Threads: the node's loop.
    """

    def __init__(
        self, broker: BrokerSettings, *, username: str, password: str, before: ParkingBefore, drone_port: int
    ) -> None:
        """Let devices sign in at `broker` as `username`, lots go on from `before`, drones send to a port of ours."""
        self._broker = broker
        self._username = username
        self._password = password
        self._before = before
        self._drone_port = drone_port
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    async def start(self) -> None:
        """Start the process; its devices connect by themselves."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=run_fleet,
            args=(theirs, self._broker, self._username, self._password, self._before, self._drone_port),
            name="demo-city",
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def tell_gateway(self, url: str) -> None:
        """Say where drones post."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(url)

    async def stop(self) -> None:
        """End it, within some seconds."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            await asyncio.to_thread(self._process.join, STOP_TIMEOUT_S)
            if self._process.is_alive():
                self._process.kill()
                await asyncio.to_thread(self._process.join, 1.0)


def run_fleet(
    pipe: Connection, broker: BrokerSettings, username: str, password: str, before: ParkingBefore, drone_port: int
) -> None:
    """Entry point of the process; returns when the node closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_run(pipe, broker, username, password, before, drone_port))


async def _run(
    pipe: Connection, broker: BrokerSettings, username: str, password: str, before: ParkingBefore, drone_port: int
) -> None:
    from core.sim.city import load_city
    from core.sim.devices import DeviceFleet
    from core.sim.drone_seed import demo_scripts, flying_sender
    from core.sim.drones import DroneSwarm, demo_drones
    from core.sim.lots import market_garage

    posting, by_mqtt = demo_scripts(load_city())
    fleet = DeviceFleet(
        load_city(),
        host=broker.host,
        port=broker.port,
        tenant=broker.tenant,
        username=username,
        password=password,
        garages=(market_garage(),),
        drones={"Survey 5": by_mqtt},
        before=before,
    )
    await fleet.start()
    flying = asyncio.create_task(DroneSwarm(demo_drones(load_city()), host="127.0.0.1", port=drone_port).run())
    sender = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            # The node says where its gateway listens, again where that is another address.
            url = await asyncio.to_thread(pipe.recv)
            if sender is not None:
                await asyncio.to_thread(sender.stop)
            sender = flying_sender(url, posting)
            sender.start()
    if sender is not None:
        await asyncio.to_thread(sender.stop)
    flying.cancel()
    await fleet.stop()

"""Senders of the drone seed's kind, which know nothing of us, against a gateway that knows them."""

import asyncio
import random

from core.drones.model import QUANTITIES, LinkHealth
from core.gateway.telemetry import SEED_NUMBERS, check_telemetry
from core.kernel.geo import GeoPoint
from core.sim.drone_seed import SeedScript, flying_sender, random_state, spamming_sender, state_at
from tests.fixtures.http_gate import Gate, at_gate

SCRIPT = SeedScript(center=GeoPoint(47.0, 8.0), drone_id="quad", name="Quad 1")


async def until(is_so) -> None:
    async with asyncio.timeout(20.0):
        while not is_so():
            await asyncio.sleep(0.02)


def test_the_spammer_is_served_without_a_key_where_its_network_needs_none(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        sender = spamming_sender(gate.server.address, every_s=0.05)
        sender.start()
        await until(lambda: sender.states.statuses[201] >= 5)
        await asyncio.to_thread(sender.stop)

        assert set(sender.states.statuses) == {201}
        assert sender.states.last == b'{"message":"Data saved!"}\n'
        (state,) = gate.drones.states()
        assert (state.drone_id, state.health) == ("http-127.0.0.1", LinkHealth.LIVE)

    at_gate(tmp_path, scenario)


def test_a_flying_drone_posts_states_and_pictures_with_its_key(tmp_path):
    async def scenario(gate: Gate) -> None:
        sender = flying_sender(gate.server.address, SCRIPT, key=await gate.drone_key("quad"))
        sender.start()
        await until(lambda: sender.states.statuses[201] >= 1 and sender.pictures.statuses[200] >= 3)
        await asyncio.to_thread(sender.stop)

        (state,) = gate.drones.states()
        assert state.position is not None
        # It flies, however short the wait was.
        assert 99.0 <= state.battery_percent <= 100.0
        assert (gate.pictures / "drone-quad.jpg").read_bytes().startswith(b"\xff\xd8")
        assert [drone.name for drone in gate.drones.drones()] == ["Quad 1"]

    at_gate(tmp_path, scenario)


def test_a_gateway_that_goes_and_comes_back_is_found_again(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        sender = spamming_sender("http://127.0.0.1:1", every_s=0.05)
        sender.start()
        await until(lambda: sender.states.statuses[0] >= 1)
        sender.states.url = gate.server.address
        await until(lambda: sender.states.statuses[201] >= 1)
        await asyncio.to_thread(sender.stop)

    at_gate(tmp_path, scenario)


def test_whatever_the_senders_say_can_be():
    dice = random.Random(7)
    for second in range(0, 700, 7):
        for said in (random_state(dice), state_at(SCRIPT, float(second), dice)):
            assert check_telemetry(said).refused == ()
    assert set(random_state(dice)) == set(SEED_NUMBERS)
    assert SEED_NUMBERS.keys().isdisjoint(QUANTITIES)

"""The drones' page in a real Chromium: live values and pictures with their ages, a lost link, a key, a node gone."""

import asyncio
import os
from pathlib import Path

import pytest

from core.kernel.geo import GeoPoint
from core.sim.drone_seed import SeedScript, flying_sender
from tests.fixtures.chromium import Browser, chromium
from tests.fixtures.http_gate import Gate, at_gate

pytestmark = pytest.mark.slow

LINK = "document.querySelector('article .link')?.textContent"
STATE = "document.getElementById('state').textContent"
AGE = "document.querySelector('article .age')?.textContent"
SIZE = "document.querySelector('article img')?.naturalWidth"
SMALLEST_PX = "Math.min(...[...document.querySelectorAll('dd')].map(one => parseFloat(getComputedStyle(one).fontSize)))"
POSITION = "[...document.querySelectorAll('dt')].find(one => one.textContent === 'Position').nextSibling.textContent"


def keep(browser: Browser, name: str) -> None:
    """Leave a picture for whoever looks."""
    folder = os.environ.get("WATCHFLOOR_SHOTS")
    if folder:
        browser.screenshot(Path(folder) / f"{name}.png")


def test_states_and_pictures_are_shown_live_and_what_ages_says_so(tmp_path):
    script = SeedScript(center=GeoPoint(47.0, 8.0), drone_id="quad", name="Quad 1")

    def watch(browser: Browser, gate: Gate) -> None:
        sender = flying_sender(gate.server.address, script, key="")
        sender.start()
        try:
            browser.open(f"{gate.server.address}/")
            browser.wait_for(LINK, lambda text: text == "● Live")
            browser.wait_for(SIZE, lambda width: width == 960)
            assert browser.wait_for(AGE, bool).startswith("Picture, 0.")
            assert browser.ask(POSITION).startswith("47.00")
            assert browser.ask(STATE) == "1 drone"
            # Everything that matters at a glance, at two metres: no value is smaller than 30 px.
            assert browser.ask(SMALLEST_PX) >= 30
            for width, height in ((1920, 1080), (1280, 800)):
                browser.resize(width, height)
                assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth")
                keep(browser, f"drones-page-{width}")
        finally:
            sender.stop()
        lost = browser.wait_for(LINK, lambda text: text.startswith("✕ Link lost"))
        assert lost.endswith(" s")
        assert browser.ask(AGE).startswith("Old picture, ")
        keep(browser, "drones-page-lost")
        assert browser.complaints() == []

    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        await asyncio.to_thread(watch, browser, gate)

    with chromium(tmp_path) as browser:
        at_gate(tmp_path, scenario)
        assert browser.wait_for(STATE, lambda text: text.startswith("✕ No connection to the node for "))
        keep(browser, "drones-page-gone")


def test_the_page_asks_for_a_key_and_shows_nothing_before(tmp_path):
    def watch(browser: Browser, gate: Gate) -> None:
        browser.open(f"{gate.server.address}/")
        assert browser.wait_for(STATE, lambda text: "key" in text) == "A device key is needed."
        assert browser.ask("document.querySelectorAll('article').length") == 0
        browser.type("#token", f"{gate.reader}\n")
        assert browser.wait_for(STATE, lambda text: text.endswith("drones")) == "0 drones"

    async def scenario(gate: Gate) -> None:
        await asyncio.to_thread(watch, browser, gate)

    with chromium(tmp_path) as browser:
        at_gate(tmp_path, scenario)

"""An edge camera that is turned away, burnt out or snowed in: its bays are unknown, an alarm says why, and it ends.

Pictures of the window lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.cameras.model import Camera
from core.gateway.http.model import GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.parking.model import Bay, Lot
from tests.e2e.parking.test_lots import take_pictures
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures import drawn_lot
from tests.fixtures.console import act, until
from tests.fixtures.processes import end_process
from tests.fixtures.testdata import ROOT
from widgets.lots.bay_table import BayTable
from widgets.lots.lot_list import LotList
from widgets.lots.sight_bar import SightBar

SIZE = (1920, 1080)
MOVED, BLIND = "Camera moved, bays unknown: Campus lot", "Bays not seen: Campus lot"


class Mast:
    """The camera program of a device: it writes the newest picture into a folder, again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n = 0
        folder.mkdir()

    async def show_until(self, picture_of, is_true, what) -> None:
        """Take pictures, each a little different from noise, until something is true."""
        for _ in range(60):
            self._n += 1
            file = self._folder / f"{self._n:04}.jpg"
            file.write_bytes(drawn_lot.jpeg_of(picture_of(self._n)))
            for _ in range(50):
                if is_true():
                    return
                await asyncio.sleep(0.02)
        pytest.fail(f"waited for {what}")


def straight(number):
    return drawn_lot.draw(seed=number)


def turned(number):
    return np.roll(drawn_lot.draw(seed=number), (60, 80), axis=(0, 1))


def burnt_out(number):
    return drawn_lot.draw(seed=number, gain=6.0)


def snowed_in(number):
    noise = np.random.default_rng(number).normal(244, 1.5, (drawn_lot.WH[1], drawn_lot.WH[0], 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_camera_that_was_turned_or_blinded_is_alarmed_and_its_bays_are_unknown(start_node, in_room, tmp_path):
    node = start_node("gateway.enabled=true", "gateway.port=0", "vision.model=demo")
    mast = Mast(tmp_path / "newest")
    edge: list[subprocess.Popen] = []

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="Desk 1", size=SIZE)
        await create_administrator(console)
        call, live = console.connection.call, console.live
        seen = replace(drawn_lot.drawn_lot("mast"), lot_id="campus", name="Campus lot")
        unseen = Lot(lot_id="yard", name="Yard", bays=(Bay(bay_id="1"), Bay(bay_id="2")))
        for lot in (seen, unseen):
            await call("parking.save_lot", Lot, lot=lot, note="drawn")
        camera = Camera(camera_id="mast", name="Mast", address="edge:", detect_fps=0.0)
        await call("cameras.add", Camera, camera=camera, password="")
        wish = KeyWish(name="Pi", purpose=KeyPurpose.EDGE, lot_id="campus", camera_id="mast")
        key = (await call("gateway.add_key", NewKey, wish=wish)).token
        while (report := await call("gateway.state", GatewayReport)).state is not GatewayState.OPEN:
            await asyncio.sleep(0.05)
        client = [sys.executable, "main.py", "edge-client", "--to", report.address, "--lot", "campus"]
        environment = {**os.environ, "WATCHFLOOR_EDGE_KEY": key}
        source = ["--source", f"folder:{tmp_path / 'newest'}", "--period", "0.5"]
        edge.append(subprocess.Popen([*client, *source], cwd=ROOT, env=environment))

        def known():
            return [status for status in live.bays.get("campus", {}).values() if status.is_known]

        def holds(title):
            return any(alarm.title == title and alarm.is_active for alarm in live.open_alarms())

        async def is_told(picture_of, title, name):
            await mast.show_until(picture_of, lambda: holds(title) and not known(), f"{title} and unknown bays")
            console.window.bring_panel("parking")
            panel = console.window.panel("parking")
            table, lots, sight = (panel.findChild(kind) for kind in (BayTable, LotList, SightBar))
            await until(lambda: table.isVisible() and lots.rows, "the panel Parking")
            await until(
                lambda: next(row for row in lots.rows if row.lot_id == "campus").lot.n_unknown == len(seen.bays),
                "the lot's count of unknown bays",
            )
            await until(lambda: sight.isVisible() and sight.text.startswith("Mast: "), "what the camera cannot tell")
            await act(take_pictures, console, tmp_path, name)
            await mast.show_until(straight, lambda: not holds(title) and len(known()) == len(seen.bays), "its end")

        await mast.show_until(straight, lambda: len(known()) == len(seen.bays), "every bay to be seen")
        assert live.lots["yard"].n_unknown == 2
        await is_told(turned, MOVED, "moved")
        await is_told(burnt_out, BLIND, "glare")
        await is_told(snowed_in, BLIND, "snow")

    try:
        in_room(scenario, timeout_s=360.0)
    finally:
        for process in edge:
            end_process(process, timeout_s=15.0)

"""One node in this process: what holds it up, and what it says of itself."""

import asyncio
import threading

import pytest

from core.kernel.paths import Folders
from core.kernel.settings import Settings, StoreSettings
from core.media.hardware import HardwareDecode
from core.node.node import Node


@pytest.fixture
def folders(tmp_path):
    return Folders(data=tmp_path / "data", runtime=tmp_path / "run")


def test_a_driver_that_hangs_keeps_pictures_back_and_no_console(folders, monkeypatch):
    has_answered = threading.Event()

    def hang(setting):
        has_answered.wait(60.0)
        return HardwareDecode(reason="It answered late.")

    monkeypatch.setattr("core.node.node.choose_hardware", hang)

    async def run():
        node = Node(Settings(), folders)
        running = asyncio.create_task(node.run())
        try:
            async with asyncio.timeout(30.0):
                while node.services is None:
                    await asyncio.sleep(0.02)
            return (await node.snapshot()).changes.cameras, node.health().decoder_reason
        finally:
            has_answered.set()
            node.stop_soon()
            await running

    assert asyncio.run(run()) == ((), "")


def test_what_it_says_of_the_database_holds_no_password(folders):
    folders.make()
    url = "postgresql://watch@db.example/floor?password=hunter2"

    health = Node(Settings(store=StoreSettings(url=url)), folders).health()

    assert "hunter2" not in repr(health)

"""Who gets in, and how, where there is no window or no loopback."""

import asyncio
import os
import ssl
import subprocess
import sys

import pytest

from core.access.model import Session
from core.kernel.errors import NotPermittedError
from core.link.client import LinkClient
from core.node.model import SiteInfo
from tests.fixtures.certificates import Authority
from tests.fixtures.link import PASSWORD, at_desk
from tests.fixtures.processes import free_port
from tests.fixtures.testdata import ROOT

pytestmark = pytest.mark.timeout(120)


def test_the_first_administrator_is_made_without_a_window(start_node):
    node = start_node("vision.model=demo")

    async def ready(desk):
        while not (await desk.knock()).is_ready:
            await asyncio.sleep(0.05)

    at_desk(node.folder, ready)
    command = [sys.executable, str(ROOT / "main.py"), "create-administrator", "ada", "--data", str(node.folder)]
    environment = {**os.environ, "WATCHFLOOR_SECRET_ADMINISTRATOR": PASSWORD}
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert first.returncode == 0, first.stderr
    assert second.returncode == 1
    assert second.stderr.strip()

    async def sign_in(desk):
        await desk.knock()
        session = await desk.client.call("session.sign_in", Session, name="ada", password=PASSWORD, desk="x")
        assert session.user.name == "ada"
        with pytest.raises(NotPermittedError):
            await desk.client.call("session.sign_in", name="ada", password="wrong wrong wrong", desk="x")

    at_desk(node.folder, sign_in)


def test_a_node_with_a_certificate_serves_other_machines_by_tls_and_its_own_by_the_loopback(start_node, tmp_path):
    authority = Authority(tmp_path / "authority")
    pair = authority.issue_server()
    port = free_port()
    node = start_node(
        "vision.model=demo",
        "link.host=0.0.0.0",
        f"link.port={port}",
        f"link.certificate_file={pair.certificate}",
        f"link.key_file={pair.key}",
    )

    async def scenario(desk):
        await desk.enter()

        async def knock(tls):
            client = LinkClient(on_push=lambda *_: None, on_gone=lambda _reason: None)
            await client.connect("127.0.0.1", port, tls)
            try:
                return await client.call("session.hello", SiteInfo, desk="elsewhere")
            finally:
                await client.close()

        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        assert (await knock(trusting)).is_ready
        with pytest.raises(Exception, match=r"(?i)certificate"):
            await knock(ssl.create_default_context())

    at_desk(node.folder, scenario)

"""`main.py gateway-key`: keys for the HTTP gateway of a running node, made and revoked from a terminal."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys

from app.connection import NodeAddress, read_node_file
from core.access.model import Session
from core.gateway.http.model import GatewayKey, GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.kernel.errors import ConsoleError
from core.kernel.paths import Folders
from core.kernel.secrets import Secrets
from core.kernel.wire import to_json
from core.kernel.zone import set_site_zone, write_site
from core.link.client import LinkClient
from core.node.model import SiteInfo

DESK = "terminal"
SECRET = "sign_in"  # noqa: S105 - the name of a secret


def run_gateway_key(options: argparse.Namespace, folders: Folders) -> int:
    """Do what the arguments ask for; the password is asked for, or stands in `WATCHFLOOR_SECRET_SIGN_IN`.

    Raises:
        ConsoleError: No node runs here, or it refuses.
    """
    address = read_node_file(folders.node_file)
    if address is None:
        raise ConsoleError(f"No node runs on {folders.data}.", hint="Start it first: main.py node.")

    async def run() -> None:
        client = LinkClient(on_push=lambda _topic, _data: None, on_gone=lambda _reason: None)
        await client.connect(address.host, address.port)
        try:
            await _sign_in(client, address, options.user)
            await _ACTIONS[options.action](client, options)
        finally:
            await client.close()

    asyncio.run(run())
    return 0


async def _sign_in(client: LinkClient, address: NodeAddress, user: str) -> None:
    site = await client.call("session.hello", SiteInfo, desk=DESK)
    set_site_zone(site.timezone)
    if site.is_demo and not user:
        await client.call("session.demo", Session, key=address.key, desk=DESK)
        return
    if not user:
        raise ConsoleError("Who makes keys stands in the audit.", hint="Name a supervisor: --user NAME.")
    password = Secrets().get_secret(SECRET) or getpass.getpass(f"Password of {user}: ")
    await client.call("session.sign_in", Session, name=user, password=password, desk=DESK)


async def _list(client: LinkClient, options: argparse.Namespace) -> None:
    keys = await client.call("gateway.keys", list[GatewayKey])
    report = await client.call("gateway.state", GatewayReport)
    if options.json:
        print(to_json({"gateway": report, "keys": keys}))
        return
    is_open = report.state is GatewayState.OPEN
    print(f"The gateway listens on {report.address}." if is_open else report.reason or "The gateway is starting.")
    for key in keys:
        print(_line(key))


def _line(key: GatewayKey) -> str:
    bound = {
        KeyPurpose.EDGE: f"{key.camera_id} of {key.lot_id}",
        KeyPurpose.DRONE: f"drone {key.drone_id}",
        KeyPurpose.READER: "reads",
    }[key.purpose]
    seen = f"seen {write_site(key.last_seen_at)} at {key.last_address}" if key.last_seen_at else "never seen"
    state = f"revoked {write_site(key.revoked_at)}" if key.revoked_at else seen
    refused = f", {key.n_refused:,} refused" if key.n_refused else ""
    return f"{key.key_id}  {key.name}  ({bound})  {state}; {key.n_accepted:,} taken{refused}"


async def _add(client: LinkClient, options: argparse.Namespace) -> None:
    wish = KeyWish(
        name=options.name,
        purpose=_purpose(options),
        lot_id=options.lot,
        camera_id=options.camera,
        drone_id=options.drone,
    )
    made = await client.call("gateway.add_key", NewKey, wish=wish)
    if options.json:
        print(to_json(made))
        return
    print(made.token)
    print("It is shown once, and kept nowhere: give it to the device now.", file=sys.stderr)


def _purpose(options: argparse.Namespace) -> KeyPurpose:
    if options.drone:
        return KeyPurpose.DRONE
    return KeyPurpose.EDGE if options.lot or options.camera else KeyPurpose.READER


async def _revoke(client: LinkClient, options: argparse.Namespace) -> None:
    key = await client.call("gateway.revoke_key", GatewayKey, key_id=options.key_id)
    print(to_json(key) if options.json else f"The key {key.name} opens nothing any more.")


_ACTIONS = {"list": _list, "add": _add, "revoke": _revoke}

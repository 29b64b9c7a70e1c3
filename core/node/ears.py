"""Which broker the node listens to: the configured one, or an embedded one of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.field.broker import EmbeddedBroker
from core.field.settings import BrokerSettings
from core.kernel.errors import UnavailableError
from core.kernel.log import OncePerLoss
from core.kernel.secrets import Secrets
from core.kernel.settings import BrokerSection

log = logging.getLogger(__name__)

RETRY_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The broker in use.

    Attributes:
        read_password: Returns ours; it may take its time, and raises `UnavailableError` while nobody can read it.
        field_user, field_password: For the demo city's devices.
        embedded: None where the settings name a broker.
    """

    settings: BrokerSettings
    read_password: Callable[[], str] = field(repr=False)
    field_user: str
    field_password: str = field(repr=False)
    embedded: EmbeddedBroker | None = None


async def open_broker(wanted: BrokerSection, *, tenant: str, folder: Path, secrets: Secrets) -> Broker:
    """Return the configured broker, or start the embedded one, however long that takes."""
    if wanted.host:
        password = await asyncio.to_thread(secrets.get_secret, "broker")
        return Broker(
            settings=broker_settings(wanted, tenant=tenant),
            read_password=lambda: secrets.read_secret("broker") or "",
            field_user=wanted.username,
            field_password=password or "",
        )
    embedded = EmbeddedBroker(folder)
    once = OncePerLoss(log)
    while True:
        try:
            address = await embedded.start()
            break
        except UnavailableError as error:
            once.lost("broker", f"the embedded broker does not start: {error}")
            await asyncio.sleep(RETRY_S)
    return Broker(
        settings=BrokerSettings(
            host=address.host,
            port=address.port,
            username="core",
            tenant=tenant,
            protocol="5" if address.protocol == "5" else "3.1.1",
            is_embedded=True,
        ),
        read_password=partial(str, address.passwords["core"]),
        field_user="field",
        field_password=address.passwords["field"],
        embedded=embedded,
    )


def broker_settings(wanted: BrokerSection, *, tenant: str, core_id: str = "core") -> BrokerSettings:
    """Turn the settings' section into what the link takes."""
    return BrokerSettings(
        host=wanted.host,
        port=wanted.port,
        is_tls=wanted.tls,
        ca_file=Path(wanted.ca_file) if wanted.ca_file else None,
        cert_file=Path(wanted.certificate_file) if wanted.certificate_file else None,
        key_file=Path(wanted.key_file) if wanted.key_file else None,
        username=wanted.username,
        tenant=tenant,
        core_id=core_id,
        protocol=wanted.protocol,
    )

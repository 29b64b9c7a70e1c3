"""Certificates for devices, issued and taken back from a console: who did it stands in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.field.broker_config import CertificateOutcome, IssuedCertificate, issue_certificates, revoke, user_of
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError
from core.kernel.portions import check_portion
from core.store.engine import Store


class CertificateDesk:
    """Works on the folder that `broker-config` made, where this node can reach it.

    Threads: the owner's loop; files are written on the store's thread, in the transaction of their audit row.
    """

    def __init__(self, store: Store, clock: Clock, folder: Path | None) -> None:
        """Use the broker's `folder`; None where the settings name none."""
        self._store = store
        self._clock = clock
        self._folder = folder

    async def issue(self, actor: Actor, device_id: str) -> IssuedCertificate:
        """Give a device a new certificate; the one it had no longer counts from the broker's next reload on.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: The id is outside the grammar, or there is no folder to sign in.
            UnavailableError: The audit cannot be written.
        """
        (outcome,) = await self.issue_many(actor, [device_id])
        if outcome.issued is None:
            raise BadInputError(outcome.reason)
        return outcome.issued

    async def issue_many(self, actor: Actor, device_ids: Sequence[str]) -> list[CertificateOutcome]:
        """Give devices a new certificate each; an id that no certificate can carry is left out with the reason.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once, or there is no folder to sign in.
            UnavailableError: The audit cannot be written.
        """
        require(actor, Role.SUPERVISOR)
        check_portion(len(device_ids), "devices")
        folder, now = self._require_folder(), self._clock.now()
        refused = {device_id: reason for device_id in device_ids if (reason := _why_not(device_id))}
        wanted = [device_id for device_id in dict.fromkeys(device_ids) if device_id not in refused]

        def run(session: Session) -> list[IssuedCertificate]:
            for device_id in wanted:
                audit.append(session, actor, action="device.issue_certificate", subject=device_id, at=now)
            return issue_certificates(folder, wanted, now)

        issued = {one.device_id: one for one in await self._store.write(run)} if wanted else {}
        return [
            CertificateOutcome(device_id=key, reason=refused.get(key, ""), issued=issued.get(key))
            for key in dict.fromkeys(device_ids)
        ]

    async def revoke(self, actor: Actor, device_id: str) -> None:
        """Take a device's certificate back; its rights end at the broker's next reload.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: The device has no certificate that counts, or there is no folder to sign in.
            UnavailableError: The audit cannot be written.
        """
        require(actor, Role.SUPERVISOR)
        folder, now = self._require_folder(), self._clock.now()

        def run(session: Session) -> None:
            audit.append(session, actor, action="device.revoke_certificate", subject=device_id, at=now)
            revoke(folder, [device_id], now)

        await self._store.write(run)

    def _require_folder(self) -> Path:
        if self._folder is None:
            raise BadInputError(
                "This node does not know the broker's folder, so it cannot sign certificates.",
                hint="Set broker.folder to what broker-config made, or run broker-config where the folder lies.",
            )
        return self._folder


def _why_not(device_id: str) -> str:
    try:
        user_of(device_id)
    except BadInputError as error:
        return error.message
    return ""

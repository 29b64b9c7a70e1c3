"""Device keys: made and revoked by supervisors, checked for every request without asking the database.

A key reads `wf_ID_SECRET`. The secret has 256 random bits, so one round of SHA-256 is enough to keep it; what stands in
the database opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.gateway.http.model import GatewayKey, KeyPurpose, KeyWish, NewKey
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import GatewayKeyRow

PREFIX = "wf"
N_ID_BYTES, N_SECRET_BYTES = 6, 32
MAX_TOKEN_CHARS = 128
MAX_NAME_LENGTH = 80
MAX_KEYS = 5000

DRONE_ID_HINT = "Ids of drones have 1 to 48 letters, digits and . _ - and begin with a letter or digit."

_DRONE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
_TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * N_ID_BYTES}}})_([A-Za-z0-9_-]{{20,100}})")
_NOBODY = hashlib.sha256(b"nobody holds this key").digest()


@dataclass(slots=True)
class _Held:
    key: GatewayKey
    secret_hash: bytes
    is_told: bool = True
    """What is counted stands in the database as well."""


class KeyDesk:
    """Makes, lists, revokes and checks keys.

    Threads: the owner's loop only.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Know nobody before `load`."""
        self._store = store
        self._clock = clock
        self._held: dict[str, _Held] = {}

    async def load(self) -> None:
        """Read every key.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> list[_Held]:
            rows = session.scalars(select(GatewayKeyRow).order_by(GatewayKeyRow.created_at))
            return [_Held(key=_key(row), secret_hash=bytes.fromhex(row.secret_hash)) for row in rows]

        self._held = {held.key.key_id: held for held in await self._store.read(read)}

    def keys(self, actor: Actor) -> tuple[GatewayKey, ...]:
        """Return every key, the oldest first, revoked ones too.

        Raises:
            NotPermittedError: Below supervisor.
        """
        require(actor, Role.SUPERVISOR)
        return tuple(held.key for held in self._held.values())

    async def add(self, actor: Actor, wish: KeyWish) -> NewKey:
        """Make a key; its token is in the answer and nowhere else.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: The wish lacks a name, or what an edge key is bound to.
            UnavailableError: The database is away.
        """
        require(actor, Role.SUPERVISOR)
        _check(wish)
        if sum(held.key.revoked_at is None for held in self._held.values()) >= MAX_KEYS:
            raise BadInputError(f"There are {MAX_KEYS:,} keys already.", hint="Revoke those that nobody uses.")
        at, secret = self._clock.now(), secrets.token_urlsafe(N_SECRET_BYTES)
        key = GatewayKey(
            key_id=secrets.token_hex(N_ID_BYTES),
            name=storable(wish.name.strip()),
            purpose=wish.purpose,
            lot_id=wish.lot_id,
            camera_id=wish.camera_id,
            drone_id=wish.drone_id,
            created_at=at,
            created_by=actor.name,
        )
        secret_hash = _hash(secret)

        def run(session: Session) -> None:
            session.add(_row(key, secret_hash))
            detail = " ".join(part for part in (key.purpose.value, key.lot_id, key.camera_id, key.drone_id) if part)
            audit.append(session, actor, action="gateway.add_key", subject=_subject(key), detail=detail, at=at)

        await self._store.write(run)
        self._held[key.key_id] = _Held(key=key, secret_hash=secret_hash)
        return NewKey(key=key, token=f"{PREFIX}_{key.key_id}_{secret}")

    async def revoke(self, actor: Actor, key_id: str) -> GatewayKey:
        """Take a key back: from now on it opens nothing.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: There is no such key, or it was revoked before.
            UnavailableError: The database is away; the key still counts.
        """
        require(actor, Role.SUPERVISOR)
        held, at = self._held.get(key_id), self._clock.now()
        if held is None:
            raise BadInputError("There is no such key.", hint="Look at the list again.")
        if held.key.revoked_at is not None:
            raise BadInputError(f"The key {held.key.name} was revoked before.", hint="Look at the list again.")

        def run(session: Session) -> None:
            session.execute(update(GatewayKeyRow).where(GatewayKeyRow.key_id == key_id).values(revoked_at=at))
            audit.append(session, actor, action="gateway.revoke_key", subject=_subject(held.key), at=at)

        await self._store.write(run)
        held.key = replace(held.key, revoked_at=at)
        return held.key

    def find(self, token: str) -> GatewayKey | None:
        """Return the key that a token opens with, also a revoked one; None for a wrong one.

        Takes as long for an unknown id as for a wrong secret.
        """
        match = _TOKEN.fullmatch(token[: MAX_TOKEN_CHARS + 1])
        held = self._held.get(match.group(1)) if match else None
        known_hash = held.secret_hash if held is not None else _NOBODY
        is_right = hmac.compare_digest(_hash(match.group(2) if match else ""), known_hash)
        return held.key if held is not None and is_right else None

    def is_open(self, key_id: str) -> bool:
        """Return whether a key that was found before still opens something."""
        held = self._held.get(key_id)
        return held is not None and held.key.revoked_at is None

    def has_drone(self, drone_id: str) -> bool:
        """Return whether some key that counts is a drone's: then nobody speaks for it without one."""
        return any(held.key.drone_id == drone_id and held.key.revoked_at is None for held in self._held.values())

    def named_by(self, token: str) -> str:
        """Return the id of a key that is known and named in a token, whether its secret is right or not; else empty."""
        match = _TOKEN.fullmatch(token[: MAX_TOKEN_CHARS + 1])
        return match.group(1) if match and match.group(1) in self._held else ""

    def note_accepted(self, key_id: str, address: str) -> None:
        """Count a request that a key opened."""
        now = self._clock.now()
        self._change(
            key_id, lambda key: replace(key, n_accepted=key.n_accepted + 1, last_seen_at=now, last_address=address)
        )

    def note_refused(self, key_id: str, sentence: str) -> None:
        """Count a request that was refused although, or because, it named this key."""
        self._change(key_id, lambda key: replace(key, n_refused=key.n_refused + 1, last_refusal=sentence))

    async def store_counts(self) -> None:
        """Write what was counted since the last call.

        Raises:
            UnavailableError: The database is away; it is written with the next call.
        """
        changed = [held for held in self._held.values() if not held.is_told]
        if not changed:
            return
        values = [
            {
                "key_id": held.key.key_id,
                "last_seen_at": held.key.last_seen_at,
                "last_address": held.key.last_address,
                "n_accepted": held.key.n_accepted,
                "n_refused": held.key.n_refused,
            }
            for held in changed
        ]

        def run(session: Session) -> None:
            session.execute(update(GatewayKeyRow), values)

        # What is counted while the database writes is told with the next call.
        for held in changed:
            held.is_told = True
        try:
            await self._store.write(run)
        except ConsoleError:
            for held in changed:
                held.is_told = False
            raise

    def _change(self, key_id: str, change: Callable[[GatewayKey], GatewayKey]) -> None:
        held = self._held.get(key_id)
        if held is not None:
            held.key, held.is_told = change(held.key), False


def _check(wish: KeyWish) -> None:
    name = wish.name.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInputError(
            "The key needs a name.",
            hint=f"Name the device or system that will hold it, in 1 to {MAX_NAME_LENGTH} signs.",
        )
    is_bound = bool(wish.lot_id and wish.camera_id)
    if wish.purpose is KeyPurpose.EDGE and not is_bound:
        raise BadInputError("An edge key belongs to one camera of one lot.", hint="Choose both.")
    if wish.purpose is not KeyPurpose.EDGE and (wish.lot_id or wish.camera_id):
        raise BadInputError("Only edge keys are bound to a lot and a camera.", hint="Leave both empty.")
    if max(len(wish.lot_id), len(wish.camera_id)) > 64:
        raise BadInputError("Ids of lots and cameras have at most 64 characters.")
    if wish.purpose is KeyPurpose.DRONE and not is_drone_id(wish.drone_id):
        raise BadInputError("A drone's key belongs to one drone.", hint=DRONE_ID_HINT)
    if wish.purpose is not KeyPurpose.DRONE and wish.drone_id:
        raise BadInputError("Only a drone's key is bound to a drone.", hint="Leave the drone empty.")


def is_drone_id(text: str) -> bool:
    """Return whether a drone may be called so by HTTP."""
    return _DRONE_ID.fullmatch(text) is not None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _subject(key: GatewayKey) -> str:
    return f"{key.name} ({key.key_id})"


def _row(key: GatewayKey, secret_hash: bytes) -> GatewayKeyRow:
    return GatewayKeyRow(
        key_id=key.key_id,
        name=key.name,
        purpose=key.purpose.value,
        lot_id=key.lot_id,
        camera_id=key.camera_id,
        drone_id=key.drone_id,
        secret_hash=secret_hash.hex(),
        created_at=key.created_at,
        created_by=key.created_by,
    )


def _key(row: GatewayKeyRow) -> GatewayKey:
    last_seen_at: datetime | None = row.last_seen_at
    return GatewayKey(
        key_id=row.key_id,
        name=row.name,
        purpose=KeyPurpose(row.purpose),
        lot_id=row.lot_id,
        camera_id=row.camera_id,
        drone_id=row.drone_id,
        created_at=row.created_at,
        created_by=row.created_by,
        revoked_at=row.revoked_at,
        last_seen_at=last_seen_at,
        last_address=row.last_address,
        n_accepted=row.n_accepted,
        n_refused=row.n_refused,
    )

"""Users, roles and sessions: who may sign in, and as what."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar, TypeVarTuple, Unpack

from argon2 import PasswordHasher
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as DbSession

from core.access import audit, lockout
from core.access.model import Actor, Role, Session, SessionsEnded, User, UserChanged
from core.access.passwords import check_name, check_password, hash_password, is_password, name_key
from core.access.permission import require
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError
from core.kernel.ids import new_id
from core.kernel.zone import write_site_clock
from core.store.engine import Store
from core.store.rows import check_version, storable
from core.store.tables import LockoutRow, SessionRow, UserRow

SESSION_S = 12.5 * 3600
"""A shift of twelve hours and the half hour in which it is handed over."""

MAX_DESK_LENGTH = 64
N_HASHING = 2
"""Each takes 64 MiB and every core for a moment: a flood of sign-ins must not take the machine."""

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True, slots=True)
class _Refused:
    """What a write decided that must be stored although the caller is refused."""

    error: ConsoleError


class AccessService:
    """Signs people in and keeps the users; every verb that changes something asks for the role itself.

    Threads: all calls come from the owner's loop.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        *,
        session_s: float = SESSION_S,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """Use `hasher` for new passwords (Argon2id); older ones are hashed anew when their owner signs in."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._session_s = session_s
        self._hasher = hasher or PasswordHasher()
        self._hashing = ThreadPoolExecutor(N_HASHING, thread_name_prefix="password")
        self._decoy_hash = ""

    def close(self) -> None:
        """Let the hashing threads go."""
        self._hashing.shutdown(wait=True)

    async def needs_administrator(self) -> bool:
        """Tell whether nobody can sign in yet."""
        return await self._store.read(lambda s: not s.scalar(select(func.count()).select_from(UserRow)))

    async def create_first_administrator(self, name: str, password: str, desk: str) -> Session:
        """Add the administrator of a new site and sign them in.

        Raises:
            BadInputError: Name or password break a rule.
            NotPermittedError: The site has users already.
        """
        cleaned = check_name(name)
        check_password(password, name=cleaned)
        password_hash = await self._off_loop(hash_password, self._hasher, password)
        at, token, desk = self._clock.now(), _new_token(), _clean_desk(desk)

        def run(session: DbSession) -> tuple[User, Session]:
            if session.scalar(select(func.count()).select_from(UserRow)):
                raise NotPermittedError("The site has an administrator already.", hint="Sign in instead.")
            row = _add_user(session, cleaned, password_hash, Role.ADMINISTRATOR, at)
            user = _user(row)
            actor = Actor(name=user.name, role=user.role, desk=desk)
            audit.append(session, actor, action="user.first", subject=user.name, detail="administrator", at=at)
            return user, self._begin_session(session, user, token, desk, at)

        user, begun = await self._store.write(run)
        self._bus.publish(UserChanged(user=user))
        return begun

    async def sign_in(self, name: str, password: str, desk: str) -> Session:
        """Begin a session.

        Raises:
            NotPermittedError: The same sentence for a wrong name, a wrong password and a disabled user; another one
                while the name or the desk is locked, with the time to wait.
        """
        key, desk = name_key(name)[:128], _clean_desk(desk)
        subjects = (lockout.user_subject(key), lockout.desk_subject(desk))

        def look(session: DbSession) -> tuple[str, bool] | None:
            lockout.check(session, subjects, at=self._clock.now())
            row = session.scalar(select(UserRow).where(UserRow.name_key == storable(key)))
            return None if row is None else (row.password_hash, row.is_enabled)

        found = await self._store.read(look)
        # An unknown name costs the same time, so that names cannot be found by the clock.
        known_hash = found[0] if found else await self._decoy()
        is_right = await self._off_loop(is_password, self._hasher, known_hash, password) and found is not None
        renewed_hash = ""
        if is_right and self._hasher.check_needs_rehash(known_hash):
            renewed_hash = await self._off_loop(hash_password, self._hasher, password)
        at, token = self._clock.now(), _new_token()

        def run(session: DbSession) -> Session | _Refused:
            # Asked again: many guesses at once must not all pass the first look.
            try:
                lockout.check(session, subjects, at=at)
            except NotPermittedError as error:
                return _Refused(error)
            row = session.scalar(select(UserRow).where(UserRow.name_key == storable(key)))
            if row is None or not is_right or not row.is_enabled or row.password_hash != known_hash:
                return _Refused(_note_failure(session, name, desk, subjects, at))
            if renewed_hash:
                row.password_hash = renewed_hash
                session.flush()
            lockout.forget(session, subjects)
            user = _user(row)
            actor = Actor(name=user.name, role=user.role, desk=desk)
            audit.append(session, actor, action="session.begin", subject=user.name, at=at)
            return self._begin_session(session, user, token, desk, at)

        return _unwrap(await self._store.write(run))

    async def resume(self, token: str) -> Session:
        """Return the session of a token.

        Raises:
            NotPermittedError: Unknown, expired, ended, or the user was disabled.
        """
        token_hash, at = _hash_token(token), self._clock.now()

        def run(session: DbSession) -> Session | None:
            row = session.get(SessionRow, token_hash)
            if row is None or row.expires_at <= at:
                return None
            owner = session.get(UserRow, row.user_id)
            if owner is None or not owner.is_enabled:
                return None
            return Session(token=token, user=_user(owner), desk=row.desk, expires_at=row.expires_at)

        found = await self._store.read(run)
        if found is None:
            raise NotPermittedError("The session has ended.", hint="Sign in again.")
        return found

    async def sign_out(self, token: str) -> None:
        """End a session; one that has ended already is fine."""
        token_hash, at = _hash_token(token), self._clock.now()

        def run(session: DbSession) -> None:
            row = session.get(SessionRow, token_hash)
            if row is None:
                return
            owner = session.get(UserRow, row.user_id)
            if owner is not None:
                actor = Actor(name=owner.name, role=Role(owner.role), desk=row.desk)
                audit.append(session, actor, action="session.end", subject=owner.name, at=at)
            session.delete(row)

        await self._store.write(run)

    async def list_users(self, actor: Actor) -> tuple[User, ...]:
        """Return every user by name; for administrators."""
        require(actor, Role.ADMINISTRATOR)
        return await self._store.read(
            lambda s: tuple(_user(row) for row in s.scalars(select(UserRow).order_by(UserRow.name_key)))
        )

    async def operators(self, actor: Actor) -> tuple[User, ...]:
        """Return who may work on incidents, by name; for operators."""
        require(actor, Role.OPERATOR)
        may = select(UserRow).where(UserRow.role >= Role.OPERATOR.value, UserRow.is_enabled)
        return await self._store.read(lambda s: tuple(_user(row) for row in s.scalars(may.order_by(UserRow.name_key))))

    async def add_user(self, actor: Actor, name: str, password: str, role: Role) -> User:
        """Add someone who may sign in.

        Raises:
            BadInputError: Name or password break a rule, or the name is taken.
            NotPermittedError: The actor is no administrator.
        """
        require(actor, Role.ADMINISTRATOR)
        cleaned = check_name(name)
        check_password(password, name=cleaned)
        password_hash = await self._off_loop(hash_password, self._hasher, password)
        at = self._clock.now()

        def run(session: DbSession) -> User:
            if session.scalar(select(UserRow.user_id).where(UserRow.name_key == name_key(cleaned))) is not None:
                raise BadInputError(f"There is a user {cleaned!r} already.", hint="Choose another name.")
            user = _user(_add_user(session, cleaned, password_hash, role, at))
            audit.append(session, actor, action="user.add", subject=user.name, detail=role.name.lower(), at=at)
            return user

        user = await self._store.write(run)
        self._bus.publish(UserChanged(user=user))
        return user

    async def set_role(self, actor: Actor, user_id: str, role: Role, *, expect_version: int) -> User:
        """Give a user another role; their sessions end, so that no desk keeps the old one.

        Raises:
            NotPermittedError: The actor is no administrator, or it is the last administrator.
            StaleWriteError: The user was changed meanwhile.
        """
        require(actor, Role.ADMINISTRATOR)
        at = self._clock.now()

        def run(session: DbSession) -> User:
            row = _find_user(session, user_id, expect_version)
            if role < Role.ADMINISTRATOR:
                _keep_an_administrator(session, row)
            before, row.role = Role(row.role), int(role)
            _end_sessions(session, row)
            change = f"{before.name.lower()} -> {role.name.lower()}"
            audit.append(session, actor, action="user.role", subject=row.name, detail=change, at=at)
            return _user(row)

        return self._changed(await self._store.write(run), reason="The role was changed.")

    async def set_enabled(self, actor: Actor, user_id: str, is_enabled: bool, *, expect_version: int) -> User:
        """Let a user sign in, or no longer; disabling ends their sessions.

        Raises:
            NotPermittedError: The actor is no administrator, or it is the last administrator.
            StaleWriteError: The user was changed meanwhile.
        """
        require(actor, Role.ADMINISTRATOR)
        at = self._clock.now()

        def run(session: DbSession) -> User:
            row = _find_user(session, user_id, expect_version)
            if not is_enabled:
                _keep_an_administrator(session, row)
                _end_sessions(session, row)
            row.is_enabled = is_enabled
            session.flush()
            action = "user.enable" if is_enabled else "user.disable"
            audit.append(session, actor, action=action, subject=row.name, at=at)
            return _user(row)

        user = await self._store.write(run)
        if is_enabled:
            self._bus.publish(UserChanged(user=user))
            return user
        return self._changed(user, reason="The user was disabled.")

    async def change_own_password(self, actor: Actor, old_password: str, new_password: str) -> None:
        """Change one's own password; every session of the user ends.

        Raises:
            BadInputError: The new password breaks a rule.
            NotPermittedError: The old one is wrong, or there were too many wrong ones.
        """
        check_password(new_password, name=actor.name)
        key, desk = name_key(actor.name), _clean_desk(actor.desk)
        subjects = (lockout.user_subject(key), lockout.desk_subject(desk))

        def look(session: DbSession) -> str:
            lockout.check(session, subjects, at=self._clock.now())
            return session.scalar(select(UserRow.password_hash).where(UserRow.name_key == key)) or ""

        known_hash = await self._store.read(look)
        is_right = await self._off_loop(is_password, self._hasher, known_hash, old_password)
        new_hash = await self._off_loop(hash_password, self._hasher, new_password)
        at = self._clock.now()

        def run(session: DbSession) -> User | _Refused:
            row = session.scalar(select(UserRow).where(UserRow.name_key == key))
            if row is None or not is_right or row.password_hash != known_hash:
                return _Refused(_note_failure(session, actor.name, desk, subjects, at))
            self._set_password(session, actor, row, new_hash, at)
            return _user(row)

        self._changed(_unwrap(await self._store.write(run)), reason="The password was changed.")

    async def reset_password(self, actor: Actor, user_id: str, new_password: str) -> None:
        """Give someone else a new password; their sessions end and a lock on their name is lifted.

        Raises:
            BadInputError: The password breaks a rule, or there is no such user.
            NotPermittedError: The actor is no administrator.
        """
        require(actor, Role.ADMINISTRATOR)
        name = (await self._store.read(lambda s: _user(_find_user(s, user_id)))).name
        check_password(new_password, name=name)
        new_hash = await self._off_loop(hash_password, self._hasher, new_password)
        at = self._clock.now()

        def run(session: DbSession) -> User:
            row = _find_user(session, user_id)
            self._set_password(session, actor, row, new_hash, at)
            return _user(row)

        self._changed(await self._store.write(run), reason="The password was changed.")

    async def unlock(self, actor: Actor, name: str) -> None:
        """Lift the lock on a name before its time; for administrators."""
        require(actor, Role.ADMINISTRATOR)
        at = self._clock.now()

        def run(session: DbSession) -> None:
            lockout.forget(session, (lockout.user_subject(name_key(name)),))
            audit.append(session, actor, action="user.unlock", subject=name, at=at)

        await self._store.write(run)

    async def locked_names(self, actor: Actor) -> dict[str, datetime]:
        """Return which names and desks ("user:…", "desk:…") are locked, and until when; for administrators."""
        require(actor, Role.ADMINISTRATOR)
        query = select(LockoutRow).where(LockoutRow.locked_until > self._clock.now())
        return await self._store.read(
            lambda s: {row.subject: row.locked_until for row in s.scalars(query) if row.locked_until is not None}
        )

    def _begin_session(self, session: DbSession, user: User, token: str, desk: str, at: datetime) -> Session:
        session.execute(delete(SessionRow).where(SessionRow.expires_at <= at))
        expires_at = at + timedelta(seconds=self._session_s)
        session.add(
            SessionRow(
                token_hash=_hash_token(token), user_id=user.user_id, desk=desk, created_at=at, expires_at=expires_at
            )
        )
        return Session(token=token, user=user, desk=desk, expires_at=expires_at)

    def _set_password(self, session: DbSession, actor: Actor, row: UserRow, new_hash: str, at: datetime) -> None:
        row.password_hash = new_hash
        row.password_changed_at = at
        _end_sessions(session, row)
        lockout.forget(session, (lockout.user_subject(row.name_key),))
        audit.append(session, actor, action="user.password", subject=row.name, at=at)

    def _changed(self, user: User, *, reason: str) -> User:
        self._bus.publish(UserChanged(user=user))
        self._bus.publish(SessionsEnded(user_id=user.user_id, reason=reason))
        return user

    async def _decoy(self) -> str:
        if not self._decoy_hash:
            self._decoy_hash = await self._off_loop(hash_password, self._hasher, secrets.token_hex(16))
        return self._decoy_hash

    async def _off_loop(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._hashing, function, *arguments)


def _unwrap(outcome: T | _Refused) -> T:
    if isinstance(outcome, _Refused):
        raise outcome.error
    return outcome


def _note_failure(
    session: DbSession, name: str, desk: str, subjects: tuple[str, ...], at: datetime
) -> NotPermittedError:
    # Someone may have typed the password into the name's field: keep no more than a name can be.
    shown = storable(name)[:64]
    stranger = Actor(name="nobody", role=Role.VIEWER, desk=desk)
    audit.append(session, stranger, action="session.refuse", subject=shown, at=at)
    until = lockout.note_failure(session, subjects, at=at)
    if until is not None:
        detail = f"until {write_site_clock(until)}"
        audit.append(session, stranger, action="session.lock", subject=shown, detail=detail, at=at)
    return NotPermittedError("The name or the password is wrong.", hint="Look at the keyboard layout and try again.")


def _add_user(session: DbSession, name: str, password_hash: str, role: Role, at: datetime) -> UserRow:
    row = UserRow(
        user_id=new_id(),
        name=name,
        name_key=name_key(name),
        role=int(role),
        is_enabled=True,
        password_hash=password_hash,
        password_changed_at=at,
        created_at=at,
    )
    session.add(row)
    session.flush()
    return row


def _find_user(session: DbSession, user_id: str, expect_version: int | None = None) -> UserRow:
    row = session.get(UserRow, user_id)
    if row is None:
        raise BadInputError("There is no such user any more.", hint="Look at the list again.")
    if expect_version is not None:
        check_version(row.version, expect_version=expect_version, what=f"User {row.name}")
    return row


def _keep_an_administrator(session: DbSession, row: UserRow) -> None:
    if Role(row.role) < Role.ADMINISTRATOR or not row.is_enabled:
        return
    others = select(func.count()).where(
        UserRow.role == int(Role.ADMINISTRATOR), UserRow.is_enabled, UserRow.user_id != row.user_id
    )
    if not session.scalar(others):
        raise NotPermittedError(
            f"{row.name} is the last administrator.", hint="Make someone else an administrator first."
        )


def _end_sessions(session: DbSession, row: UserRow) -> None:
    session.flush()
    session.execute(delete(SessionRow).where(SessionRow.user_id == row.user_id))


def _clean_desk(desk: str) -> str:
    return storable(desk).strip()[:MAX_DESK_LENGTH]


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _hash_token(token: str) -> str:
    # The token is 256 random bits: a plain hash is enough, and it is asked for at every resume.
    return hashlib.sha256(token.encode()).hexdigest()


def _user(row: UserRow) -> User:
    return User(user_id=row.user_id, name=row.name, role=Role(row.role), is_enabled=row.is_enabled, version=row.version)

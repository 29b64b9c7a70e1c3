"""Signing in, roles, and what is refused."""

import asyncio

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from core.access import audit
from core.access.model import SYSTEM, Role, Session, SessionsEnded, User
from core.access.permission import actor_of
from core.access.service import AccessService
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.store.tables import SessionRow, UserRow
from tests.fixtures.room import ADA, OLGA, QUICK_HASHER, SUSI, Room

GOOD = "correct horse"


def add(room: Room, name: str, role: Role = Role.OPERATOR, password: str = GOOD) -> User:
    return room.run(room.access.add_user(ADA, name, password, role))


def sign_in(room: Room, name: str, password: str = GOOD, desk: str = "Desk 1") -> Session:
    return room.run(room.access.sign_in(name, password, desk))


def refusal_of(room: Room, name: str, password: str = "wrong wrong", desk: str = "Desk 1") -> NotPermittedError:
    with pytest.raises(NotPermittedError) as refusal:
        sign_in(room, name, password, desk)
    return refusal.value


def test_a_new_site_asks_for_its_administrator_once(room: Room) -> None:
    assert room.run(room.access.needs_administrator())

    session = room.sign_up()

    assert session.user.role is Role.ADMINISTRATOR
    assert not room.run(room.access.needs_administrator())
    with pytest.raises(NotPermittedError, match="has an administrator already"):
        room.sign_up()


def test_two_consoles_that_ask_at_once_make_one_administrator(room: Room) -> None:
    async def both() -> list[object]:
        return await asyncio.gather(
            room.access.create_first_administrator("ada", GOOD, "Desk 1"),
            room.access.create_first_administrator("eve", GOOD, "Desk 2"),
            return_exceptions=True,
        )

    results = room.run(both())

    assert sorted(type(result).__name__ for result in results) == ["NotPermittedError", "Session"]
    assert len(room.run(room.access.list_users(SYSTEM))) == 1


def test_a_person_signs_in_by_name_without_minding_case(room: Room) -> None:
    room.sign_up()
    add(room, "Dana")

    session = sign_in(room, " dANA ")

    assert session.user.name == "Dana"
    assert room.run(room.access.resume(session.token)) == session


def test_a_wrong_password_an_unknown_name_and_a_disabled_user_read_the_same(room: Room) -> None:
    room.sign_up()
    dana = add(room, "dana")
    room.run(room.access.set_enabled(ADA, dana.user_id, False, expect_version=dana.version))

    sentences = {str(refusal_of(room, "ada")), str(refusal_of(room, "nobody")), str(refusal_of(room, "dana", GOOD))}

    assert len(sentences) == 1


def test_an_unknown_name_costs_a_hash_as_well(room: Room) -> None:
    room.sign_up()
    asked: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            asked.append(str(hash))
            return super().verify(hash, password)

    room.access._hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    refusal_of(room, "nobody")

    assert len(asked) == 1
    assert asked[0].startswith("$argon2id$")


def test_neither_password_nor_token_lies_in_the_database(room: Room) -> None:
    session = room.sign_up("a very secret password")
    room.run(room.store.close())

    content = (room.folder / "watchfloor.sqlite3").read_bytes()

    assert b"a very secret" not in content
    assert session.token.encode() not in content
    assert b"$argon2id$" in content


def test_a_session_does_not_show_its_token(room: Room) -> None:
    session = room.sign_up()

    assert session.token not in repr(session)


def test_a_password_is_hashed_anew_when_the_cost_was_raised(room: Room) -> None:
    room.sign_up()
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    access = AccessService(room.store, room.bus, room.clock, hasher=stronger)

    room.run(access.sign_in("ada", "correct horse", "Desk 1"))
    access.close()

    kept = room.run(room.store.read(lambda s: s.scalar(select(UserRow.password_hash))))
    assert "m=16,t=2" in kept
    assert sign_in(room, "ada").user.name == "ada"


def test_five_wrong_passwords_lock_the_name_and_say_for_how_long(room: Room) -> None:
    room.sign_up()
    for _ in range(5):
        assert "name or the password" in refusal_of(room, "ada").message

    locked = refusal_of(room, "ada", GOOD)

    assert locked.message == "There were too many failed sign-ins."
    assert "Try again in 30 s" in locked.hint


def test_the_lock_ends_by_itself_and_grows_with_each_further_failure(room: Room) -> None:
    room.sign_up()
    for _ in range(5):
        refusal_of(room, "ada")
    room.clock.advance(seconds=31)
    assert "name or the password" in refusal_of(room, "ada").message

    assert "Try again in 60 s" in refusal_of(room, "ada", GOOD).hint
    room.clock.advance(seconds=61)
    assert sign_in(room, "ada").user.name == "ada"
    assert "name or the password" in refusal_of(room, "ada").message


def test_an_unknown_name_is_locked_like_a_known_one(room: Room) -> None:
    for _ in range(5):
        refusal_of(room, "nobody")

    assert "too many" in refusal_of(room, "nobody").message


def test_a_desk_that_tries_one_name_after_the_other_is_locked(room: Room) -> None:
    room.sign_up()
    for number in range(10):
        refusal_of(room, f"user{number}", desk="Desk 9")

    assert "too many" in refusal_of(room, "ada", GOOD, desk="Desk 9").message
    assert sign_in(room, "ada", desk="Desk 1").user.name == "ada"


def test_a_restart_does_not_lift_a_lock(room: Room) -> None:
    room.sign_up()
    for _ in range(5):
        refusal_of(room, "ada")

    room.restart()

    assert "too many" in refusal_of(room, "ada", GOOD).message


def test_many_guesses_at_once_do_not_pass_the_lock(room: Room) -> None:
    room.sign_up()

    async def guess() -> list[object]:
        wrong = [room.access.sign_in("ada", f"wrong {n:06}", "Desk 1") for n in range(20)]
        return await asyncio.gather(*wrong, room.access.sign_in("ada", GOOD, "Desk 1"), return_exceptions=True)

    results = room.run(guess())

    sentences = [result.message for result in results if isinstance(result, NotPermittedError)]
    assert len(sentences) == 21
    assert sum("name or the password" in sentence for sentence in sentences) == 5


def test_an_administrator_can_lift_a_lock(room: Room) -> None:
    room.sign_up()
    add(room, "dana")
    for _ in range(5):
        refusal_of(room, "dana")
    assert list(room.run(room.access.locked_names(ADA))) == ["user:dana"]

    room.run(room.access.unlock(ADA, "Dana"))

    assert sign_in(room, "dana").user.name == "dana"


def test_successes_failures_and_locks_stand_in_the_audit(room: Room) -> None:
    room.sign_up()
    sign_in(room, "ada")
    for _ in range(5):
        refusal_of(room, "ada")
    refusal_of(room, "ada")

    actions = [entry.action for entry in reversed(room.run(audit.recent(room.store)))]

    assert actions == ["user.first", "session.begin"] + ["session.refuse"] * 5 + ["session.lock"]
    assert room.run(audit.verify(room.store)).ok


def test_a_session_ends_after_the_shift(room: Room) -> None:
    session = room.sign_up()
    room.clock.advance(seconds=12.5 * 3600 - 1)
    room.run(room.access.resume(session.token))
    room.clock.advance(seconds=2)

    with pytest.raises(NotPermittedError, match="session has ended"):
        room.run(room.access.resume(session.token))


def test_signing_out_ends_the_session_and_twice_is_fine(room: Room) -> None:
    session = room.sign_up()

    room.run(room.access.sign_out(session.token))
    room.run(room.access.sign_out(session.token))

    with pytest.raises(NotPermittedError, match="session has ended"):
        room.run(room.access.resume(session.token))


def test_disabling_someone_ends_their_sessions_at_once(room: Room) -> None:
    room.sign_up()
    dana = add(room, "dana")
    session = sign_in(room, "dana")

    room.run(room.access.set_enabled(ADA, dana.user_id, False, expect_version=1))

    assert SessionsEnded(user_id=dana.user_id, reason="The user was disabled.") in room.events
    with pytest.raises(NotPermittedError, match="session has ended"):
        room.run(room.access.resume(session.token))
    assert room.run(room.store.read(lambda s: s.scalars(select(SessionRow.user_id)).all())) != [dana.user_id]


def test_a_new_role_is_not_worn_by_an_old_session(room: Room) -> None:
    room.sign_up()
    dana = add(room, "dana", Role.SUPERVISOR)
    session = sign_in(room, "dana")

    room.run(room.access.set_role(ADA, dana.user_id, Role.VIEWER, expect_version=1))

    with pytest.raises(NotPermittedError):
        room.run(room.access.resume(session.token))
    assert sign_in(room, "dana").user.role is Role.VIEWER


def test_the_last_administrator_stays_one(room: Room) -> None:
    ada = room.sign_up().user

    with pytest.raises(NotPermittedError, match="ada is the last administrator"):
        room.run(room.access.set_role(ADA, ada.user_id, Role.OPERATOR, expect_version=ada.version))
    with pytest.raises(NotPermittedError, match="ada is the last administrator"):
        room.run(room.access.set_enabled(ADA, ada.user_id, False, expect_version=ada.version))

    add(room, "eve", Role.ADMINISTRATOR)
    room.run(room.access.set_role(ADA, ada.user_id, Role.OPERATOR, expect_version=ada.version))


def test_only_administrators_manage_users(room: Room) -> None:
    room.sign_up()
    dana = add(room, "dana")
    for verb in (
        lambda: room.access.list_users(SUSI),
        lambda: room.access.add_user(SUSI, "eve", GOOD, Role.VIEWER),
        lambda: room.access.set_role(SUSI, dana.user_id, Role.ADMINISTRATOR, expect_version=1),
        lambda: room.access.set_enabled(OLGA, dana.user_id, False, expect_version=1),
        lambda: room.access.reset_password(OLGA, dana.user_id, "another password"),
        lambda: room.access.unlock(OLGA, "dana"),
    ):
        with pytest.raises(NotPermittedError, match="needs an administrator"):
            room.run(verb())

    assert [(user.name, user.role) for user in room.run(room.access.list_users(ADA))] == [
        ("ada", Role.ADMINISTRATOR),
        ("dana", Role.OPERATOR),
    ]


def test_two_administrators_that_change_one_user_do_not_overwrite_each_other(room: Room) -> None:
    room.sign_up()
    dana = add(room, "dana")
    room.run(room.access.set_role(ADA, dana.user_id, Role.SUPERVISOR, expect_version=1))

    with pytest.raises(StaleWriteError, match="User dana was changed"):
        room.run(room.access.set_role(ADA, dana.user_id, Role.VIEWER, expect_version=1))


def test_a_name_can_be_taken_once_however_it_is_written(room: Room) -> None:
    room.sign_up()
    add(room, "Dana")

    for same in ("dana", "DANA ", "\uff24\uff41\uff4e\uff41"):
        with pytest.raises(BadInputError, match="already"):
            add(room, same)


@pytest.mark.parametrize("name", ["", "   ", "a" * 65, "two\nlines", "nul\x00", "system", "System"])
def test_names_that_nobody_could_read_are_refused(room: Room, name: str) -> None:
    with pytest.raises(BadInputError):
        add(room, name)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "too short: it has 5"),
        ("123456789", "too short: it has 9"),
        ("1234567890", "tried first"),
        ("Password123", "tried first"),
        ("aaaaaaaaaaaaaa", "tried first"),
        ("dana.schmidt", "almost the user name"),
        ("Dana.Schmidt1", "almost the user name"),
        ("x" * 300, "too long"),
    ],
)
def test_passwords_that_are_guessed_first_are_refused_with_the_rule(room: Room, password: str, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        add(room, "dana.schmidt", password=password)


def test_a_password_works_however_the_keyboard_composes_it(room: Room) -> None:
    room.sign_up()
    add(room, "dana", password="gr\u00fcne Stra\u00dfe 7")

    assert sign_in(room, "dana", "gru\u0308ne Stra\u00dfe 7").user.name == "dana"


def test_changing_ones_password_needs_the_old_one_and_ends_all_sessions(room: Room) -> None:
    room.sign_up()
    add(room, "dana")
    session = sign_in(room, "dana")
    dana = actor_of(session)

    with pytest.raises(NotPermittedError, match="name or the password"):
        room.run(room.access.change_own_password(dana, "not the old one", "battery staple"))
    room.run(room.access.change_own_password(dana, GOOD, "battery staple"))

    with pytest.raises(NotPermittedError):
        room.run(room.access.resume(session.token))
    refusal_of(room, "dana", GOOD)
    assert sign_in(room, "dana", "battery staple").user.name == "dana"


def test_guessing_the_old_password_is_locked_like_signing_in(room: Room) -> None:
    room.sign_up()
    dana = actor_of(sign_in(room, add(room, "dana").name))
    for _ in range(5):
        with pytest.raises(NotPermittedError, match="name or the password"):
            room.run(room.access.change_own_password(dana, "wrong wrong", "battery staple"))

    with pytest.raises(NotPermittedError, match="too many"):
        room.run(room.access.change_own_password(dana, GOOD, "battery staple"))


def test_an_administrator_resets_a_forgotten_password(room: Room) -> None:
    room.sign_up()
    dana = add(room, "dana")
    for _ in range(5):
        refusal_of(room, "dana")

    room.run(room.access.reset_password(ADA, dana.user_id, "battery staple"))

    assert sign_in(room, "dana", "battery staple").user.name == "dana"


def test_the_quick_hasher_of_the_tests_is_argon2id_too() -> None:
    assert QUICK_HASHER.hash("x").startswith("$argon2id$")

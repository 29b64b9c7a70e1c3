"""Answers of the version that did not note which rule they were about."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from core.incidents.review import Outcome, ReviewService
from core.store import migrate
from core.vision.model import ObservationKind
from tests.fixtures.room import OLGA, VERA, Room
from tests.unit.incidents.test_review import counted, see


def go_back_to(url: str, revision: str) -> list[str]:
    """Take migrations back; return the key of the reviews then."""
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    key = inspect(engine).get_pk_constraint("review")["constrained_columns"]
    engine.dispose()
    return key


def test_an_answer_is_not_taken_for_one_about_a_name_that_came_after_it(both_stores: str, tmp_path: Path) -> None:
    room = Room(both_stores, tmp_path)
    review = ReviewService(room.store, room.bus, room.clock)

    def answer(incident_id: str, kind: ObservationKind, outcome: Outcome) -> None:
        room.run(review.decide(OLGA, incident_id, outcome, shown_kind=kind.value, expect_version=0))

    plain = see(room, ObservationKind.WRONG_WAY, confidence=0.65)
    room.clock.advance(seconds=1)
    answer(plain, ObservationKind.WRONG_WAY, Outcome.FALSE)
    room.clock.advance(seconds=3600)
    named_anew = see(room, ObservationKind.STOPPED_VEHICLE)
    room.clock.advance(seconds=1)
    answer(named_anew, ObservationKind.STOPPED_VEHICLE, Outcome.TRUE)
    room.clock.advance(seconds=1)
    see(room, ObservationKind.COLLISION)
    room.close()

    assert go_back_to(both_stores, "0034") == ["incident_id"]

    room = Room(both_stores, tmp_path)
    review = ReviewService(room.store, room.bus, room.clock)
    assert counted(room, review) == {"wrong_way": (0, 1, 0), "collision": (0, 0, 1)}
    (found,) = [one for one in room.run(review.precision(VERA)).bins if one.n_false]
    assert (found.kind, found.low) == ("wrong_way", 0.6)
    room.close()


def test_of_two_answers_the_version_before_keeps_the_last(both_stores: str, tmp_path: Path) -> None:
    room = Room(both_stores, tmp_path)
    review = ReviewService(room.store, room.bus, room.clock)
    incident_id = see(room, ObservationKind.STOPPED_VEHICLE)
    room.run(review.decide(OLGA, incident_id, Outcome.TRUE, shown_kind="stopped_vehicle", expect_version=0))
    see(room, ObservationKind.COLLISION)
    room.clock.advance(seconds=1)
    room.run(review.decide(OLGA, incident_id, Outcome.FALSE, shown_kind="collision", expect_version=0))
    room.close()

    go_back_to(both_stores, "0034")

    room = Room(both_stores, tmp_path)
    assert counted(room, ReviewService(room.store, room.bus, room.clock)) == {"collision": (0, 1, 0)}
    room.close()

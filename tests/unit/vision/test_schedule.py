from collections import Counter

import pytest

from core.vision.schedule import (
    ATTENTION,
    MAX_AGE_S,
    MOTION,
    QUIET,
    Load,
    Schedule,
    next_due_s,
    watched_cameras,
)


class Room:
    """Cameras, one engine and a clock that only this room moves."""

    def __init__(
        self,
        cameras: dict[str, float],
        *,
        per_s: float = 5.0,
        cost_s: float = 0.02,
        n_batch: int = 1,
        each_s: float = 0.0,
    ) -> None:
        """`cost_s` is what a look takes, `each_s` what every picture in it takes on top."""
        self.cameras, self.per_s, self.cost_s, self.n_batch, self.each_s = cameras, per_s, cost_s, n_batch, each_s
        self.schedule, self.load = Schedule(), Load(n_batch)
        self._n_missed = 0
        self.now_s = 100.0
        self.looks: Counter[str] = Counter()
        self.ages_s: list[float] = []
        self.shares: list[float] = []
        self._due_s = {name: 100.0 + index / per_s / len(cameras) for index, name in enumerate(cameras)}
        self._received_s: dict[str, float] = {}

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self._arrive()
            for name in self.schedule.drop_old(self.now_s):
                self._due_s[name] = self.now_s
            picked = self.schedule.pick(self.now_s, self.n_batch)
            if not picked:
                self.now_s += 0.001
                continue
            self.looks.update(picked)
            self.ages_s += [self.now_s - self._received_s[name] for name in picked]
            self._look(len(picked))
            self.shares.append(self.load.update(self.now_s, self.schedule.wanted_per_s(self.now_s)))

    def _look(self, n_pictures: int) -> None:
        began_s, end_s = self.now_s, self.now_s + self.cost_s + self.each_s * n_pictures
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + 0.005)
            self._arrive()
        n_missed, self._n_missed = self.schedule.n_missed - self._n_missed, self.schedule.n_missed
        self.load.note(began_s, end_s, n_pictures, n_missed)

    def _arrive(self) -> None:
        for name, urgency in self.cameras.items():
            if self._due_s[name] <= self.now_s:
                at_s = self._due_s[name]
                self._received_s[name] = self.now_s
                self.schedule.offer(name, self.now_s, urgency=urgency, wanted_per_s=self.per_s)
                self._due_s[name] = next_due_s(at_s, self.now_s, self.per_s * self.load.share)


def cameras(n: int, urgency: float = MOTION) -> dict[str, float]:
    return {f"c{number:02}": urgency for number in range(n)}


def test_with_room_for_everybody_every_picture_is_looked_at():
    room = Room(cameras(8))

    room.run(20.0)

    assert set(room.looks.values()) <= {100, 101}
    assert room.load.share == 1.0
    assert (room.schedule.n_expired, room.schedule.n_passed_over) == (0, 0)


@pytest.mark.parametrize("n_cameras", [12, 16, 40])
def test_overload_lowers_every_rate_evenly_and_no_picture_grows_old(n_cameras):
    room = Room(cameras(n_cameras))
    room.run(10.0)
    room.looks.clear()
    room.ages_s.clear()

    room.run(30.0)

    counts = [room.looks[name] for name in room.cameras]
    assert room.load.is_reduced
    assert max(counts) - min(counts) <= max(2, 0.05 * max(counts))
    assert sum(counts) >= 30.0 / room.cost_s * 0.8
    assert max(room.ages_s) <= MAX_AGE_S


def test_what_is_given_stays_below_what_the_engine_can_do():
    room = Room(cameras(30))

    room.run(30.0)

    assert room.load.busy_share(room.now_s) <= 0.99
    assert room.load.share == pytest.approx(0.97 / (30 * 5.0 * 0.02), rel=0.1)


def test_the_rate_comes_back_only_after_five_seconds_of_room():
    room = Room(cameras(20))
    room.run(10.0)
    assert room.load.is_reduced
    room.cost_s = 0.004

    room.run(4.0)
    was_reduced = room.load.is_reduced
    room.run(5.0)

    assert was_reduced
    assert room.load.share == 1.0


def test_a_load_at_the_edge_does_not_flap():
    room = Room(cameras(9))  # 0.9 of the engine, exactly

    room.run(60.0)

    steps = sum(a != b for a, b in zip(room.shares, room.shares[1:], strict=False))
    assert steps <= 3


def test_one_slow_picture_lowers_nobodys_rate():
    room = Room(cameras(5))
    room.run(5.0)
    room.cost_s = 0.35
    room.run(0.3)
    room.cost_s = 0.02

    room.run(5.0)

    assert room.load.share == 1.0


def test_who_is_watched_comes_first_and_who_is_quiet_still_comes():
    names = cameras(10) | {"watched": ATTENTION, "quiet": QUIET}
    room = Room(names, cost_s=0.05)
    room.load.update = lambda *_: 1.0  # Overload without relief: only the order decides.

    room.run(30.0)

    usual = [room.looks[name] for name in cameras(10)]
    assert room.looks["watched"] > 1.3 * max(usual)
    assert max(usual) - min(usual) <= 2
    assert room.looks["quiet"] >= 3


def test_the_newest_picture_of_a_camera_replaces_its_older_one():
    schedule = Schedule()
    schedule.offer("a", 1.0, urgency=MOTION, wanted_per_s=5.0)

    assert schedule.offer("a", 1.2, urgency=MOTION, wanted_per_s=5.0)
    assert schedule.pick(1.25, 8) == ["a"]
    assert schedule.pick(1.25, 8) == []
    assert schedule.n_passed_over == 1


def test_a_picture_older_than_400_ms_is_not_looked_at():
    schedule = Schedule()
    schedule.offer("a", 1.0, urgency=ATTENTION, wanted_per_s=5.0)

    assert schedule.pick(1.0 + MAX_AGE_S + 0.01) == []
    assert schedule.drop_old(1.0 + MAX_AGE_S + 0.01) == ["a"]
    assert schedule.n_expired == 1


def test_a_batch_takes_the_most_urgent():
    schedule = Schedule()
    for number in range(6):
        schedule.offer(f"c{number}", 1.0, urgency=ATTENTION if number == 4 else MOTION, wanted_per_s=5.0)

    assert schedule.pick(1.0, 4) == ["c4", "c0", "c1", "c2"]


def test_half_filled_batches_are_no_overload():
    load = Load(n_batch=16)
    for number in range(200):
        load.note(number * 0.01, number * 0.01 + 0.0098, 2)

    assert load.update(2.0, wanted_per_s=300.0) == 1.0


def test_a_camera_that_left_wants_nothing():
    schedule = Schedule()
    schedule.offer("a", 1.0, urgency=MOTION, wanted_per_s=5.0)
    schedule.offer("b", 1.0, urgency=MOTION, wanted_per_s=5.0)
    schedule.forget("a")

    assert schedule.wanted_per_s(2.0) == 5.0
    assert schedule.wanted_per_s(30.0) == 0.0


def test_a_camera_shown_alone_or_large_is_watched():
    small, large = (480, 270), (1280, 720)

    assert watched_cameras({"a": small}) == {"a"}
    assert watched_cameras(dict.fromkeys("abcd", small)) == frozenset()
    assert watched_cameras(dict.fromkeys("abcde", small) | {"f": large}) == {"f"}
    assert watched_cameras({}) == frozenset()


@pytest.mark.parametrize("n_cameras", [1, 2, 4, 6, 12])
def test_the_rate_comes_back_after_a_long_overload_with_any_number_of_cameras(n_cameras):
    room = Room(cameras(n_cameras), cost_s=1.5)  # Something else has the processor.
    room.run(60.0)
    worst = room.load.share
    room.cost_s = 0.01

    room.run(20.0)

    assert worst < 0.5
    assert room.load.share == 1.0


@pytest.mark.parametrize(
    ("n_cameras", "cost_s", "each_s"),
    [(1, 0.3, 0.0), (3, 0.3, 0.0), (11, 0.3, 0.0), (3, 0.1, 0.1), (11, 0.05, 0.03), (40, 0.1, 0.0)],
)
def test_an_engine_that_takes_many_at_once_gives_all_the_same_and_all_that_it_can(n_cameras, cost_s, each_s):
    room = Room(cameras(n_cameras), per_s=8.0, cost_s=cost_s, each_s=each_s, n_batch=16)
    room.run(20.0)
    room.looks.clear()
    room.shares.clear()

    room.run(40.0)

    n_most = min(16, n_cameras)
    possible_per_s = n_most / (cost_s + each_s * n_most) / n_cameras
    counts = [room.looks[name] / 40.0 for name in room.cameras]
    assert room.load.is_reduced
    assert max(counts) - min(counts) <= 0.05 * max(counts)
    assert min(counts) >= 0.9 * possible_per_s
    assert len(set(room.shares)) == 1


def test_an_engine_that_is_always_busy_and_misses_nothing_lowers_nobodys_rate():
    room = Room(cameras(3), per_s=8.0, cost_s=0.12, n_batch=16)

    room.run(30.0)

    assert room.load.busy_share(room.now_s) > 0.9
    assert set(room.shares) == {1.0}


def test_after_a_stall_an_engine_that_takes_many_at_once_gives_what_it_can_again():
    room = Room(cameras(3), per_s=8.0, cost_s=1.5, n_batch=16)
    room.run(30.0)
    worst = room.load.share
    room.cost_s = 0.3

    room.run(60.0)

    assert worst < 0.15
    assert room.load.share == pytest.approx(0.97 / (8.0 * 0.3), rel=0.1)

"""Packets that come from a network, read by a machine that is quick or slow enough."""

import random

import pytest

from core.media.backlog import OVERRUN_KEPT_S, Backlog

FPS = 25
KEY_EVERY = 50
READ_S = 0.0005


class Reader:
    """Reads packets as `_LibavSource` does, on a clock of its own.

    Attributes:
        shown: Picture number, when it was shown, and how long it had been waiting as far as the backlog knew.
    """

    def __init__(self, *, decode_s=0.005, show_s=0.0, key_every=KEY_EVERY):
        self.backlog = Backlog()
        self.decode_s, self.show_s, self.key_every = decode_s, show_s, key_every
        self.now_s = 100.0
        self.n_read = self.n_decoded = 0
        self.shown = []

    def play(self, packets):
        """Take packets: for each, when it arrives here and its time by the camera's clock."""
        for arrives_s, packet_s in packets:
            while (held := self.backlog.pop()) is not None:
                self.decode(*held)
            began_s, self.now_s = self.now_s, max(self.now_s, arrives_s) + READ_S
            number, self.n_read = self.n_read, self.n_read + 1
            packet = (number, arrives_s)
            is_key = number % self.key_every == 0
            if not self.backlog.keeps(packet, packet_s, is_key=is_key, began_s=began_s, now_s=self.now_s):
                self.decode(packet, packet_s)

    def decode(self, packet, packet_s):
        if self.backlog.is_skipping:
            if packet[0] % self.key_every:
                self.backlog.n_left_out += 1
                return
            self.backlog.is_skipping = False
        self.n_decoded += 1
        self.now_s += self.decode_s
        self.backlog.note_decoding(self.decode_s)
        if self.backlog.is_running_up:
            self.backlog.n_left_out += 1
            return
        told_s = self.backlog.behind_s(packet_s, self.now_s)
        self.shown.append((packet[0], self.now_s, told_s, self.now_s - packet[1]))
        self.now_s += self.show_s

    @property
    def ages_s(self):
        return [age_s for _, _, _, age_s in self.shown]


def steady(seconds, *, begins_s=100.0, rate=1.0, first_s=5000.0, fps=FPS):
    """Pictures of a camera whose clock runs at `rate`."""
    return [(begins_s + n / fps, first_s + rate * n / fps) for n in range(round(seconds * fps))]


def late(packets, delay_s):
    """The same, each as much later as `delay_s` says of its arrival, and none before the one ahead of it."""
    arrived_s, found = 0.0, []
    for at_s, packet_s in packets:
        arrived_s = max(arrived_s, at_s + delay_s(at_s - 100.0))
        found.append((arrived_s, packet_s))
    return found


def burst_first(seconds, kept_s):
    """A camera that begins with what it has kept."""
    return [(max(100.0, 100.0 - kept_s + n / FPS), 7.0 + n / FPS) for n in range(round((seconds + kept_s) * FPS))]


DICE = random.Random(3)


def jittering(at_s):
    return DICE.expovariate(1 / 0.08)


def stalling(at_s):
    """Every ten seconds nothing comes for two."""
    return max(0.0, 2.0 - at_s % 10.0)


def far_frames(seconds):
    dice, at_s = random.Random(4), 0.0
    while at_s < seconds:
        yield 100.0 + at_s, 50.0 + at_s
        at_s += dice.choice([0.02, 0.04, 0.2, 1.5])


QUIET = {
    "steady": steady(120),
    "begins with what it has kept": burst_first(60, 8.0),
    "jitter": late(steady(120), jittering),
    "network that stalls for two seconds": late(steady(120), stalling),
    "network that becomes slower for good": late(steady(120), lambda at_s: 0.0 if at_s < 40 else 3.0),
    "clock 100 ppm slow for twelve hours": steady(12 * 3600, rate=1 - 1e-4, fps=2),
    "clock 5 % slow": steady(300, rate=0.95),
    "clock 5 % fast": steady(300, rate=1.05),
    "one picture a second, 5 % slow": steady(600, rate=0.95, fps=1),
    "jumps ahead": steady(30) + steady(30, begins_s=130.0, first_s=5035.0),
    "jumps back": steady(30) + steady(30, begins_s=130.0, first_s=5027.0),
    "begins anew": steady(30) + steady(30, begins_s=130.0, first_s=0.0),
    "pictures whenever something moves": list(far_frames(300)),
}


@pytest.mark.parametrize("name", QUIET)
def test_what_a_quick_machine_reads_is_shown_whole_and_in_order(name):
    reader = Reader()
    reader.play(QUIET[name])
    reader.play([])

    numbers = [number for number, _, _, _ in reader.shown]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= len(QUIET[name]) - 6
    assert reader.backlog.n_left_out == 0
    assert not reader.backlog.is_overrun(reader.now_s)


@pytest.mark.parametrize("key_every", [1, 25, 250])
@pytest.mark.parametrize("rate", [0.95, 1.0, 1.02])
def test_what_is_shown_by_a_slow_machine_stays_new(key_every, rate):
    reader = Reader(show_s=0.08, key_every=key_every)
    reader.play(steady(300, rate=rate))

    settled = reader.shown[20:]
    assert max(age_s for _, _, _, age_s in settled) < 2.5
    assert reader.backlog.n_left_out + len(reader.shown) == pytest.approx(reader.n_read, abs=30)
    assert reader.backlog.is_overrun(reader.now_s)
    gaps = [later[1] - earlier[1] for earlier, later in zip(reader.shown, reader.shown[1:], strict=False)]
    assert max(gaps) < 1.5


@pytest.mark.parametrize("key_every", [25, 50, 250])
def test_where_decoding_itself_is_too_slow_the_next_key_frame_is_awaited(key_every):
    reader = Reader(decode_s=0.06, key_every=key_every)
    reader.play(steady(300))

    # A key frame that is shown by itself is the newest there is.
    in_order = [age_s for number, _, _, age_s in reader.shown if number % key_every]
    assert max(in_order[20:]) < 2.5
    assert max(reader.ages_s) < max(2.5, key_every / FPS)
    assert reader.backlog.n_left_out + len(reader.shown) == pytest.approx(reader.n_read, abs=30)


def test_how_long_pictures_had_been_waiting_is_known_once_they_had_to():
    reader = Reader(show_s=0.08, key_every=25)
    reader.play(steady(120))

    errors = [abs(told_s - (age_s - 0.0)) for _, at_s, told_s, age_s in reader.shown if at_s > 110.0]
    assert max(errors) < 0.1
    assert max(told_s for _, _, told_s, _ in reader.shown) > 0.5


def test_a_machine_that_has_room_again_is_not_said_to_be_too_slow_for_ever():
    reader = Reader(show_s=0.08, key_every=25)
    reader.play(steady(30))
    was_overrun = reader.backlog.is_overrun(reader.now_s)
    reader.show_s, n_before = 0.0, reader.backlog.n_left_out
    reader.play(steady(OVERRUN_KEPT_S + 5.0, begins_s=130.0, first_s=5030.0))

    assert was_overrun
    assert not reader.backlog.is_overrun(reader.now_s)
    assert reader.backlog.n_left_out <= n_before + 2 * FPS
    assert reader.shown[-1][3] < 0.1

import contextlib
import socket

import pytest

from core.field.buffered_socket import MAX_UNSENT_BYTES, BufferedSocket


class CountingSocket(socket.socket):
    """A socket that counts how often the system is asked."""

    n_asked = 0

    def recv(self, *args):
        self.n_asked += 1
        return super().recv(*args)

    def send(self, *args):
        self.n_asked += 1
        return super().send(*args)


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    counting = CountingSocket(fileno=near.detach())
    counting.setblocking(False)
    far.settimeout(5.0)
    yield BufferedSocket(counting), counting, far
    counting.close()
    far.close()


def test_many_packets_are_read_in_small_parts_at_the_price_of_one(pair):
    near, counting, far = pair
    far.sendall(b"0123456789" * 100)

    assert b"".join(near.recv(3) for _ in range(300)) == (b"0123456789" * 100)[:900]
    assert counting.n_asked == 1
    assert near.n_pending == 100, "no selector announces these"


def test_a_part_ends_where_what_is_there_ends(pair):
    near, _, far = pair
    far.sendall(b"abc")

    assert near.recv(2) == b"ab"
    assert near.recv(10) == b"c"
    with pytest.raises(BlockingIOError):
        near.recv(1)
    far.sendall(b"d")
    assert near.recv(10) == b"d"


def test_the_end_of_the_connection_is_read_after_what_came_before_it(pair):
    near, _, far = pair
    far.sendall(b"last")
    far.close()

    assert near.recv(10) == b"last"
    assert near.recv(10) == b""


def test_many_packets_are_sent_together_and_in_order(pair):
    near, counting, far = pair
    for number in range(100):
        near.send(b"%02d" % number)
    assert (counting.n_asked, near.has_unsent) == (0, True)

    near.flush()

    assert (counting.n_asked, near.has_unsent) == (1, False)
    assert far.recv(1000) == b"".join(b"%02d" % number for number in range(100))


def test_what_the_other_side_does_not_read_is_kept_and_has_a_bound(pair):
    near, _, far = pair
    n_taken = 0
    with contextlib.suppress(BlockingIOError):
        while n_taken < 100 * MAX_UNSENT_BYTES:
            n_taken += near.send(bytes(100_000))
    near.flush()
    assert near.has_unsent
    assert n_taken < 10 * MAX_UNSENT_BYTES

    n_read = 0
    while near.has_unsent:
        n_read += len(far.recv(1_000_000))
        near.flush()
    while n_read < n_taken:
        n_read += len(far.recv(1_000_000))
    assert n_read == n_taken


def test_closing_says_what_was_not_said_yet(pair):
    near, _, far = pair
    near.send(b"goodbye")

    near.close()

    assert far.recv(100) == b"goodbye"
    assert far.recv(100) == b""


def test_a_broken_connection_is_told_by_flushing(pair):
    near, _, far = pair
    far.close()
    near.send(b"hello")

    with pytest.raises(OSError, match=r"[Bb]roken|reset"):
        near.flush()

"""A place that one process has: the next one is told who, and an end of any kind frees it."""

import pytest

from core.kernel.clock import FakeClock
from core.kernel.lock import HeldError, Holder, take_lock

ME = Holder(host="north", pid=11, since=FakeClock().now())


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path):
    first = take_lock(tmp_path / "node.lock", ME, does="works here", hint="End it.")

    with pytest.raises(HeldError, match=r"The node on north \(process 11, since 2026-.* UTC\) works here\.") as told:
        take_lock(tmp_path / "node.lock", ME, does="works here", hint="End it.")

    assert told.value.hint == "End it."
    first.close()
    take_lock(tmp_path / "node.lock", ME, does="works here", hint="End it.").close()


@pytest.mark.parametrize("words", [None, {}, {"host": "a", "pid": "x", "since": "now"}, [1], "north"])
def test_words_that_name_nobody_are_nobody(words):
    assert Holder.of_words(words) is None
    assert Holder.of_words(ME.words()) == ME

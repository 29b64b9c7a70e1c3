"""What was active before a start, and whether its source has been heard for long enough to be believed."""

from core.incidents.doubt import CONFIRM_S, Doubtful, Doubts, hear_nobody
from core.incidents.model import SourceKind

JAM = Doubtful(
    condition_key="camera/a/congestion:lane", kind="congestion", source_kind=SourceKind.CAMERA, source_id="a"
)


def heard(_doubtful):
    return CONFIRM_S


def doubts():
    made = Doubts()
    made.add([JAM])
    return made


def test_silence_counts_only_after_the_source_was_heard_for_long_enough():
    one = doubts()

    assert [one.over(heard, now_s) for now_s in (0.0, CONFIRM_S - 1.0, CONFIRM_S)] == [[], [], [JAM.condition_key]]


def test_a_source_that_is_never_heard_is_never_normal():
    one = doubts()

    assert [one.over(hear_nobody, now_s) for now_s in (0.0, 1e9)] == [[], []]
    assert JAM.condition_key in one


def test_it_is_over_once_and_doubtful_until_that_is_stored():
    one = doubts()
    one.over(heard, 0.0)

    assert one.over(heard, CONFIRM_S) == [JAM.condition_key]
    assert one.over(heard, CONFIRM_S + 1.0) == []
    assert JAM.condition_key in one


def test_what_is_doubted_anew_must_be_heard_for_long_enough_anew():
    one = doubts()
    one.over(heard, 0.0)

    one.add([JAM])

    assert one.over(heard, CONFIRM_S) == []
    assert one.over(heard, 2 * CONFIRM_S) == [JAM.condition_key]

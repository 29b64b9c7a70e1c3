"""The bench counts what it is there for."""

from app.bench_sync import _judge

SAID = {"last_seqs": {"traffic/a": 3, "traffic/b": 1}, "drained_s": 0.2}


def report(at, *, rss_mb=100.0, delays=None, pid=1):
    return {"at": at, "pid": pid, "rss_mb": rss_mb, "n_duplicates": 0, "delays": delays or {}}


def judge(after, reports=(), outages=()):
    return _judge(SAID, {}, after, [report(0.0), *reports], list(outages))


def test_what_is_missing_is_lost_and_what_is_there_twice_is_doubled():
    outcome = judge({("traffic/a", 1): 1, ("traffic/a", 3): 2, ("traffic/c", 1): 1})

    assert (outcome.n_sent, outcome.n_lost, outcome.n_doubled) == (4, 2, 2)


def test_outages_count_in_the_delay_and_are_left_out_of_the_calm_one():
    outcome = judge(
        {},
        [report(5.0, delays={"40": 98}), report(31.0, delays={"120": 2}), report(60.0, delays={"44": 1})],
        outages=[30.0],
    )

    assert outcome.p99_ms > 1000
    assert outcome.calm_p99_ms < 15


def test_growth_is_that_of_the_consumer_that_lived_longest_after_its_first_seconds():
    short = [report(second, pid=2, rss_mb=50.0 + 10 * second) for second in range(5)]
    long = [report(second, rss_mb=100.0 if second < 20 else 101.0 + second / 100) for second in range(10, 100)]

    assert judge({}, [*short, *long]).rss_growth_mb == 0.9 - 0.1

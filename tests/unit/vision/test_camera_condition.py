"""Moved, blinded, frozen: what is wrong with the camera, and what is only weather, night and traffic."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from core.vision.model import Mask, ObservationKind, Phase, RuleSetting, Scene, Zone
from core.vision.rules import SceneRules
from core.vision.scene_rule import small_grey
from tests.unit.vision.pictures import after, filmed, scaled, street, watch_pictures
from tests.unit.vision.roads import ASPECT, START_AT

MOVED, BLINDED, FROZEN = (
    ObservationKind.CAMERA_MOVED,
    ObservationKind.CAMERA_BLINDED,
    ObservationKind.CAMERA_FROZEN,
)


def told(observations):
    return [(o.kind, o.phase) for o in observations]


def blurred(picture, _at_s, reach=6):
    for axis in (0, 1):
        picture = sum(np.roll(picture, step, axis) for step in range(-reach, reach + 1)) / (2 * reach + 1)
    return picture


def traffic(picture, at_s):
    """Two trucks that cover a fifth of the road."""
    for lane, speed in ((90, 80.0), (130, -110.0)):
        x = int(speed * at_s) % 400 - 75
        picture[lane : lane + 30, max(0, x) : max(0, x + 75)] = 60.0
    return picture


def dusk(picture, at_s):
    return picture * max(0.25, 1 - at_s / 250)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda picture, _: picture, id="nothing"),
        pytest.param(traffic, id="traffic"),
        pytest.param(dusk, id="dusk"),
        pytest.param(lambda picture, at_s: np.roll(picture, round(2 * np.sin(at_s)), 1), id="a swaying mast"),
        pytest.param(lambda picture, at_s: picture * (1.5 if at_s > 40 else 1.0), id="the sun comes out"),
    ],
)
def test_weather_night_and_traffic_are_no_fault_of_the_camera(change):
    assert told(watch_pictures(Scene(), filmed(200, change=change))) == []


@pytest.mark.parametrize(("dx", "dy"), [(13, 4), (-75, 20), (0, 15)])
def test_a_camera_that_was_pushed_is_seen_and_its_return_too(dx, dy):
    def pushed(picture, _at_s):
        return np.roll(np.roll(picture, dx, 1), dy, 0)

    begin, end = watch_pictures(Scene(), filmed(80, change=after(30, pushed, until_s=50)))

    assert told((begin, end)) == [(MOVED, Phase.BEGIN), (MOVED, Phase.END)]
    assert 34 < begin.pts_s < 45
    assert begin.values["shift"] == pytest.approx(np.hypot(dx, dy) / 320, abs=0.01)


def test_a_camera_that_looks_somewhere_else_moved():
    elsewhere = street(seed=9)[::-1, ::-1]

    observations = watch_pictures(Scene(), filmed(60, change=after(30, lambda _p, _t: elsewhere.copy())))

    assert told(observations) == [(MOVED, Phase.BEGIN)]


def test_how_far_is_too_far_can_be_tuned():
    scene = Scene(rules=(RuleSetting(kind="camera_moved", values={"shift": 0.1}),))
    pushed = after(30, lambda picture, _: np.roll(picture, 13, 1))

    assert watch_pictures(scene, filmed(60, change=pushed)) == []


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        pytest.param(lambda picture, _: picture * 0.03, "dark", id="dark"),
        pytest.param(lambda picture, _: picture * 4 + 150, "dazzled", id="dazzled"),
        pytest.param(lambda picture, _: np.full_like(picture, 120.0), "covered", id="covered"),
        pytest.param(blurred, "soft", id="far out of focus"),
        pytest.param(lambda picture, at_s: blurred(picture, at_s, reach=2), "soft", id="out of focus"),
    ],
)
def test_a_camera_that_sees_nothing_says_why_and_ends_when_it_sees_again(fault, cause):
    observations = watch_pictures(Scene(), filmed(60, change=after(30, fault, until_s=45), noise=1.0))

    assert [told(observations)[0], told(observations)[-1]] == [(BLINDED, Phase.BEGIN), (BLINDED, Phase.END)]
    assert observations[0].values == {cause: 1.0}
    assert 34 < observations[0].pts_s < 37


@pytest.mark.parametrize(
    ("later_wh", "n_changes"),
    [((320, 182), 1), ((320, 176), 9), ((640, 360), 1), ((160, 90), 1)],
    ids=["the other stream", "there and back", "a larger network", "a smaller network"],
)
def test_a_camera_out_of_focus_is_told_until_it_is_sharp_whatever_size_its_pictures_have_meanwhile(later_wh, n_changes):
    fault = after(30, lambda picture, at_s: blurred(picture, at_s, reach=4), until_s=80)
    pictures = (
        (
            at_s,
            scaled(picture, later_wh if min((at_s - 40) // 4, n_changes - 1) % 2 == 0 and at_s >= 40 else (320, 180)),
        )
        for at_s, picture in filmed(100, change=fault, noise=1.0)
    )

    begin, end = [one for one in watch_pictures(Scene(), pictures) if one.kind is BLINDED]

    assert (begin.phase, begin.values, end.phase) == (Phase.BEGIN, {"soft": 1.0}, Phase.END)
    assert 34 < begin.pts_s < 37
    assert 81 < end.pts_s < 84


def test_a_picture_that_repeats_itself_is_frozen():
    live = list(filmed(40))
    frozen = [(40 + step / 2, live[-1][1]) for step in range(40)]
    again = filmed(10, from_s=60, seed=1)

    begin, end = watch_pictures(Scene(), itertools.chain(live, frozen, again))

    assert told((begin, end)) == [(FROZEN, Phase.BEGIN), (FROZEN, Phase.END)]
    assert 49 < begin.pts_s < 52


def test_a_frozen_picture_that_is_encoded_anew_is_frozen():
    live = list(filmed(40))
    flicker = np.random.default_rng(3).random(live[-1][1].shape) < 0.01
    frozen = [(40 + step / 2, live[-1][1] + (flicker & (step % 4 == 0)).astype(np.uint8)) for step in range(40)]

    observations = watch_pictures(Scene(), itertools.chain(live, frozen))

    assert told(observations) == [(FROZEN, Phase.BEGIN)]


def test_a_still_night_is_not_frozen_because_a_sensor_has_noise():
    assert watch_pictures(Scene(), filmed(120, change=lambda picture, _: picture * 0.4, noise=0.8)) == []


def test_an_encoder_that_hides_the_noise_is_known_by_its_own_stillness():
    """Nothing moves for up to eight seconds, then the encoder refreshes; a longer pause later is no surprise."""
    still = list(filmed(120, noise=0.0))
    random = np.random.default_rng(5)
    pictures = [
        (at_s, picture if at_s % 8 else picture + random.integers(0, 4, picture.shape, dtype=np.uint8))
        for at_s, picture in still
    ]
    pause = [(120 + step / 2, pictures[-1][1]) for step in range(2 * 8)]

    assert watch_pictures(Scene(), iter([*pictures, *pause])) == []


def test_a_quiet_scene_that_is_looked_at_every_ten_seconds_still_tells():
    frozen = next(iter(filmed(1)))[1]

    observations = watch_pictures(Scene(), ((10.0 * step, frozen) for step in range(10)))

    assert told(observations) == [(FROZEN, Phase.BEGIN)]


def push(picture, _at_s):
    return np.roll(picture, 26, 1)


@pytest.mark.parametrize("every_s", [5.0, 10.0, 20.0])
@pytest.mark.parametrize(
    "fault",
    [lambda picture, _: picture * 0.03, lambda picture, _: picture * 4 + 150, push],
    ids=["dark", "dazzled", "elsewhere"],
)
def test_of_pictures_that_come_seconds_apart_a_single_one_calls_nobody(every_s, fault):
    wrong = after(20 * every_s, fault, until_s=21 * every_s)

    assert told(watch_pictures(Scene(), filmed(30 * every_s, change=wrong, fps=1 / every_s))) == []


def test_two_pictures_that_are_the_same_and_come_seconds_apart_are_not_frozen():
    pictures = list(filmed(300, fps=0.1))
    pictures[20] = (pictures[20][0], pictures[19][1])

    assert told(watch_pictures(Scene(), pictures)) == []


@pytest.mark.parametrize("every_s", [8.0, 20.0, 50.0])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [(lambda picture, _: picture * 0.03, BLINDED), (lambda picture, _: np.zeros_like(picture), BLINDED), (push, MOVED)],
)
def test_what_lasts_is_told_after_a_few_pictures_and_ends_after_a_few_however_rare_they_are(every_s, fault, kind):
    wrong = after(20 * every_s, fault, until_s=25 * every_s)

    begin, end = [
        one
        for one in watch_pictures(Scene(), filmed(30 * every_s, change=wrong, fps=1 / every_s))
        if one.kind is not FROZEN
    ]

    assert told([begin, end]) == [(kind, Phase.BEGIN), (kind, Phase.END)]
    assert [one.pts_s / every_s for one in (begin, end)] == [22, 27]


def test_what_a_slow_detector_says_of_a_picture_from_before_it_froze_ends_nothing():
    live = [picture for _, picture in filmed(40, fps=1.0)]
    rules, seen = SceneRules("cam-1", Scene(), ASPECT), []
    for at_s in range(70):
        if at_s == 55:
            seen += rules.update((), 38.0, START_AT, live[38])
        seen += rules.watch_camera(at_s, START_AT, live[min(at_s, 39)])

    assert told(seen) == [(FROZEN, Phase.BEGIN)]


def test_a_look_after_a_late_answer_neither_calls_nor_ends():
    def darken(picture, at_s):
        return picture * 0.03 if 30 <= at_s < 35 or (50 <= at_s < 80 and at_s not in {70, 71}) else picture

    rules, seen = SceneRules("cam-1", Scene(), ASPECT), []
    for at_s, picture in filmed(100, fps=1.0, change=darken):
        if at_s in {32, 70}:
            seen += rules.update((), at_s - 10, START_AT, picture)
        seen += rules.watch_camera(at_s, START_AT, picture)

    assert told(seen) == [(BLINDED, Phase.BEGIN), (BLINDED, Phase.END)]
    assert seen[1].pts_s > 80


def test_without_pictures_the_camera_is_not_judged():
    rules = SceneRules("cam-1", Scene(), ASPECT)

    assert [o for step in range(200) for o in rules.update((), step / 4, START_AT)] == []


def test_the_small_grey_picture_keeps_its_proportions():
    assert small_grey(np.zeros((360, 640, 3), np.uint8)).shape == (90, 160)
    assert small_grey(np.zeros((384, 216, 3), np.uint8)).shape == (192, 108)
    assert small_grey(np.full((90, 160), 7, np.uint8)).tolist() == [[7] * 160] * 90


@pytest.mark.parametrize("gap_s", [-5.0, 300.0])
def test_a_gap_right_after_the_first_picture_is_no_fault(gap_s):
    pictures = [*filmed(0.5), *filmed(60, from_s=gap_s)]

    assert told(watch_pictures(Scene(), pictures)) == []


@pytest.mark.parametrize(("main_wh", "sub_wh"), [((640, 360), (640, 352)), ((640, 352), (640, 364))])
def test_a_camera_that_was_pushed_calls_also_where_the_other_stream_is_shown_since(main_wh, sub_wh):
    pushed = after(40, lambda picture, _: np.roll(picture, 26, 1))
    pictures = (
        (at_s, scaled(picture, sub_wh if at_s >= 35 else main_wh)) for at_s, picture in filmed(90, change=pushed)
    )

    assert told(watch_pictures(Scene(), pictures)) == [(MOVED, Phase.BEGIN)]


def test_a_change_between_streams_of_one_picture_is_no_movement():
    pictures = ((at_s, scaled(picture, (640, 352) if at_s % 40 < 20 else (640, 360))) for at_s, picture in filmed(160))

    assert told(watch_pictures(Scene(), pictures)) == []


def test_what_is_doubted_in_pictures_of_one_shape_is_no_doubt_of_another():
    rules = SceneRules("cam-1", Scene(), ASPECT)
    for at_s, picture in filmed(23, change=after(20, lambda picture, _: np.roll(picture, 13, 1))):
        rules.update((), at_s, START_AT, picture)
    is_doubted = rules.wavers
    for at_s, picture in filmed(3, from_s=23):
        rules.update((), at_s, START_AT, scaled(picture, (320, 240)))

    assert (is_doubted, rules.wavers) == (True, False)


def test_what_was_learned_of_one_shape_is_told_only_while_pictures_have_it():
    rules = SceneRules("cam-1", Scene(), ASPECT)
    for at_s, picture in filmed(20):
        rules.update((), at_s, START_AT, picture)
    rules.update((), 20.0, START_AT, scaled(picture, (320, 240)))
    on_the_other = rules.take_view(START_AT)
    rules.update((), 20.1, START_AT, picture)

    assert on_the_other is None
    assert rules.take_view(START_AT) is not None


@pytest.mark.parametrize("wh", [(640, 360), (640, 480), (360, 640)])
def test_how_far_it_moved_is_a_part_of_the_width_whatever_the_shape(wh):
    by = round(wh[0] * 0.1)
    pictures = ((at_s, np.roll(scaled(picture, wh), by if at_s >= 30 else 0, axis=0)) for at_s, picture in filmed(80))

    (begin,) = watch_pictures(Scene(), pictures)

    assert begin.values["shift"] == pytest.approx(0.1, abs=0.012)


@pytest.mark.parametrize("noise", [0.0, 0.6, 2.0])
@pytest.mark.parametrize(
    "nothing",
    [lambda picture, _: np.full_like(picture, 6.0), lambda picture, _: np.full_like(picture, 120.0)],
    ids=["a black lens", "a lens cap"],
)
def test_what_a_camera_should_show_is_not_learned_from_a_picture_that_shows_nothing(nothing, noise):
    pushed = after(150, lambda picture, _: np.roll(picture, 13, 1))

    def change(picture, at_s):
        return nothing(picture, at_s) if at_s < 60 else pushed(picture, at_s)

    observations = watch_pictures(Scene(), filmed(200, change=change, noise=noise))

    told_of = [(o.phase, o.pts_s) for o in observations if o.kind is MOVED]
    assert [phase for phase, _ in told_of] == [Phase.BEGIN]
    assert 150 < told_of[0][1] < 165


def test_without_anybody_who_judges_darkness_a_black_picture_is_not_learned_either():
    scene = Scene(rules=(RuleSetting(kind="camera_blinded", is_enabled=False),))
    dark = after(0, lambda picture, _: np.full_like(picture, 6.0), until_s=60)

    assert told(watch_pictures(scene, filmed(150, change=dark))) == []


YARD = Zone(key="yard", name="Yard", polygon=((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))
DRAWN = Scene(zones=(YARD,))


class Run:
    """One worker after the other, with what each hands to the next."""

    def __init__(self):
        self.view = None
        self.n_told = 0
        self.now_s = 0.0

    def watch(self, seconds, *, change=lambda picture, _: picture, scene=DRAWN, fps=2.0):
        rules = SceneRules("cam-1", scene, ASPECT)
        if self.view is not None:
            rules.start_from(self.view)
        seen = []
        for pts_s, picture in filmed(seconds, from_s=self.now_s, change=change, fps=fps):
            seen += rules.update((), pts_s, START_AT, picture)
            if told_view := rules.take_view(START_AT):
                self.view = told_view
                self.n_told += 1
        self.now_s += seconds
        self.rules = rules
        return [one for one in seen if one.kind is MOVED]


def test_what_a_camera_shows_is_told_once_it_is_settled_and_every_few_minutes_after():
    run = Run()

    run.watch(6)
    assert run.n_told == 0
    run.watch(15)
    assert run.n_told == 1
    run.watch(650, fps=1.0)
    assert run.n_told == 3
    assert not run.view.is_moved


def test_a_worker_that_begins_with_a_camera_that_was_pushed_says_so_and_when_it_was_put_right():
    run = Run()
    run.watch(15)

    (begin,) = run.watch(20, change=push)
    blind_from_the_start = run.rules.is_blind
    (again, end) = run.watch(40, change=after(run.now_s, push, until_s=run.now_s + 20))

    assert (begin.phase, again.phase, end.phase) == (Phase.BEGIN, Phase.BEGIN, Phase.END)
    assert blind_from_the_start
    assert again.pts_s < 35 + 3
    assert end.pts_s > 55
    assert not run.rules.is_blind


def test_a_camera_that_was_put_right_while_nobody_looked_is_told_so_by_the_next_worker():
    run = Run()
    run.watch(15)
    run.watch(20, change=push)

    (end,) = run.watch(20)

    assert end.phase is Phase.END


@pytest.mark.parametrize(
    ("scene", "is_known"),
    [
        (Scene(zones=(replace(YARD, polygon=YARD.polygon[::-1]),)), False),
        (Scene(zones=(YARD,), masks=(Mask(key="m", name="M", polygon=YARD.polygon),)), False),
        (Scene(zones=(replace(YARD, name="Court", stopped_after_s=9.0),)), True),
        (Scene(zones=(YARD,), rules=(RuleSetting(kind="camera_moved", values={"hold_s": 5.0}),)), True),
    ],
    ids=["another outline", "another mask", "another name", "other figures"],
)
def test_what_was_learned_counts_as_long_as_the_same_is_drawn(scene, is_known):
    run = Run()
    run.watch(15)

    told_of = run.watch(25, scene=scene, change=push)

    assert [one.phase for one in told_of] == ([Phase.BEGIN] if is_known else [])


def test_a_view_that_somebody_says_is_right_is_learned_anew():
    run = Run()
    run.watch(15)
    run.watch(20, change=push)

    rules, seen = run.rules, []
    rules.forget_view()
    blind = rules.is_blind
    for pts_s, picture in filmed(60, from_s=run.now_s, change=after(run.now_s, push, until_s=run.now_s + 30)):
        seen += rules.update((), pts_s, START_AT, picture)

    assert not blind
    assert [one.phase for one in seen] == [Phase.BEGIN]
    assert seen[0].pts_s > run.now_s + 30


def test_a_row_that_cannot_be_read_is_as_none():
    run = Run()
    run.watch(15)
    (lit,) = run.view.lit
    run.view = replace(run.view, lit=(replace(lit, edges=lit.edges[:-20]),))

    assert run.watch(25, change=push) == []

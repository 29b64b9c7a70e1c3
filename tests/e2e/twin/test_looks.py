"""How every state looks, read from the pixels of real pictures: what an operator tells apart is told apart."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from core.parking.model import BayKind
from core.parking.plans import garage, open_lot
from widgets.twin.model import Cone, Detail, Options, Shown, plain_look
from widgets.twin.palette import DAY_THEME, NIGHT_THEME, palette_for
from widgets.twin.pose import Pose, framing, project
from widgets.twin.scene import KINDS, build_scene, spread
from widgets.twin.view import FIRST_POSE

SIZE = (720, 560)
LOT = open_lot("west", "Lot West", n_bays=20, bays_per_row=5)
ABOVE = Pose(azimuth_deg=0.0, elevation_deg=89.9)
THEMES = {"night": NIGHT_THEME, "day": DAY_THEME}


class Studio:
    """A scene that is drawn again and again, seen from straight above unless said otherwise."""

    def __init__(self, lots, palette):
        from widgets.twin.renderer import Renderer

        self.palette = palette
        self.options = Options(palette=palette, is_animated=False)
        self.built = self.scene = build_scene(lots)
        self.renderer = Renderer(self.options)
        self.renderer.show_scene(self.built)
        self.look = plain_look(np.full(self.scene.n_bays, Shown.FREE, np.uint8))
        self.renderer.show_bays(self.look, at_once=True)
        self.pose = self.framed(ABOVE)

    def framed(self, pose):
        return framing(self.scene.low, self.scene.high, SIZE[0] / SIZE[1], pose)

    def set(self, **options):
        self.options = replace(self.options, **options)
        self.scene = spread(self.built) if self.options.is_apart else self.built
        self.renderer.show_options(self.options)

    def show(self, shown, **said):
        """Let bays stand like this, by name; all others are free."""
        states = np.full(self.scene.n_bays, Shown.FREE, np.uint8)
        for name, state in shown.items():
            states[self.of(name)] = state
        self.look = replace(plain_look(states), **said)
        self.renderer.show_bays(self.look, at_once=True)

    def of(self, name):
        return self.scene.labels.index(name)

    def only(self, *names):
        found = np.zeros(self.scene.n_bays, dtype=bool)
        found[[self.of(name) for name in names]] = True
        return found

    def come_near(self, *names):
        """Look at these bays from straight above, so near that a line of 10 cm is broader than a pixel."""
        x, y, z = self.scene.centres[[self.of(name) for name in names]].mean(axis=0)
        self.pose = replace(self.pose, x_m=x, y_m=y, z_m=z, distance_m=26.0)

    def draw(self):
        return self.renderer.draw(self.pose, *SIZE, Detail.QUICK)[..., 2::-1].copy()

    def bay(self, name, picture=None):
        """Return one bay's part of the picture, its mouth below: shape (30, 16, 3)."""
        corners = self.scene.corners[self.of(name)]
        across, along = (np.arange(16) + 0.5) / 16, 1.0 - (np.arange(30) + 0.5) / 30
        near, far = corners[1] - corners[0], corners[3] - corners[0]
        points = corners[0] + near * across[None, :, None] + far * along[:, None, None]
        at, _ = project(self.pose, points.reshape(-1, 3), *SIZE)
        x, y = np.rint(at - 0.5).astype(int).T
        picture = self.draw() if picture is None else picture
        return picture[y, x].reshape(30, 16, 3)


@pytest.fixture(scope="module", params=list(THEMES))
def kept_studio(request):
    made = Studio([LOT], palette_for(THEMES[request.param]))
    yield made
    made.renderer.close()


@pytest.fixture
def studio(kept_studio):
    kept_studio.pose = kept_studio.framed(ABOVE)
    return kept_studio


def is_color(pixels, color, within=3):
    return (np.abs(pixels.astype(int) - np.array(color)) <= within).all(axis=-1)


def share(pixels, color):
    return float(is_color(pixels, color).mean())


def test_a_free_bay_shows_its_ground_and_an_occupied_one_a_car(studio):
    studio.show({"A05": Shown.OCCUPIED})
    picture = studio.draw()
    free, occupied = studio.bay("A04", picture), studio.bay("A05", picture)

    assert share(free, studio.palette.floor_free) > 0.8
    assert share(occupied, studio.palette.floor_free) == 0.0
    car = np.abs(occupied[8:22, 4:12].astype(int) - studio.palette.floor_occupied).sum(axis=-1)
    assert np.median(car) > 60, "a car stands over the ground"
    assert (np.abs(free.astype(int) - occupied).sum(axis=-1) > 30).mean() > 0.6


def test_every_kind_has_a_sign_of_its_own_on_the_ground_and_on_the_roof(studio):
    studio.show({})
    picture = studio.draw()
    signs = {}
    for kind in set(KINDS) - {BayKind.STANDARD}:
        bay = next(bay.label for bay in LOT.bays if bay.kind is kind)
        sign = is_color(studio.bay(bay, picture), studio.palette.kinds[kind], within=8)
        assert sign.any(), kind
        signs[kind] = sign
        studio.show({bay: Shown.OCCUPIED})
        roof = is_color(studio.bay(bay)[8:24, 4:12], studio.palette.glass, within=8)
        plain = next(bay.label for bay in LOT.bays if bay.kind is BayKind.STANDARD)
        studio.show({plain: Shown.OCCUPIED})
        assert (roof != is_color(studio.bay(plain)[8:24, 4:12], studio.palette.glass, within=8)).any(), kind
        studio.show({})
    assert all((a != b).any() for a, b in combinations(signs.values(), 2))
    standard = studio.bay(next(bay.label for bay in LOT.bays if bay.kind is BayKind.STANDARD), picture)
    assert not any(is_color(standard, color).any() for color in studio.palette.kinds.values())


def test_what_nobody_knows_is_hatched(studio):
    studio.show({"A05": Shown.UNKNOWN})
    bay = studio.bay("A05")

    assert 0.2 < share(bay, studio.palette.quality) < 0.65
    assert share(bay, studio.palette.floor_unknown) > 0.15
    stripes = is_color(bay[:, 4], studio.palette.quality)
    assert np.count_nonzero(stripes[1:] != stripes[:-1]) >= 6
    assert share(bay, studio.palette.floor_free) == 0.0


def test_what_is_old_has_a_dotted_rim_another_ground_and_a_dim_car(studio):
    studio.show({"A05": Shown.OCCUPIED}, is_stale=studio.only("A04", "A05"))
    picture = studio.draw()
    free, occupied = studio.bay("A04", picture), studio.bay("A05", picture)

    assert share(free, studio.palette.floor_stale) > 0.6
    assert share(free[6:24, 4:12], studio.palette.quality) == 0.0
    side = is_color(free[:, 0:2], studio.palette.quality).any(axis=1)
    assert 0.2 < side.mean() < 0.9, "dots, not a line"
    assert np.count_nonzero(side[1:] != side[:-1]) >= 6
    studio.show({"A05": Shown.OCCUPIED})
    fresh = studio.bay("A05")
    roof = (slice(14, 18), slice(6, 10))
    assert np.abs(occupied[roof].astype(int) - fresh[roof]).max() > 40


def test_a_closed_bay_is_crossed_out_from_corner_to_corner(studio):
    studio.show({"A05": Shown.CLOSED})
    cross = is_color(studio.bay("A05"), studio.palette.cross)

    assert cross[14:16, 7:9].any()
    assert all(
        cross[rows, columns].any() for rows in (slice(2, 8), slice(22, 28)) for columns in (slice(1, 5), slice(11, 15))
    )
    assert not cross[13:17, 0:2].any()
    assert not cross[1:4, 7:9].any()


def test_a_correction_has_a_whole_rim_and_a_pencil_on_ground_and_on_hood(studio):
    studio.come_near("A04", "A05")
    studio.show({"A05": Shown.OCCUPIED}, is_corrected=studio.only("A04", "A05"))
    picture = studio.draw()
    free, occupied = studio.bay("A04", picture), studio.bay("A05", picture)

    rim = is_color(free, studio.palette.corrected, within=8)
    assert rim[4:26, 0:4].any(axis=1).mean() > 0.9, "a line, not dots"
    assert rim[4:26, 12:16].any(axis=1).mean() > 0.9
    assert rim[1:14, 5:11].any(), "a pencil"
    studio.show({"A05": Shown.OCCUPIED})
    plain = studio.bay("A05")
    hood = (slice(3, 11), slice(4, 12))
    assert (np.abs(occupied[hood].astype(int) - plain[hood]).sum(axis=-1) > 60).any()


def test_a_vehicle_across_two_bays_is_drawn_once_over_their_line(studio):
    both = {"A04": Shown.OCCUPIED, "A05": Shown.OCCUPIED}
    first, second = studio.of("A04"), studio.of("A05")
    middle = (studio.scene.centres[first] + studio.scene.centres[second]) / 2
    at, _ = project(studio.pose, middle[None], *SIZE)
    x, y = np.rint(at[0]).astype(int)

    studio.show(both)
    apart = studio.draw()
    studio.show(both, misparked=np.array([[first, second]]))
    across = studio.draw()

    line = (slice(y - 6, y + 7), slice(x - 1, x + 2))
    assert is_color(apart[line], studio.palette.paint, within=12).any(), "two cars, and the line between them"
    assert not is_color(across[line], studio.palette.paint, within=12).any(), "one car stands on it"
    second_bay = studio.bay("A05", across)
    halves = [share(half[4:26], studio.palette.floor_occupied) for half in (second_bay[:, 1:7], second_bay[:, 9:15])]
    assert max(halves) > 0.9, "no second car"
    assert min(halves) < 0.5


def test_all_states_are_told_apart_by_more_than_their_colour(studio):
    shown = {"A04": Shown.OCCUPIED, "A05": Shown.CLOSED, "B05": Shown.UNKNOWN}
    studio.show(shown, is_stale=studio.only("A09"), is_corrected=studio.only("A10"))
    picture = studio.draw()
    greys = [studio.bay(name, picture).mean(axis=-1) for name in ("A04", "A05", "B05", "A09", "A10", "B04")]

    for a, b in combinations(greys, 2):
        assert (np.abs(a - b) > 12).mean() > 0.08


def test_a_car_drives_in_from_the_lane_and_stands_in_the_middle_at_last():
    made = Studio([LOT], palette_for(NIGHT_THEME))
    made.come_near("A04")
    made.renderer.show_options(replace(made.options, is_animated=True))
    shown = np.full(made.scene.n_bays, Shown.FREE, np.uint8)
    shown[made.of("A04")] = Shown.OCCUPIED
    empty = made.draw()
    made.renderer.show_bays(plain_look(shown), at_once=False)
    middles = []
    while made.renderer.is_moving:
        made.renderer.advance(0.15)
        rows, _ = np.nonzero((np.abs(made.draw().astype(int) - empty) > 90).any(axis=-1))
        middles.append(float(rows.mean()))
    made.renderer.close()

    bay, _ = project(made.pose, made.scene.centres[[made.of("A04")]], *SIZE)
    away = np.abs(np.array(middles) - bay[0][1])
    assert len(middles) >= 5
    assert (np.diff(away) < 1.0).all(), "nearer with every picture, never a jump back"
    assert away[0] > 40
    assert away[-1] < 12


def test_by_day_everything_is_lighter_than_by_night():
    pictures = {}
    for name, theme in THEMES.items():
        made = Studio([LOT], palette_for(theme))
        picture = made.draw()
        assert is_color(picture[1, 1], made.palette.sky).all()
        assert share(made.bay("A04", picture), made.palette.floor_free) > 0.8
        pictures[name] = picture.astype(int)
        made.renderer.close()
    assert (pictures["day"].mean(axis=-1) > pictures["night"].mean(axis=-1) + 40).mean() > 0.95


def test_shadows_lie_beside_cars_away_from_the_sun_once_they_are_wanted(studio):
    assert not Options(palette=studio.palette).has_shadows
    studio.show({"A04": Shown.OCCUPIED})
    plain = studio.draw()
    studio.set(has_shadows=True)
    shaded = studio.draw()
    studio.set(has_shadows=False)

    changed = (plain != shaded).any(axis=-1)
    assert is_color(shaded[changed], studio.palette.shade, within=6).mean() > 0.9
    at, _ = project(studio.pose, studio.scene.centres[[studio.of("A04")]], *SIZE)
    assert np.flatnonzero(changed[round(at[0][1])]).min() > at[0][0], "the sun stands in the west"
    assert (studio.draw() == plain).all()


def test_what_a_camera_sees_is_outlined_on_the_ground_from_where_it_hangs_once_that_is_wanted(studio):
    x, y = studio.scene.centres[:, :2].mean(axis=0)
    ground = tuple((x + a, y + b, 0.15) for a, b in ((-6.0, -5.0), (6.0, -5.0), (8.0, 6.0), (-8.0, 6.0)))
    cone = Cone(
        lot_id="west",
        camera_id="mast",
        name="Mast",
        apex=(x, y - 9.0, 8.0),
        ground=ground,
        height_m=8.0,
        heading_deg=0.0,
        view_angle_deg=70.0,
        tilt_deg=40.0,
    )
    lines = [*zip(ground, (*ground[1:], ground[0]), strict=True), *((cone.apex, corner) for corner in ground)]
    middles, _ = project(studio.pose, np.array(lines).mean(axis=1), *SIZE)

    def outlined(picture):
        parts = (picture[round(v) - 2 : round(v) + 3, round(u) - 2 : round(u) + 3] for u, v in middles)
        return [bool(is_color(part, studio.palette.cone, within=25).any()) for part in parts]

    studio.show({})
    without = studio.draw()
    studio.set(cones=(cone,))
    shown = studio.draw()
    studio.set(cones=())

    assert outlined(shown) == [True] * 8
    assert outlined(without) == [False] * 8
    assert (studio.draw() == without).all()


@pytest.fixture(scope="module")
def storeys():
    """A garage whose three levels stand differently: free, occupied by nobody known, closed."""
    made = Studio([garage("mall", "Mall", n_levels=3, bays_per_level=10, bays_per_row=5)], palette_for(NIGHT_THEME))
    states = {0: Shown.FREE, 1: Shown.UNKNOWN, 2: Shown.CLOSED}
    made.show({label: states[int(level)] for label, level in zip(made.scene.labels, made.scene.levels, strict=True)})
    yield made
    made.renderer.close()


def ground_of(made, level):
    palette = made.palette
    return {0: palette.floor_free, 1: palette.floor_unknown, 2: palette.floor_closed}[level]


def test_the_slicer_shows_one_level_and_nothing_of_the_others(storeys):
    storeys.pose = storeys.framed(ABOVE)
    for level in (0, 1, 2):
        storeys.set(top_level=level, is_apart=False)
        picture = storeys.draw()
        assert share(storeys.bay(f"{level}A04", picture), ground_of(storeys, level)) > 0.1
        others = {0, 1, 2} - {level}
        assert not any(is_color(picture, ground_of(storeys, other), within=0).any() for other in others)
    storeys.set(top_level=None)


def test_levels_stand_at_their_heights(storeys):
    storeys.set(top_level=None, is_apart=False)
    storeys.pose = storeys.framed(Pose(azimuth_deg=0.0, elevation_deg=6.0))
    picture = storeys.draw()
    slabs = [deck for deck in storeys.scene.decks if deck.level > 0]

    assert [deck.height_m for deck in storeys.scene.decks] == pytest.approx([6.0, 3.0, 0.0])
    for deck in slabs:
        south = deck.pad[np.argsort(deck.pad[:, 1])[:2]]
        edge = south.mean(axis=0) - np.array((0.0, 0.0, 0.27))
        at, _ = project(storeys.pose, np.array([edge, edge - (0.0, 0.0, 0.9)]), *SIZE)
        (x, y), (_, below) = np.rint(at).astype(int)
        column = picture[y - 3 : below + 3, x].astype(int)
        assert np.abs(np.diff(column.sum(axis=-1))).max() > 10, "the edge of its slab"


def test_levels_that_stand_apart_show_every_bay(storeys):
    storeys.set(is_apart=True)
    storeys.pose = storeys.framed(FIRST_POSE)
    picture = storeys.draw()

    for i, label in enumerate(storeys.scene.labels):
        ground = ground_of(storeys, int(storeys.scene.levels[i]))
        assert share(storeys.bay(label, picture), ground) > 0.1, label
    storeys.set(is_apart=False)

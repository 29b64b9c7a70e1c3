"""What the look promises: readable, told apart by everyone, alarm hues for alarms only."""

import itertools
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QLabel, QMainWindow, QPushButton, QWidget

import resources
from core.incidents.model import Priority
from widgets.base.symbols import AlarmMark, Attention, Flash, paint_mark, paint_priority
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import (
    DARK,
    DAY,
    MAX_SCALE,
    MIN_TEXT_PX,
    THEMES,
    Theme,
    apply_theme,
    body_px,
    contrast,
    look,
    palette_of,
    set_role,
    sizes_for,
    stylesheet_of,
    text_on,
    wear_sheet,
)
from widgets.video.lower_line import LowerLine

SURFACES = ("window", "panel", "raised", "hover", "pressed", "selection")
MAP_SURFACES = ("map_land", "map_water", "map_green", "map_building", "map_road", "map_road_major")
ALARMS = ("critical", "high", "medium", "low", "quality")

TEXTS = ("text", "text_secondary", "text_disabled", "quality", "focus")
"""What is written with on surfaces; "quality" says what a device's last word was, "focus" is a link."""

SYMBOLS = (*ALARMS, "shelved", "focus", "line_strong")
"""What stands as a shape on surfaces, in rows that are selected, pointed at or flash as well."""

MAP_SYMBOLS = (*ALARMS, "shelved", "focus", "map_marker")
TRACKS = ("track_car", "track_bus", "track_truck", "track_two_wheeler", "track_other", "zone")
READ_ON = {
    "on_focus": ("focus",),
    "on_picture": ("picture",),
    "on_picture_secondary": ("picture",),
    "map_label": MAP_SURFACES,
    "text": ("sky", "ground"),
}
"""What is written with on anything else than a surface."""

SEEN_ON = {"trend": (*SURFACES, "trend_band"), **dict.fromkeys(TRACKS, ("picture",))}
NEITHER = ("line", "ramp_low", "ramp_high")
"""Hairlines that nothing depends on; the ends of a scale that is read by its figures."""

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
MACHADO = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
SRGB_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.072175), (0.0193339, 0.119192, 0.9503041))


def linear(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(color, sight="normal"):
    seen = [min(1.0, max(0.0, c)) for c in times(MACHADO[sight], linear(color))]
    xyz = [v / w for v, w in zip(times(SRGB_TO_XYZ, seen), (0.95047, 1.0, 1.08883), strict=True)]
    f = [v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in xyz]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def colors_of(theme):
    return {name: value for name in Theme.__slots__ if str(value := getattr(theme, name)).startswith("#")}


both_themes = pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())


def faint(theme, inks, surfaces, least):
    """Return what has less contrast than `least`, with its ratio."""
    ratios = {(i, s): contrast(getattr(theme, i), getattr(theme, s)) for i in inks for s in surfaces}
    return {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least}


def test_every_colour_of_a_theme_has_a_part_in_these_tests():
    on_others = {name for ink, surfaces in (READ_ON | SEEN_ON).items() for name in (ink, *surfaces)}
    parts = {*SURFACES, *MAP_SURFACES, *TEXTS, *SYMBOLS, *MAP_SYMBOLS, *on_others, *NEITHER}

    assert parts == set(colors_of(DARK))


@both_themes
def test_every_text_reads_on_every_surface(theme):
    assert faint(theme, TEXTS, SURFACES, 4.5) == {}


@both_themes
@pytest.mark.parametrize("ink", READ_ON)
def test_text_reads_on_coloured_surfaces(theme, ink):
    assert faint(theme, [ink], READ_ON[ink], 4.5) == {}


@both_themes
@pytest.mark.parametrize("alarm", ALARMS)
def test_the_figure_on_an_alarm_fill_reads(theme, alarm):
    fill = getattr(theme, alarm)

    assert contrast(fill, text_on(fill)) >= 4.5


@both_themes
def test_symbols_rings_and_borders_stand_out_from_every_surface(theme):
    assert faint(theme, SYMBOLS, SURFACES, 3.0) == {}


@both_themes
def test_symbols_stand_out_from_every_part_of_the_map(theme):
    assert faint(theme, MAP_SYMBOLS, MAP_SURFACES, 3.0) == {}


@both_themes
@pytest.mark.parametrize("ink", SEEN_ON)
def test_lines_stand_out_from_what_they_are_drawn_on(theme, ink):
    assert faint(theme, [ink], SEEN_ON[ink], 3.0) == {}


@both_themes
def test_every_rule_of_the_stylesheet_writes_so_that_it_reads(theme):
    sheet = stylesheet_of(replace(look(), theme=theme))
    written = 0
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet):
        said = dict(
            re.findall(r"(?<![-\w])(color|background|selection-color|selection-background-color):\s*(#\w{6})", body)
        )
        for ink, fill in (("color", "background"), ("selection-color", "selection-background-color")):
            if ink not in said:
                continue
            # Where a rule says no background, it writes on whichever surface it stands.
            fills = [said[fill]] if fill in said else [getattr(theme, surface) for surface in SURFACES]
            if "banner" in selector:
                fills = [theme.critical]
            written += 1
            assert min(contrast(said[ink], one) for one in fills) >= 4.5, selector.strip()
    assert written > 20


@both_themes
def test_every_pair_of_the_palette_reads(theme):
    role, palette = QPalette.ColorRole, palette_of(theme)
    pairs = {
        role.WindowText: (role.Window,),
        role.Text: (role.Base, role.AlternateBase),
        role.ButtonText: (role.Button, role.Light, role.Midlight),
        role.ToolTipText: (role.ToolTipBase,),
        role.PlaceholderText: (role.Base,),
        role.HighlightedText: (role.Highlight,),
        role.Link: (role.Window, role.Base),
        role.LinkVisited: (role.Window, role.Base),
    }
    for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled):
        for ink, fills in pairs.items():
            for fill in fills:
                inks = palette.color(group, ink).name(), palette.color(group, fill).name()
                assert contrast(*inks) >= 4.5, (group.name, ink.name, fill.name)


@both_themes
@pytest.mark.parametrize("priority", Priority)
def test_the_figure_of_an_outlined_symbol_is_written_in_the_colour_of_text(theme, priority, qapp):
    made = replace(look(), theme=theme)
    picture = QImage(64, 64, QImage.Format.Format_RGB32)
    picture.fill(QColor(theme.selection))
    painter = QPainter(picture)
    paint_priority(painter, QRectF(0, 0, 64, 64), priority, made, is_hollow=True)
    painter.end()

    seen = {picture.pixelColor(x, y).name().upper() for x in range(64) for y in range(64)}

    assert theme.text in seen
    assert theme.priority(priority) in seen


def drawn(theme, mark, flash, *, is_still=False):
    picture = QImage(64, 64, QImage.Format.Format_RGB32)
    picture.fill(QColor(theme.panel))
    painter = QPainter(picture)
    paint_mark(painter, QRectF(8, 8, 48, 48), mark, replace(look(), theme=theme, is_reduced_motion=is_still), flash)
    painter.end()
    return picture


@both_themes
@pytest.mark.parametrize("priority", Priority)
def test_what_calls_what_is_over_and_what_is_acknowledged_are_marked_apart_and_flash_apart(theme, priority, qapp):
    lit = {one: drawn(theme, AlarmMark(priority, one), Flash()) for one in Attention}
    fast_dark = {one: drawn(theme, AlarmMark(priority, one), Flash(is_on=False)) for one in Attention}
    slow_dark = {one: drawn(theme, AlarmMark(priority, one), Flash(is_slow_on=False)) for one in Attention}

    assert lit[Attention.CALLING] != lit[Attention.RETURNED]
    assert {one for one in Attention if fast_dark[one] != lit[one]} == {Attention.CALLING}
    assert {one for one in Attention if slow_dark[one] != lit[one]} == {Attention.RETURNED}


@both_themes
@pytest.mark.parametrize("priority", Priority)
def test_in_reduced_motion_what_calls_what_is_over_and_what_is_acknowledged_are_three_marks(theme, priority, qapp):
    calling, over, noted = (
        drawn(theme, AlarmMark(priority, one), Flash(), is_still=True)
        for one in (Attention.CALLING, Attention.RETURNED, Attention.NONE)
    )

    assert calling != over
    assert over != noted
    assert noted != calling


@both_themes
@pytest.mark.parametrize("sight", MACHADO)
def test_priorities_are_told_apart_with_every_kind_of_sight(theme, sight):
    distances = {
        (a, b): math.dist(lab(getattr(theme, a), sight), lab(getattr(theme, b), sight))
        for a, b in itertools.combinations(ALARMS, 2)
    }

    assert min(distances.values()) >= 20, min(distances, key=distances.get)


@both_themes
def test_no_alarm_hue_is_used_for_anything_else(theme):
    def hue_and_chroma(color):
        _, a, b = lab(color)
        return math.degrees(math.atan2(b, a)), math.hypot(a, b)

    for name, color in colors_of(theme).items():
        hue, chroma = hue_and_chroma(color)
        if name in ALARMS or chroma < 18:
            continue
        # Pictures stand on black in both themes, so their alarms wear the dark theme's hues.
        beside = DARK if name.startswith(("track_", "zone", "picture", "on_picture")) else theme
        for alarm in ALARMS:
            alarm_hue, _ = hue_and_chroma(getattr(beside, alarm))
            away = abs((hue - alarm_hue + 180) % 360 - 180)
            assert away >= 25, f"{theme.key}: {name} {color} has the hue of {alarm}"


def test_the_stylesheet_template_names_no_colour_itself():
    sheet = resources.path("themes/console.qss").read_text(encoding="utf-8")

    assert "#" not in "".join(line.split("{", 1)[-1] for line in sheet.splitlines() if "{" in line)


def test_only_the_theme_sets_a_style_sheet():
    root = Path(resources.__file__).parents[1]
    files = [*(root / "widgets").rglob("*.py"), *(root / "app").rglob("*.py")]

    guilty = [file.name for file in files if "setStyleSheet(" in file.read_text(encoding="utf-8")]

    assert guilty == ["theme.py"]


@both_themes
def test_drawings_of_a_theme_wear_its_own_colours(theme):
    for file in resources.path(f"themes/{theme.key}").glob("*.svg"):
        drawn = file.read_text(encoding="utf-8")

        assert any(color in drawn for color in colors_of(theme).values()), file.name


def test_body_text_has_capitals_of_16_arc_minutes():
    # 24" FHD read from 700 mm: 92 dpi.
    assert body_px(91.8, 24.0) == 16
    assert body_px(138, 32.0) == 24
    # A notebook is nearer.
    assert body_px(116, 13.0) < body_px(116, 24.0)
    # A virtual screen that claims to be 1 mm wide.
    assert body_px(48_768, 0.05) == body_px(96, 24.0)


@pytest.mark.parametrize("scale", [0.1, 0.8, 1.0, 1.5, 2.0, 9.0])
def test_no_text_is_smaller_than_12_px_and_no_target_smaller_than_24(scale):
    sizes = sizes_for(13, scale)

    assert min(sizes.caption, sizes.small, sizes.body, sizes.title) >= MIN_TEXT_PX
    assert min(sizes.control, sizes.row) >= 24
    assert sizes.body <= 13 * MAX_SCALE


def test_another_theme_and_size_reach_what_is_already_on_the_screen(qapp, qtbot):
    button = QPushButton("Save")
    label = QLabel("Title")
    label.setProperty("role", "title")
    for widget in (button, label):
        qtbot.addWidget(widget)
        widget.show()
    was_height = button.sizeHint().height()

    apply_theme(qapp, DAY, base_px=16, scale=2.0)

    assert look().theme is DAY
    assert button.sizeHint().height() >= was_height * 1.7
    assert label.palette().windowText().color().name().upper() == DAY.text or label.font().pixelSize() >= 32


@pytest.fixture
def bare_application(qapp):
    """As in the console, where the window wears the style sheet."""
    qapp.setStyleSheet("")
    yield
    apply_theme(qapp, DARK, base_px=16)


@pytest.mark.usefixtures("bare_application")
def test_what_is_made_outside_the_window_wears_its_style_sheet_once_it_stands_in_it(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    wear_sheet(window)
    page = QWidget()
    line = LowerLine(page)
    label = QLabel("Title", page)
    set_role(label, "title")
    table = TextTable("Facts", (Column(title="What"), Column(title="Value")), page)
    table.show_lines([Line(key="a", cells=("Height", "3 m"))])
    table.set_fitting(4)
    plain = table.height(), line.minimumHeight(), label.fontInfo().pixelSize()

    window.setCentralWidget(page)
    window.show()
    worn = table.height(), line.minimumHeight(), label.fontInfo().pixelSize()
    table.set_fitting(4)
    made_inside = LowerLine(page)

    assert label.fontInfo().pixelSize() == look().sizes.title
    assert worn == (table.height(), made_inside.minimumHeight(), look().sizes.title)
    assert all(one != other for one, other in zip(plain, worn, strict=True))


def test_a_focus_ring_moves_nothing(qtbot):
    button = QPushButton("Save")
    qtbot.addWidget(button)
    button.show()
    calm = button.sizeHint()

    button.setFocus()
    qtbot.waitUntil(button.hasFocus)

    assert button.sizeHint() == calm


def test_priorities_have_their_own_colours():
    assert len({DARK.priority(priority) for priority in Priority}) == 4
    assert DARK.priority(Priority.CRITICAL) == DARK.critical

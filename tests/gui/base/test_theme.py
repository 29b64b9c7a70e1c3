"""What the look promises: readable, told apart by everyone, alarm hues for alarms only."""

import itertools
import math
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPushButton

import resources
from core.incidents.model import Priority
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
    sizes_for,
    text_on,
)

SURFACES = ("window", "panel", "raised", "hover", "pressed", "selection")
ALARMS = ("critical", "high", "medium", "low", "quality")

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


@both_themes
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("ink", ["text", "text_secondary", "text_disabled"])
def test_every_text_reads_on_every_surface(theme, surface, ink):
    if (ink, surface) in {("text_disabled", "selection"), ("text_disabled", "hover")}:
        # Disabled text is on neither: a disabled row cannot be selected or pointed at.
        assert contrast(getattr(theme, ink), getattr(theme, surface)) >= 3.0
        return
    assert contrast(getattr(theme, ink), getattr(theme, surface)) >= 4.5


@both_themes
@pytest.mark.parametrize(
    ("ink", "surface"),
    [
        ("on_focus", "focus"),
        ("on_picture", "picture"),
        ("on_picture_secondary", "picture"),
        ("map_label", "map_land"),
        ("map_label", "map_water"),
        ("map_label", "map_building"),
    ],
)
def test_text_reads_on_coloured_surfaces(theme, ink, surface):
    assert contrast(getattr(theme, ink), getattr(theme, surface)) >= 4.5


@both_themes
@pytest.mark.parametrize("alarm", ALARMS)
def test_the_figure_on_an_alarm_fill_reads(theme, alarm):
    fill = getattr(theme, alarm)

    assert contrast(fill, text_on(fill)) >= 4.5


@both_themes
@pytest.mark.parametrize("alarm", [*ALARMS, "shelved", "focus", "line_strong"])
@pytest.mark.parametrize("surface", ["window", "panel", "raised"])
def test_symbols_rings_and_borders_stand_out_from_every_surface(theme, alarm, surface):
    assert contrast(getattr(theme, alarm), getattr(theme, surface)) >= 3.0


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

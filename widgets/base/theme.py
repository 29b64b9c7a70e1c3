"""Tokens of the look, and the one stylesheet and palette that are made of them.

No other file sets a style sheet (the sheet itself is resources/themes/console.qss). A widget says what it is by a
dynamic property (`role="primary"`) or an object name; what it paints itself it takes from `look()`, and paints anew on
`QEvent.Type.StyleChange`.

Roles that the stylesheet knows:
    QLabel: title, heading, secondary, caption, mono, clock, chip
    QPushButton, QToolButton: primary, quiet, flat, hold, gauge (paints itself), icon (no text)
    QFrame, QWidget: panel, raised, card, strip, banner, toast, field-error, line
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from string import Template

from PySide6.QtCore import QObject
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette, QScreen
from PySide6.QtWidgets import QApplication, QStyleFactory, QWidget

import resources
from core.incidents.model import Priority

_LOOK_PROPERTY = "watchfloor_look"

MIN_TEXT_PX = 12
MIN_SCALE, MAX_SCALE = 0.8, 2.0
CAPITAL_ARCMIN = 16.0
"""Height of a capital letter as the operator's eye sees it; ISO 9241-303 asks for 16 to 20."""

CAPITAL_PER_EM = 0.727
"""Height of a capital letter of Inter, in parts of the font's size."""

SANS_FAMILIES = ("Inter", "IBM Plex Sans", "Noto Sans", "DejaVu Sans")
MONO_FAMILIES = ("JetBrains Mono", "IBM Plex Mono", "DejaVu Sans Mono", "Noto Sans Mono")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Every colour of the program, as #RRGGBB.

    Attributes:
        window, panel, raised: Surfaces, from the back to the front.
        hover, pressed, selection: What a surface turns into under the pointer, while held, and when selected.
        line, line_strong: Hairlines between things, and borders of things one can use (3:1 against their surface).
        critical, high, medium, low, quality: Alarm hues; nothing else may use them.
        shelved: Hollow symbols of what is shelved, out of service or suppressed.
        focus: Focus ring, selection ring, links, the one accent.
        picture: Behind a video picture, and plates over it, with `on_picture` text; the same in both themes.
        track_*: Boxes on the picture by class; told apart by line style as well.
        map_*: The desaturated basemap.
        sky, ground: Of an artificial horizon; they differ in lightness.
        ramp_low, ramp_high: Ends of the scale along which a track is coloured.
    """

    key: str
    is_dark: bool
    window: str
    panel: str
    raised: str
    hover: str
    pressed: str
    selection: str
    line: str
    line_strong: str
    text: str
    text_secondary: str
    text_disabled: str
    critical: str
    high: str
    medium: str
    low: str
    quality: str
    shelved: str
    focus: str
    on_focus: str
    picture: str = "#0B0E11"
    on_picture: str = "#E4E8EB"
    on_picture_secondary: str = "#B3BBC3"
    track_car: str = "#E9EEF2"
    track_bus: str = "#9CC7F7"
    track_truck: str = "#B9C4F2"
    track_two_wheeler: str = "#C9D6E2"
    track_other: str = "#AEB8C2"
    zone: str = "#C3CCD5"
    map_land: str = "#1A1F24"
    map_water: str = "#222D37"
    map_green: str = "#20272A"
    map_building: str = "#252B31"
    map_road: str = "#353D45"
    map_road_major: str = "#3E4750"
    map_label: str = "#B3BBC3"
    map_marker: str = "#C3CCD5"
    trend: str = "#A9BDD1"
    trend_band: str = "#3A4753"
    sky: str = "#3D5266"
    ground: str = "#24272A"
    ramp_low: str = "#4C6A86"
    ramp_high: str = "#EAF2F9"

    def priority(self, priority: Priority) -> str:
        """Return the hue of an alarm priority."""
        return (self.critical, self.high, self.medium, self.low)[priority - 1]


DARK = Theme(
    key="dark",
    is_dark=True,
    window="#14181C",
    panel="#1C2126",
    raised="#262C32",
    hover="#2C333A",
    pressed="#20262B",
    selection="#2A3A49",
    line="#30373E",
    line_strong="#7D8893",
    text="#E4E8EB",
    text_secondary="#B3BBC3",
    text_disabled="#9AA3AC",
    critical="#FC586E",
    high="#DD863B",
    medium="#FADB3F",
    low="#8FDCE1",
    quality="#DA7CF8",
    shelved="#A9B1BA",
    focus="#7CC4FF",
    on_focus="#10161B",
)

DAY = Theme(
    key="day",
    is_dark=False,
    window="#E6EAED",
    panel="#F3F5F7",
    raised="#FFFFFF",
    hover="#E9EDF1",
    pressed="#DDE3E8",
    selection="#D5E3F6",
    line="#D0D6DC",
    line_strong="#76808A",
    text="#171C21",
    text_secondary="#48525B",
    text_disabled="#59636C",
    critical="#D31854",
    high="#8C2A00",
    medium="#947A00",
    low="#036689",
    quality="#9F0BC8",
    shelved="#5A646D",
    focus="#1F5AC8",
    on_focus="#FFFFFF",
    map_land="#E9ECEE",
    map_water="#D6E0E8",
    map_green="#DFE6E1",
    map_building="#DFE4E8",
    map_road="#FFFFFF",
    map_road_major="#F9FAFB",
    map_label="#48525B",
    map_marker="#3A444D",
    trend="#62737F",
    trend_band="#C9D5E0",
    sky="#C6D8E8",
    ground="#A7A29B",
    ramp_low="#8FA9C2",
    ramp_high="#12263A",
)

THEMES = {theme.key: theme for theme in (DARK, DAY)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Text and spaces in device-independent pixels.

    Attributes:
        caption .. display: Font sizes, never below 12.
        gap: One step of the spacing scale (2 at 80 %, 4 at 100 %); spaces are multiples of it.
        control: Height of a button or field; at least 24, 32 by default (WCAG 2.5.8).
        row: Height of a row in a list.
        icon: Edge of an icon in a button.
    """

    caption: int
    small: int
    body: int
    title: int
    heading: int
    display: int
    gap: int
    radius: int
    control: int
    row: int
    icon: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a widget needs to paint itself.

    Attributes:
        is_reduced_motion: Nothing flashes; a double outline says the same.
        sans, mono: Families that this machine has.
    """

    theme: Theme
    sizes: Sizes
    sans: str
    mono: str
    scale: float = 1.0
    is_reduced_motion: bool = False

    def color(self, token: str) -> QColor:
        """Return a token's colour by name, e.g. "text_secondary"."""
        return QColor(getattr(self.theme, token))

    def font(self, size_px: int | None = None, *, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
        """Return the text font with figures of equal width; body size where none is given."""
        return _font(self.sans, size_px or self.sizes.body, weight)

    def mono_font(self, size_px: int | None = None) -> QFont:
        """Return the font of ids and times; body size where none is given."""
        return _font(self.mono, size_px or self.sizes.body, QFont.Weight.Normal)


def _font(family: str, size_px: int, weight: QFont.Weight) -> QFont:
    # A copy: whoever asks may change it. Making one anew takes longer than painting a word with it.
    return QFont(_made_font(family, size_px, weight))


@lru_cache(maxsize=256)
def _made_font(family: str, size_px: int, weight: QFont.Weight) -> QFont:
    font = QFont(family)
    font.setPixelSize(size_px)
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def body_px(dots_per_inch: float, diagonal_inch: float) -> int:
    """Return the font size whose capitals are 16 arc minutes high where the operator sits.

    Args:
        dots_per_inch: Physical, per device-independent pixel.
        diagonal_inch: Of the screen. A desk monitor is read from 700 mm, anything below 20 inches from 500 mm.

    Returns:
        Between 13 and 32 px. A screen that lies about its size (a virtual one, some projectors) counts as 96 dpi.
    """
    is_plausible = 60.0 <= dots_per_inch <= 320.0
    dpi = dots_per_inch if is_plausible else 96.0
    distance_mm = 500.0 if is_plausible and diagonal_inch < 20.0 else 700.0
    capital_mm = distance_mm * math.tan(math.radians(CAPITAL_ARCMIN / 60.0))
    return max(13, min(32, round(capital_mm / 25.4 * dpi / CAPITAL_PER_EM)))


def sizes_for(base_px: int, scale: float) -> Sizes:
    """Return the sizes for a body text of `base_px` and the operator's own scale, kept within 80 and 200 %."""
    kept = max(MIN_SCALE, min(MAX_SCALE, scale))
    body = max(MIN_TEXT_PX, round(base_px * kept))

    def text(factor: float) -> int:
        return max(MIN_TEXT_PX, round(body * factor))

    return Sizes(
        caption=text(0.80),
        small=text(0.88),
        body=body,
        title=text(1.14),
        heading=text(1.45),
        display=text(2.0),
        gap=max(2, round(4 * kept)),
        radius=max(2, round(3 * kept)),
        control=max(24, round(body * 2.0)),
        row=max(24, round(body * 2.0)),
        icon=max(14, round(body * 1.1)),
    )


def first_family(wanted: tuple[str, ...]) -> str:
    """Return the first of these families that is installed; the last one where none is."""
    installed = set(QFontDatabase.families())
    return next((family for family in wanted if family in installed), wanted[-1])


def look() -> Look:
    """Return the look of the running application; dark at 100 % before `apply_theme` was called."""
    app = QApplication.instance()
    kept = app.property(_LOOK_PROPERTY) if app is not None else None
    if isinstance(kept, Look):
        return kept
    return Look(theme=DARK, sizes=sizes_for(16, 1.0), sans=SANS_FAMILIES[-1], mono=MONO_FAMILIES[2])


def picture_look() -> Look:
    """Return the look of what is painted onto pictures: dark in every theme, because pictures stand on black."""
    made = look()
    return made if made.theme.is_dark else replace(made, theme=DARK)


def apply_theme(
    app: QApplication,
    theme: Theme = DARK,
    *,
    scale: float = 1.0,
    is_reduced_motion: bool = False,
    base_px: int | None = None,
) -> Look:
    """Dress the whole application: `take_look`, and the style sheet on everything."""
    made = take_look(app, theme, scale=scale, is_reduced_motion=is_reduced_motion, base_px=base_px)
    wear_sheet(app)
    return made


def take_look(
    app: QApplication,
    theme: Theme = DARK,
    *,
    scale: float = 1.0,
    is_reduced_motion: bool = False,
    base_px: int | None = None,
) -> Look:
    """Give the application a look, without the style sheet; see `wear_sheet`.

    Args:
        app: Its palette, font and style are replaced.
        theme: One of `THEMES`.
        scale: The operator's own, 0.8 to 2.0.
        is_reduced_motion: Nothing flashes.
        base_px: Body text at 100 %; measured on the primary screen where None.
    """
    _load_shipped_fonts()
    size_px = base_px if base_px is not None else _screen_body_px(QGuiApplication.primaryScreen())
    made = Look(
        theme=theme,
        sizes=sizes_for(size_px, scale),
        sans=first_family(SANS_FAMILIES),
        mono=first_family(MONO_FAMILIES),
        scale=max(MIN_SCALE, min(MAX_SCALE, scale)),
        is_reduced_motion=is_reduced_motion,
    )
    app.setProperty(_LOOK_PROPERTY, made)
    app.setStyle(QStyleFactory.create("Fusion"))
    app.setFont(made.font())
    app.setPalette(palette_of(theme))
    return made


def wear_sheet(wearer: QApplication | QWidget) -> None:
    """Put the style sheet on a window and what stands in it, or on the application.

    What a window wears is looked up once, when something is put into it. The application's is looked up for everything
    below whatever changes its parent: four times for a field of a form on a page of a panel, a second for all panels.
    """
    wearer.setStyleSheet(stylesheet_of(look()))


def dress_dock_manager(manager: QWidget) -> None:
    """Let a QtAds dock manager wear the application's look instead of its own style sheet."""
    manager.setStyleSheet("")


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget a role of the stylesheet, also after it was shown."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    repolish(widget)


def repolish(widget: QWidget) -> None:
    """Have the stylesheet look at the widget's properties again."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def _screen_body_px(screen: QScreen | None) -> int:
    if screen is None:
        return 16
    size_mm = screen.physicalSize()
    return body_px(screen.physicalDotsPerInch(), math.hypot(size_mm.width(), size_mm.height()) / 25.4)


def _load_shipped_fonts() -> None:
    """Register the fonts in resources/fonts, once for each application."""
    app = QApplication.instance()
    if app is None or app.property("watchfloor_fonts_loaded"):
        return
    app.setProperty("watchfloor_fonts_loaded", True)
    try:
        folder = resources.path("fonts")
    except FileNotFoundError:
        return
    for file in sorted((*folder.glob("*.ttf"), *folder.glob("*.otf"))):
        QFontDatabase.addApplicationFont(str(file))


def luminance(color: str) -> float:
    """Return the relative luminance of #RRGGBB, 0..1 (WCAG 2.2)."""
    channels = [int(color[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of two colours, 1..21 (WCAG 2.2)."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=256)
def text_on(fill: str) -> str:
    """Return black or white, whichever reads better on an alarm fill."""
    return max(("#0B0E11", "#FFFFFF"), key=lambda ink: contrast(fill, ink))


def palette_of(theme: Theme) -> QPalette:
    """Return the palette that Fusion draws with where the stylesheet says nothing."""
    palette = QPalette()
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.raised,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.text_disabled,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.text,
        role.Light: theme.hover,
        role.Midlight: theme.raised,
        role.Mid: theme.line,
        role.Dark: theme.line,
        role.Shadow: theme.window,
        role.Highlight: theme.selection,
        role.HighlightedText: theme.text,
        role.Link: theme.focus,
        role.LinkVisited: theme.focus,
        role.Accent: theme.focus,
    }
    for name, color in colors.items():
        palette.setColor(name, QColor(color))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.text_disabled))
    return palette


def stylesheet_of(made: Look) -> str:
    """Return the one stylesheet of the program."""
    theme, sizes = made.theme, made.sizes
    values: dict[str, object] = {name: getattr(theme, name) for name in theme.__slots__}
    values |= {f"px_{name}": f"{getattr(sizes, name)}px" for name in sizes.__slots__}
    values |= {f"gap{n}": f"{sizes.gap * n}px" for n in (1, 2, 3, 4, 6)}
    values |= {
        "sans": made.sans,
        "mono": made.mono,
        "on_critical": text_on(theme.critical),
        "icons": _theme_folder(theme).as_posix(),
        # A focus ring of 2 px instead of a border of 1 px must not move anything.
        "px_field": f"{sizes.control - 4}px",
        "pad_button": f"1px {sizes.gap * 3}px",
        "pad_button_focus": f"0px {sizes.gap * 3 - 1}px",
        "pad_field": f"1px {sizes.gap * 2}px",
        "pad_field_focus": f"0px {sizes.gap * 2 - 1}px",
        # Qt keeps 3 px free beside the text of a cell; headings begin where the texts below them begin.
        "pad_head": f"{sizes.gap * 2 + 3}px",
        "px_scroll": f"{max(10, round(sizes.body * 0.7))}px",
        "px_tab": f"{round(sizes.body * 1.75)}px",
    }
    return Template(resources.path("themes/console.qss").read_text(encoding="utf-8")).substitute(values)


def _theme_folder(theme: Theme) -> Path:
    return resources.path(f"themes/{theme.key}")


def children_with_role(root: QObject, role: str) -> list[QWidget]:
    """Return the widgets below `root` that carry a role."""
    return [child for child in root.findChildren(QWidget) if child.property("role") == role]

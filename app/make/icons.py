"""Draw the icons: `python app/make/icons.py` writes resources/icons.

One-colour SVGs on a grid of 24, and the program's own icon. Strokes only, two wide, round ends;
whoever shows one gives it its colour.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

OUT = Path(__file__).resolve().parents[2] / "resources" / "icons"
APP_SIDES_PX = (256, 64, 32)


def rect(x: float, y: float, width: float, height: float, radius: float = 1.5) -> str:
    """Return a rectangle."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def circle(x: float, y: float, radius: float) -> str:
    """Return a ring."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}"/>'


def dot(x: float, y: float, radius: float = 1.2) -> str:
    """Return a filled disc."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="#000" stroke="none"/>'


def path(data: str) -> str:
    """Return a line."""
    return f'<path d="{data}"/>'


def grid(n: int) -> str:
    """Return n by n tiles."""
    gap = 2.6 if n < 4 else 2.2
    side = (18 - gap * (n - 1)) / n
    places = [3 + k * (side + gap) for k in range(n)]
    if n < 3:
        return "".join(rect(x, y, side, side, 1) for y in places for x in places)
    # Rings so small would close up.
    return "".join(
        f'<rect x="{x - 0.6:g}" y="{y - 0.6:g}" width="{side + 1.2:g}" height="{side + 1.2:g}" rx="0.8" '
        'fill="#000" stroke="none"/>'
        for y in places
        for x in places
    )


SPEAKER = "M4 9.5v5h3.5L12 18.5v-13L7.500 9.500z"
ICONS = {
    "camera": rect(2.5, 7, 12.5, 10) + path("M15 11l6.500-3.500v9L15 13"),
    "station": path("M12 21V10M8 21h8M7.800 13.200a6 6 0 0 1 0-8.400M16.200 4.800a6 6 0 0 1 0 8.400") + dot(12, 9, 2),
    "lot": rect(3, 3, 18, 18, 3) + path("M9.500 17V7h3.500a3 3 0 0 1 0 6.200H9.500"),
    "drone": circle(5, 6, 2.5) + circle(19, 6, 2.5) + circle(5, 18, 2.5) + circle(19, 18, 2.5)
    + path("M7 8l3 2.500M17 8l-3 2.500M7 16l3-2.500M17 16l-3-2.500") + rect(9.5, 9.5, 5, 5),
    "device": rect(6, 6, 12, 12) + path("M9.500 2.500V6M14.500 2.500V6M9.500 18v3.500M14.500 18v3.500")
    + path("M2.500 9.500H6M2.500 14.500H6M18 9.500h3.500M18 14.500h3.500"),
    "map": path("M3 6.500l6-2.500 6 2.500 6-2.500v13.500l-6 2.500-6-2.500-6 2.500zM9 4v13.500M15 6.500V20"),
    "alarm": path("M6 16.500v-5.500a6 6 0 0 1 12 0v5.500l1.800 1.500H4.200zM10 20.500a2.200 2.200 0 0 0 4 0M12 5V3"),
    "health": path("M2.500 12.500H7l2.500-6.500 4.500 12 2.500-5.500h5"),
    "lock": rect(4.5, 10.5, 15, 10, 2) + path("M8 10.500V7.500a4 4 0 0 1 8 0v3") + dot(12, 15.5, 1.5),
    "unlock": rect(4.5, 10.5, 15, 10, 2) + path("M8 10.500V7.500a4 4 0 0 1 7.600-1.800") + dot(12, 15.5, 1.5),
    "sound": path(SPEAKER + "M15.500 9a4.200 4.200 0 0 1 0 6M18 6a8.500 8.500 0 0 1 0 12"),
    "mute": path(SPEAKER + "M16 9.500l5 5M21 9.500l-5 5"),
    "add": path("M12 4.500v15M4.500 12h15"),
    "remove": path("M4 6.500h16M9 6.500V4h6v2.500M6.500 6.500L7.300 20h9.400l.8-13.500")
    + path("M10 10.500v5.500M14 10.500v5.500"),
    "search": circle(10.5, 10.5, 6.5) + path("M15.500 15.500L21 21"),
    "play": path("M7 4.500l12 7.500-12 7.500z"),
    "pause": path("M8 5v14M16 5v14"),
    "grid-1": grid(1),
    "grid-4": grid(2),
    "grid-9": grid(3),
    "grid-16": grid(4),
    "warning": path("M12 3.500L2.500 20h19zM12 10v4.500") + dot(12, 17.2),
    "person": circle(12, 8, 4) + path("M4.500 20.500a7.500 6.500 0 0 1 15 0"),
    "refresh": path("M19.500 12a7.500 7.500 0 1 1-2.200-5.300L20 9.400M20 4v5.400h-5.400"),
    "link": path("M10 14a4.300 4.300 0 0 0 6.200.3l3.300-3.300a4.300 4.300 0 0 0-6.100-6.100L12 6.300")
    + path("M14 10a4.300 4.300 0 0 0-6.200-.3L4.500 13a4.300 4.300 0 0 0 6.100 6.100L12 17.700"),
    "eye": path("M2.500 12C5 7.500 8.500 5.500 12 5.500s7 2 9.500 6.500")
    + path("M21.500 12c-2.500 4.500-6 6.500-9.500 6.500S5 16.500 2.500 12")
    + circle(12, 12, 3),
    "box": path("M3 8V4.500A1.500 1.500 0 0 1 4.500 3H8M16 3h3.500A1.500 1.500 0 0 1 21 4.500V8")
    + path("M21 16v3.500a1.500 1.500 0 0 1-1.500 1.500H16M8 21H4.500A1.500 1.500 0 0 1 3 19.500V16")
    + rect(8, 8, 8, 8, 1),
    "close": path("M5.500 5.500l13 13M18.500 5.500l-13 13"),
    "check": path("M4.500 12.500l5 5 10-11"),
    "clock": circle(12, 12, 9) + path("M12 6.500V12l4 2.500"),
    "settings": path("M4 7h9M18 7h2M4 17h2M11 17h9") + circle(15.5, 7, 2.5) + circle(8.5, 17, 2.5),
    "previous": path("M14.500 5l-7 7 7 7"),
    "next": path("M9.500 5l7 7-7 7"),
    "expand": path("M9 3.500H3.500V9M15 3.500h5.500V9M9 20.500H3.500V15M15 20.500h5.500V15"),
    "database": path("M4.500 5.500v13c0 1.700 3.400 3 7.500 3s7.500-1.300 7.500-3v-13")
    + path("M4.500 12c0 1.700 3.400 3 7.500 3s7.500-1.300 7.500-3")
    + '<ellipse cx="12" cy="5.500" rx="7.500" ry="3"/>',
    "undo": path("M8.500 4.500L4 9l4.500 4.500M4 9h10a6 6 0 0 1 0 12h-3.500"),
    "redo": path("M15.500 4.500L20 9l-4.500 4.500M20 9H10a6 6 0 0 0 0 12h3.500"),
    "fit": rect(3, 5, 18, 14) + path("M7 11V9h3M17 13v2h-3"),
    "bay": path("M6 20V4M18 20V4M6 4h12") + path("M10 16v-7h2.500a2 2 0 0 1 0 4H10"),
    "bay-row": path("M3 19V5M9 19V5M15 19V5M21 19V5M3 5h18"),
    "scene-select": path("M5 3.500l14 7.500-6.200 1.800L9.500 19z"),
    "scene-zone": path("M5 7.500l13-3 2.500 12L9 20z")
    + dot(5, 7.5, 2)
    + dot(18, 4.5, 2)
    + dot(20.5, 16.5, 2)
    + dot(9, 20, 2),
    "scene-line": path("M3.500 17.500L20.500 6.500M14.500 18.500l-4-6.500M14.700 14.800l-.2 3.700-3.500-1.200"),
    "scene-lane": path("M8.500 3.500L4 20.500M15.500 3.500L20 20.500M12 19V6M9.500 8.500L12 6l2.500 2.500"),
    "scene-privacy": '<rect x="4" y="5" width="16" height="14" rx="1.500" fill="#000"/>',
    "scene-ignore": rect(4, 5, 16, 14) + path("M4.500 13L12 5.500M7 18.500L19.500 6M14 18.500l6-6"),
    "scene-road": path("M12 3v18M3 12h18") + circle(12, 12, 4.5),
    "traffic": rect(8, 2.5, 8, 19, 4) + dot(12, 7, 1.6) + dot(12, 12, 1.6) + dot(12, 17, 1.6),
}  # fmt: skip

APP_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">
<rect x="8" y="8" width="240" height="240" rx="52" fill="#1C2126"/>
<rect x="11" y="11" width="234" height="234" rx="49" fill="none" stroke="#3B444C" stroke-width="6"/>
<rect x="42" y="42" width="108" height="108" rx="12" fill="#2E363D"/>
<path d="M42 118l34-30 26 22 22-16 26 22v22a12 12 0 0 1-12 12H54a12 12 0 0 1-12-12z" fill="#46515B"/>
<path d="M60 84V66a6 6 0 0 1 6-6h18M108 60h18a6 6 0 0 1 6 6v18M132 108v18a6 6 0 0 1-6 6h-18M84 132H66a6 6 0 0 1-6-6v-18"
 fill="none" stroke="#7CC4FF" stroke-width="11" stroke-linecap="round"/>
<circle cx="96" cy="96" r="11" fill="#7CC4FF"/>
<rect x="166" y="42" width="48" height="48" rx="10" fill="#46515B"/>
<rect x="166" y="102" width="48" height="48" rx="10" fill="#5D6A76"/>
<rect x="42" y="166" width="48" height="48" rx="10" fill="#5D6A76"/>
<rect x="102" y="166" width="48" height="48" rx="10" fill="#46515B"/>
<rect x="166" y="166" width="48" height="48" rx="10" fill="#E4E8EB"/>
</svg>
"""


def main() -> None:
    """Write the files."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, shapes in ICONS.items():
        (OUT / f"{name}.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#000" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round">{shapes}</svg>\n',
            encoding="utf-8",
        )
    (OUT / "watchfloor.svg").write_text(APP_ICON, encoding="utf-8")
    _application = QGuiApplication([])
    renderer = QSvgRenderer(QByteArray(APP_ICON.encode()))
    for side_px in APP_SIDES_PX:
        image = QImage(side_px, side_px, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        with QPainter(image) as painter:
            renderer.render(painter, QRectF(0, 0, side_px, side_px))
        image.save(str(OUT / f"watchfloor-{side_px}.png"))


if __name__ == "__main__":
    main()

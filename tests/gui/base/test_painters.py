"""A painter that is not ended lives on in the exception that ended its paint event, and ends the program with it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = sorted(path for folder in ("app", "widgets") for path in (ROOT / folder).rglob("*.py"))


def painters_left_open(source):
    """Return the lines where a painter is made by something else than a `with`."""
    tree = ast.parse(source)
    held = {id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "QPainter"
        and id(node) not in held
    ]


def test_every_painter_is_ended_whatever_happens():
    assert len(CODE) > 200
    found = {str(path.relative_to(ROOT)): painters_left_open(path.read_text(encoding="utf-8")) for path in CODE}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("line", ["painter = QPainter(self)", "painter, made = QtGui.QPainter(self), look()"])
def test_one_that_is_not_is_found(line):
    assert painters_left_open(f"def paint(self):\n    {line}\n    painter.end()\n") == [2]

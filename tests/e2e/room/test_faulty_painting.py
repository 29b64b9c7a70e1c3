"""A window whose painting fails goes on: on a real screen, where it is sized anew all the time."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

FAULTY = """
import os, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from widgets.base.sparkline import Sparkline
from widgets.base.theme import DARK, take_look

n_faults, n_turns = 0, 0

def take(kind, error, trace):
    global n_faults, last
    n_faults, last = n_faults + 1, error

sys.excepthook = take
app = QApplication([])
take_look(app, DARK)
top = QWidget()
places = QVBoxLayout(top)
lines = [Sparkline("faulty", 60.0) for _ in range(4)]
for line in lines:
    line.add(1.0, 2.0)
    # No painter knows what to do with this.
    line.add(2.0, None)
    places.addWidget(line)
top.show()

def turn():
    global n_turns
    n_turns += 1
    top.resize(300 + n_turns % 50, 300 + n_turns % 40)
    for line in lines:
        line.update()
    if n_turns == 100:
        app.quit()

timer = QTimer()
timer.timeout.connect(turn)
timer.start(5)
app.exec()
print(n_faults, flush=True)
os._exit(0)
"""


def test_a_window_in_which_every_painting_fails_goes_on():
    done = subprocess.run(
        [sys.executable, "-c", FAULTY],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "xcb"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 100

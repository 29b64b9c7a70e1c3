"""Runs first in every frozen process: programs that are not ours must not load the libraries that we brought along.

PyInstaller's start program points LD_LIBRARY_PATH at our libraries and restarts itself. Inherited by the system's
Mosquitto, that makes it load a libssl of another distribution, which fails on some machines and not on ours. Our own
children set it again for themselves, once they are told to start afresh.

Source: PyInstaller manual, "LD_LIBRARY_PATH / LIBPATH considerations" and PYINSTALLER_RESET_ENVIRONMENT.
"""

import os
import sys

if sys.platform != "win32":
    os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"
if sys.platform.startswith("linux"):
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = original

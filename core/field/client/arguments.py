"""The arguments of a field client; light, so that a program can offer them before it needs anything of it."""

from __future__ import annotations

import argparse
from pathlib import Path

PASSWORD_VARIABLE = "WATCHFLOOR_FIELD_PASSWORD"  # noqa: S105 - the name of a variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of a field client."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML; arguments beat them")
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="where the broker listens")
    parser.add_argument("--tenant", help="the site's part of the topics")
    parser.add_argument("--username", help=f"at the broker; the password comes from {PASSWORD_VARIABLE}")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="speak TLS and trust this authority")
    parser.add_argument("--cert", type=Path, metavar="FILE", help="our certificate")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key")
    parser.add_argument("--id", metavar="GROUP/DEVICE", help="as the topics begin")
    parser.add_argument("--kind", help="device kind: station, lot, edge-camera, …")
    parser.add_argument("--name", help="as people call it")
    parser.add_argument("--location", metavar="LAT,LON", help="where it stands, WGS-84 degrees")
    parser.add_argument("--memory", type=Path, metavar="FILE", help="keeps what is not stored yet over a power cut")
    parser.add_argument("--simulate", metavar="KIND", help="measure something made up: station, lot, camera, …")
    parser.add_argument("--count", type=int, metavar="N", help="so many simulated devices")
    parser.add_argument("--period", type=float, metavar="SECONDS", help="between two simulated measurements")
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS", help="end by itself")

"""What the edge client's command line takes; in a file of its own, so that naming the verb imports nothing else."""

from __future__ import annotations

import argparse
from pathlib import Path

KEY_VARIABLE = "WATCHFLOOR_EDGE_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the edge client; each argument beats the file."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    parser.add_argument("--to", metavar="ADDRESS", help="the gateway, like https://node.example:8480")
    parser.add_argument("--lot", metavar="ID", help="the lot that the camera looks at")
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="picamera, webcam:0, rtsp://…, clip:FILE, folder:PATH (its newest picture) or replay:PATH (one by one)",
    )
    parser.add_argument("--period", type=float, metavar="SECONDS", help="between two pictures; default 2")
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help=f"holds the device key; the variable {KEY_VARIABLE} beats it"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="whom to trust, where the site signs for itself")
    parser.add_argument(
        "--spool", type=Path, metavar="FOLDER", help="keep here what could not be sent, and send it afterwards"
    )
    parser.add_argument("--spool-mb", type=float, metavar="MB", help="at most so much of it; default 200")
    parser.add_argument("--loop", action="store_true", help="begin a clip or replay again at its end")
    parser.add_argument("--count", type=int, metavar="N", help="end after so many pictures")
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS", help="end by itself")

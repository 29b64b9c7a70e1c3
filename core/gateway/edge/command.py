"""`main.py edge-client`, also `python -m core.gateway.edge`: post an edge camera's pictures until told to end."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from types import FrameType

from core.gateway.edge.arguments import add_arguments
from core.gateway.edge.client import Camera, EdgeClient, Sender
from core.gateway.edge.settings import EdgeSettings, settings_of
from core.gateway.edge.sources import open_source
from core.gateway.edge.spool import Spool
from core.kernel.errors import BadInputError, ConsoleError

EXIT_OK, EXIT_FAILED = 0, 1


def run_edge_client(options: argparse.Namespace) -> int:
    """Run until the source ends, the time is over, or a signal comes; fails where nothing was taken in.

    Raises:
        ConsoleError: The settings cannot be used.
    """
    settings = settings_of(options)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    client = make_client(settings)

    def end(_number: int, _frame: FrameType | None) -> None:
        client.stop_soon()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        figures = client.run(n_most=options.count, for_s=options.for_s)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return EXIT_OK if figures.n_sent else EXIT_FAILED


def make_client(settings: EdgeSettings) -> EdgeClient:
    """Put an edge client together.

    Raises:
        BadInputError: A folder or a certificate cannot be used.
    """
    spool = None
    if settings.spool is not None:
        try:
            spool = Spool(settings.spool, max_bytes=round(settings.spool_mb * 1e6))
        except OSError as error:
            raise BadInputError(f"{settings.spool} cannot be used: {error.strerror}.") from error
    camera = Camera(
        lambda: open_source(settings.source, period_s=settings.period_s, width=settings.width, loops=settings.loops),
        period_s=settings.period_s,
        spool=spool,
    )
    return EdgeClient(camera, Sender(settings), spool=spool)


def main(arguments: list[str]) -> int:
    """Run the edge client without the rest of the program."""
    parser = argparse.ArgumentParser(prog="edge-client", description=__doc__)
    add_arguments(parser)
    try:
        return run_edge_client(parser.parse_args(arguments))
    except ConsoleError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED

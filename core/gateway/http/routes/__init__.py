"""The gateway's addresses, one module for each kind of sender; found by looking.

A module has `make_routes(room: GatewayRoom) -> list[GatewayRoute]`.
"""

from __future__ import annotations

import importlib
import pkgutil

from core.gateway.http.route import GatewayRoom, GatewayRoute


def find_routes(room: GatewayRoom) -> list[GatewayRoute]:
    """Return the routes of every module in this package, by module and in its order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [route for name in names for route in importlib.import_module(f"{__name__}.{name}").make_routes(room)]

"""The gateway's application: the routes that were found, behind their guard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from core.gateway.http.book import Book
from core.gateway.http.guard import SOCKET, Guard, GuardedPath, RouteLimits
from core.gateway.http.keys import KeyDesk
from core.gateway.http.limits import Pace
from core.gateway.http.refusal import Refused, refused_by
from core.gateway.http.route import GatewayRoom, GatewayRoute, visit_of
from core.gateway.http.routes import find_routes
from core.kernel.errors import ConsoleError

TITLE = "Watchfloor gateway"
DESCRIPTION = (
    "Edge cameras post pictures of car parks; drones post where they are and what they see; other systems read lots, "
    "alarms, devices, incidents and drones. Every address needs a device key (`Authorization: Bearer KEY`, or "
    "`X-Device-Key: KEY`), which a supervisor makes in Devices or with `main.py gateway-key`. Every refusal is JSON "
    "with a sentence and a way out."
)
API_VERSION = "1.0"
"""Of the addresses and answers, not of the program."""

OPENAPI = "/api/openapi.json"
OPENAPI_LIMITS = RouteLimits(purpose=None, pace=Pace(per_s=2.0, burst=10.0))
_REFUSALS = {
    400: "The request cannot be used.",
    401: "The key is missing, not known, or revoked.",
    403: "The key is for another purpose, lot or camera.",
    404: "There is no such lot, camera or address.",
    405: "The address does not know this method.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    429: "Too many requests, or too many wrong keys; `Retry-After` says when to come again.",
    503: "Not now: the node starts, or has too much to do.",
}


class Refusal(BaseModel):
    """Why a request was not served."""

    error: str
    hint: str = ""


def make_app(room: GatewayRoom) -> tuple[FastAPI, list[GuardedPath]]:
    """Build the application and the list of what its guard lets in."""
    routes = find_routes(room)
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=API_VERSION,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
    )
    for route in routes:
        _add(app, route)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(ConsoleError, _on_console_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    _describe_keys(app, routes)
    paths = [_guarded(route.method, route.path, route.limits) for route in routes]
    return app, [*paths, _guarded("GET", OPENAPI, OPENAPI_LIMITS)]


def guard_app(room: GatewayRoom, *, keys: KeyDesk, book: Book) -> Guard:
    """Return the application behind its guard."""
    app, paths = make_app(room)
    return Guard(app, paths, keys=keys, book=book, clock=room.clock)


def _add(app: FastAPI, route: GatewayRoute) -> None:
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": text} for status, text in _REFUSALS.items()
    }
    more = dict(route.more)
    responses = {**refusals, **more.pop("responses", {})}
    if route.method == SOCKET:
        app.add_api_websocket_route(route.path, route.endpoint)
        return
    app.add_api_route(
        route.path,
        route.endpoint,
        methods=[route.method],
        response_model=route.answer,
        summary=route.summary,
        responses=responses,
        operation_id=route.endpoint.__name__,
        **more,
    )


def _guarded(method: str, path: str, limits: RouteLimits) -> GuardedPath:
    return GuardedPath(key=f"{method} {path}", method=method, pattern=compile_path(path)[0], limits=limits)


def _describe_keys(app: FastAPI, routes: Sequence[GatewayRoute]) -> None:
    """Say in the document which addresses need a key, and that a body is not checked by a model."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemes = {"key": {"type": "http", "scheme": "bearer", "description": "A device key, `wf_ID_SECRET`."}}
        document.setdefault("components", {})["securitySchemes"] = schemes
        for route in routes:
            if route.method == SOCKET or not route.more.get("include_in_schema", True):
                continue
            operation = document["paths"][route.path][route.method.lower()]
            operation["responses"].pop("422", None)
            if route.limits.purpose is not None:
                operation["security"] = [{"key": []}]
                wanted = " or ".join(f"`{one.value}`" for one in (route.limits.purpose, *sorted(route.limits.also)))
                operation["description"] = (
                    f"{operation.get('description', '')}\n\nNeeds a key of purpose {wanted}; "
                    f"{route.limits.pace.per_s:g} requests a second."
                ).strip()
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"].get("schemas", {}).pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _refuse(request: Request, why: Refused) -> Response:
    visit = visit_of(request)
    visit.is_put_off = why.retry_after_s is not None
    visit.refusal = "" if visit.is_put_off else why.message
    headers = {name.decode(): value.decode() for name, value in why.headers}
    return Response(why.body, status_code=why.status, headers=headers)


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _refuse(request, error)


async def _on_console_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConsoleError)
    return _refuse(request, refused_by(error))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return _refuse(request, Refused(400, f"{where} cannot be used: {first['msg']}.", hint="See /api/openapi.json."))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refuse(request, Refused(error.status_code, f"{error.detail}.", hint="See /api/openapi.json."))

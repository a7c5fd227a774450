"""The app: all routes, behind all guards. `sleevenotes serve` runs it, and a test can ask it without a server.

The API is versioned: what stands under `/api/v1` changes by additions only.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from sleevenotes import __version__
from sleevenotes.errors import SleevenotesError
from sleevenotes.publish.web import archive, figures, game, judging
from sleevenotes.publish.web.batching import Desk
from sleevenotes.publish.web.guards import Bodies, Gate, Hosts, Watched
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.metrics import Metrics
from sleevenotes.publish.web.problems import Problem, Refusal, answer_problem, documented
from sleevenotes.publish.web.service import Service
from sleevenotes.publish.web.shelf import add_page, shelf

API = "/api/v1"
ABOUT = (
    "Judges albums by their covers, and says honestly how far that can be trusted. Numbers are those of the command "
    'line. Whatever can\'t be answered has one shape, `{"error": {"kind", "where", "found", "expected", "cure", '
    '"sentence"}}`; `kind` is for programs. Where a token is asked for, send `Authorization: Bearer TOKEN`. A browser '
    "sends `X-Sleevenotes: 1` with all but GET."
)
TAGS = [
    {"name": "judging", "description": "What the model says of covers that are sent, and how the server is."},
    {"name": "archive", "description": "The covers of the dataset."},
    {"name": "figures", "description": "How far the model can be trusted."},
    {"name": "game", "description": "Guess the genre."},
]
EVERYWHERE = documented(
    "bad_request", "no_token", "forbidden", "wrong_method", "invalid", "too_many", "head_too_large", "busy"
)


class App(FastAPI):
    """FastAPI, but that it knows what problems look like on a route that answers with a picture or a text."""

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API."""
        description = super().openapi()
        shape = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Refusal.__name__}"}}}
        for methods in description["paths"].values():
            for told in methods.values():
                for status, answer in told["responses"].items():
                    if status.startswith(("4", "5")):
                        answer["content"] = shape
        return description


def make_app(service: Service, limits: Limits, *, token: str | None = None, hosts: Hosts | None = None) -> FastAPI:
    """Return the app.

    Parameters
    ----------
    service
        The model, and the dataset beside it.
    limits
        How much is taken on.
    token
        What every request must know; None where it need not.
    hosts
        Names by which it may be called; None where any will do.
    """
    app = App(
        title="sleevenotes",
        version=__version__,
        description=ABOUT,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # those pages would fetch their scripts from elsewhere
        redoc_url=None,
        openapi_tags=TAGS,
        redirect_slashes=False,
        generate_unique_id_function=_name_of,
        responses=EVERYWHERE,
        dependencies=[] if token is None else [Security(HTTPBearer(auto_error=False))],
    )
    app.state.service, app.state.metrics, app.state.limits = service, Metrics(), limits
    app.state.desk = Desk(service, limits, app.state.metrics)
    for error in (Problem, SleevenotesError, HTTPException, RequestValidationError):
        app.add_exception_handler(error, answer_problem)
    # the one that is added last stands before the others
    app.add_middleware(Gate, limits=limits, token=token, hosts=hosts)
    app.add_middleware(Bodies, limits=limits)
    app.add_middleware(Watched, metrics=app.state.metrics)
    for part in (judging, archive, figures, game):
        app.include_router(part.router)
    add_page(app, shelf())
    return app


def _name_of(route: APIRoute) -> str:
    """Return a route's name in the description of the API: that of its function."""
    return route.name

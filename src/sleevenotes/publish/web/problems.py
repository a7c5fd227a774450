"""What goes wrong with a request: one shape everywhere, and the sentence that library and command line would say.

    {"error": {"kind": "bad_cover", "where": …, "found": …, "expected": …, "cure": …, "sentence": …}}

`kind` is for programs and does not change; `sentence` is for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from sleevenotes.errors import CoverError, OversizedCover, SleevenotesError

# status of each kind: what a program may rely on
STATUS = {
    "bad_request": 400,
    "no_token": 401,
    "forbidden": 403,
    "unknown": 404,
    "wrong_method": 405,
    "too_slow": 408,
    "conflict": 409,
    "too_large": 413,
    "bad_cover": 422,
    "invalid": 422,
    "too_many": 429,
    "head_too_large": 431,
    "broken": 500,
    "busy": 503,
}
RETRY_S = 1  # after which a server that was full is worth asking again


class Said(BaseModel):
    """What is wrong, in parts and in one sentence."""

    kind: str = Field(description="For programs; does not change.", examples=["bad_cover"])
    where: str = Field(examples=["abba.jpg"])
    found: str = Field(examples=["cut off after 18,432 bytes"])
    expected: str = Field(examples=["a whole JPEG"])
    cure: str = Field(examples=["Fetch it again"])
    sentence: str = Field(
        description="For people.",
        examples=["abba.jpg: cut off after 18,432 bytes. A whole JPEG was expected. Fetch it again."],
    )


class Refusal(BaseModel):
    """The one shape of every answer that is none."""

    error: Said


class Problem(Exception):
    """A request that can't be answered.

    Parameters
    ----------
    kind
        One of `STATUS`.
    error
        What library and command line would say.
    retry_after
        Seconds after which it is worth trying again; None where it never is.
    """

    def __init__(self, kind: str, error: SleevenotesError, *, retry_after: int | None = None) -> None:
        self.kind, self.error, self.retry_after = kind, error, retry_after
        super().__init__(error.sentence)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.kind]

    def body(self) -> dict[str, object]:
        """Return the answer's body."""
        error = self.error
        said = Said(
            kind=self.kind,
            where=error.where,
            found=error.found,
            expected=error.expected,
            cure=error.cure,
            sentence=error.sentence,
        )
        return Refusal(error=said).model_dump()

    def response(self) -> JSONResponse:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse(self.body(), status_code=self.status, headers=headers)


def of_error(error: SleevenotesError) -> Problem:
    """Return the problem that an error of the library is, when it comes from what a request asked."""
    if isinstance(error, OversizedCover):
        return Problem("too_large", error)
    return Problem("bad_cover" if isinstance(error, CoverError) else "bad_request", error)


def unknown(where: str, found: str, cure: str = "") -> Problem:
    """Return the problem that something asked for is not there."""
    return Problem("unknown", SleevenotesError(where, found, cure=cure))


def documented(*kinds: str) -> dict[int | str, dict[str, object]]:
    """Return what OpenAPI is to say of the problems that a route can answer with."""
    found: dict[int | str, dict[str, object]] = {}
    for kind in kinds:
        status = STATUS[kind]
        said = f"{found[status]['description']}, {kind}" if status in found else kind
        found[status] = {"model": Refusal, "description": said}
    return found


def busy(found: str, *, retry_after: int = RETRY_S) -> Problem:
    """Return the problem that there is too much to do just now."""
    return Problem("busy", SleevenotesError("serve", found, cure="Ask again in a while"), retry_after=retry_after)


def broken(error: BaseException) -> Problem:
    """Return the problem that something went wrong that nobody foresaw; what it was stands in the server's log."""
    found = f"something broke that should not ({type(error).__name__})"
    return Problem("broken", SleevenotesError("serve", found, cure="It is a bug: please report it with the log"))


def of_http(error: HTTPException, method: str, path: str) -> Problem:
    """Return the problem that the framework found with a request."""
    if isinstance(error.__cause__, Problem):  # one of ours, that came up while the framework read the body
        return error.__cause__
    where = f"{method} {path}"
    if error.status_code == STATUS["unknown"]:
        return unknown(where, "nothing is there", "GET /api/v1/openapi.json lists what is")
    if error.status_code == STATUS["wrong_method"]:
        allowed = (error.headers or {}).get("Allow", "another method")
        return Problem("wrong_method", SleevenotesError(where, f"{method} is not for this", f"It takes {allowed}"))
    return Problem("bad_request", SleevenotesError(where, str(error.detail)))


def of_invalid(errors: Sequence[Any]) -> Problem:
    """Return the problem that values of a request are not as they are described.

    Examples
    --------
    >>> found = {"loc": ("query", "top"), "input": "x", "msg": "Input should be a valid integer"}
    >>> str(of_invalid([found]))
    "query top: 'x'. Input should be a valid integer."
    """
    first = errors[0]
    where = " ".join(str(part) for part in first["loc"]) or "request"
    more = f", and {len(errors) - 1:,} more problems" if len(errors) > 1 else ""
    found = "it is missing" if first.get("type") == "missing" else f"{first.get('input')!r:.100}"
    return Problem("invalid", SleevenotesError(where, found + more, str(first["msg"])))


async def answer_problem(request: Request, error: Exception) -> JSONResponse:
    """Answer with a problem, or with another error as the problem that it is."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, SleevenotesError):
        return of_error(error).response()
    if isinstance(error, RequestValidationError):
        return of_invalid(error.errors()).response()
    assert isinstance(error, HTTPException)
    if error.status_code == STATUS["wrong_method"] and (allowed := _methods_of(request)):
        error.headers = {**(error.headers or {}), "Allow": allowed}  # the framework names those of one route of several
    answer = of_http(error, request.method, request.url.path).response()
    answer.headers.update(error.headers or {})
    return answer


def _methods_of(request: Request) -> str:
    """Return the methods that the path of a request takes by the description of the API; nothing where it has none."""
    described = request.app.openapi()["paths"].items()
    known = [methods for path, methods in described if compile_path(path)[0].match(request.url.path)]
    return ", ".join(sorted({method.upper() for methods in known for method in methods}))

"""The page's files, read once when the server starts: what is asked for later is looked up among them, by name.

So no path of a request ever reaches the disk, and what lies in `page/` is all that there is to get.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

PAGE = Path(__file__).parent / "page"
INDEX = "index.html"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class Shelved:
    """A file of the page.

    Parameters
    ----------
    data
        Its bytes.
    kind
        Its content type.
    """

    data: bytes
    kind: str

    @property
    def etag(self) -> str:
        """Alike for as long as its bytes are."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'


def shelf(folder: Path = PAGE) -> dict[str, Shelved]:
    """Return the files of a folder that a browser is given, by their addresses; `index.html` is at `/`.

    A file of another kind is no part of the page.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix in KINDS and not any(part.startswith(".") for part in name.split("/")):
            found["/" if name == INDEX else f"/{name}"] = Shelved(path.read_bytes(), KINDS[path.suffix])
    return found


def add_page(app: FastAPI, files: dict[str, Shelved]) -> None:
    """Give each file of the page its address; a browser asks again whether it has changed, and mostly it has not."""
    for address, file in files.items():
        app.add_route(address, _answering(file), methods=["GET"], include_in_schema=False)


def _answering(file: Shelved) -> Callable[[Request], Awaitable[Response]]:
    etag = file.etag

    async def answer(request: Request) -> Response:
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.kind, headers=headers)

    return answer

"""Fetching a large file: what came is kept when a download breaks off, and the next one goes on from there.

`FILE.part` holds the bytes that came, `FILE.part.tag` what the server called the version that they are of. The rest is
asked for with `Range`, and `If-Range` with that name, so that a server whose file has changed sends all of it
(RFC 9110, sections 13.1.5 and 14.2). Whether the whole is what it should be is told by its SHA-256 alone.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path

from sleevenotes.covers.files import flush

TIMEOUT_S = 30
CHUNK_BYTES = 1 << 20
PARTIAL, UNSATISFIABLE = 206, 416


def fetch(url: str, path: Path) -> None:
    """Write what is at an address to a file; go on from what came before.

    Parameters
    ----------
    url
        Where it is.
    path
        Where it goes, whole. Until then it grows in a file beside it, `.part`.

    Raises
    ------
    OSError
        Where it can't be fetched, or is cut off; what came is kept.
    http.client.HTTPException
        Where the server answers something else than HTTP.
    """
    part = part_of(path)
    had = part.stat().st_size if part.exists() else 0
    try:
        answer = urllib.request.urlopen(_request(url, path, had), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != UNSATISFIABLE or not had:
            raise
        error.close()
        forget(path)  # there is nothing behind what came: it is whole already, or of something else
        had, answer = 0, urllib.request.urlopen(url, timeout=TIMEOUT_S)
    with answer:
        goes_on = answer.status == PARTIAL and _starts_at(answer.headers["Content-Range"], had)
        if answer.status == PARTIAL and not goes_on:
            raise OSError(f"it was asked for what follows {had:,} bytes, and sent {answer.headers['Content-Range']}")
        _take(answer, path, goes_on=goes_on)
    tag_of(path).unlink(missing_ok=True)
    flush(part)
    part.replace(path)


def _take(answer: http.client.HTTPResponse, path: Path, *, goes_on: bool) -> None:
    """Write an answer to the file that grows; raise where it is shorter than it said."""
    tag = answer.headers["ETag"] or answer.headers["Last-Modified"] or ""
    tag_of(path).write_text("" if tag.startswith("W/") else tag, encoding="utf-8")
    with part_of(path).open("ab" if goes_on else "wb") as file:
        started, length = file.tell(), answer.headers["Content-Length"]
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
        came = file.tell() - started
    if length and came != int(length):
        raise OSError(f"cut off after {started + came:,} of {started + int(length):,} bytes")


def _request(url: str, path: Path, had: int) -> urllib.request.Request:
    request = urllib.request.Request(url)
    if had:
        request.add_header("Range", f"bytes={had}-")
        tag = tag_of(path)
        if tag.exists() and (told := tag.read_text(encoding="utf-8")):
            request.add_header("If-Range", told)
    return request


def _starts_at(content_range: str | None, had: int) -> bool:
    """Return whether an answer's range begins where what came ends.

    Examples
    --------
    >>> _starts_at("bytes 10-99/100", 10), _starts_at("bytes 0-99/100", 10), _starts_at(None, 10)
    (True, False, False)
    """
    found = re.match(r"bytes (\d+)-", content_range or "")
    return found is not None and int(found.group(1)) == had


def part_of(path: Path) -> Path:
    """Return the file in which a download grows."""
    return path.with_name(path.name + ".part")


def tag_of(path: Path) -> Path:
    """Return the file that says of which version the bytes are that came."""
    return path.with_name(path.name + ".part.tag")


def forget(path: Path) -> None:
    """Delete what came of a download."""
    part_of(path).unlink(missing_ok=True)
    tag_of(path).unlink(missing_ok=True)

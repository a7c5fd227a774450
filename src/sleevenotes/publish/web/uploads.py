"""Covers as they are sent: a form is read into memory while it comes in, and nothing of it reaches the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from sleevenotes.covers.files import one_line
from sleevenotes.errors import OversizedCover, SleevenotesError
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.problems import Problem, busy

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
NAME_LENGTH = 120
FORM = f"a form (multipart/form-data) with covers in the field `{FIELD}`"
CURL = f"Send one with curl: curl -F {FIELD}=@cover.jpg URL"


@dataclass(frozen=True)
class Upload:
    """A cover that was sent.

    Parameters
    ----------
    name
        What to call it: the name of its file, cleaned, or "cover 1".
    data
        Its bytes.
    """

    name: str
    data: bytes


class Room:
    """How many bytes of covers may be in memory at once, of all requests together."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    def take(self, count: int) -> None:
        """Take room, or say that there is none.

        Raises
        ------
        Problem
            `busy`.
        """
        if self.taken + count > self.most:
            raise busy("other covers fill its memory")
        self.taken += count

    def give(self, count: int) -> None:
        """Give room back."""
        self.taken -= count


class Form:
    """A form that is being read.

    Parameters
    ----------
    boundary
        What stands between its parts.
    limits
        Bytes of a cover, and covers.
    most
        The most covers that the route takes, where that is fewer.
    room
        Where bytes are counted; whoever reads a form gives `taken` back.
    """

    def __init__(self, boundary: bytes, limits: Limits, room: Room, *, most: int) -> None:
        self.limits, self.room, self.most = limits, room, most
        self.taken = 0
        self.uploads: list[Upload] = []
        self._headers: dict[bytes, bytes] = {}
        self._key, self._value, self._name, self._data = bytearray(), bytearray(), "", bytearray()
        self._is_whole = False
        called: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, called)

    def write(self, data: bytes) -> None:
        """Read some more of it.

        Raises
        ------
        Problem
            Where it is no form, or too large.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _bad_form(f"the form can't be read ({str(error).rstrip('.')})") from error

    def close(self) -> list[Upload]:
        """Return the covers, once all of it was read.

        Raises
        ------
        Problem
            Where it breaks off, or has none.
        """
        if not self._is_whole:
            raise _bad_form("the form breaks off")
        if not self.uploads:
            raise _bad_form("no cover in the form")
        return self.uploads

    def _begin(self) -> None:
        self._headers, self._data = {}, bytearray()
        if len(self.uploads) >= self.most:
            found = f"more than {'one cover' if self.most == 1 else f'{self.most:,} covers'}"
            raise Problem("too_large", SleevenotesError("form", found, cure="Send them one after the other"))

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._key += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._key).lower()] = bytes(self._value)
        self._key, self._value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition"))
        field = told.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD:
            raise _bad_form(f"a field {field[:NAME_LENGTH]!r}")
        self._name = cleaned(told.get(b"filename", b"").decode("utf-8", "replace"), len(self.uploads) + 1)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self.room.take(end - start)
        self.taken += end - start
        self._data += data[start:end]
        if len(self._data) > self.limits.max_bytes:
            most = f"No more than {self.limits.max_bytes:,} bytes are taken"
            raise Problem("too_large", OversizedCover(self._name, "too many bytes", most, "Scale it down"))

    def _part_end(self) -> None:
        self.uploads.append(Upload(self._name, bytes(self._data)))
        self._data = bytearray()

    def _end(self) -> None:
        self._is_whole = True


async def read_form(request: Request, form: Form) -> Sequence[Upload]:
    """Return the covers of a request.

    Raises
    ------
    Problem
        Where its body is no form with covers, too large, or too slow.
    """
    try:
        async for chunk in request.stream():
            if chunk:
                form.write(chunk)
    except ClientDisconnect as cause:
        raise _bad_form("the client has gone") from cause
    return form.close()


def boundary_of(request: Request) -> bytes:
    """Return what stands between the parts of a request's form.

    Raises
    ------
    Problem
        Where it is no form.
    """
    kind, told = parse_options_header(request.headers.get("content-type"))
    boundary = told.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise _bad_form(f"a body of the kind {kind.decode('latin-1')[:NAME_LENGTH]!r}" if kind else "no form")
    if not boundary or len(boundary) > 70:  # as RFC 2046 has it
        raise _bad_form("a form without a proper boundary")
    return boundary


def cleaned(name: str, number: int) -> str:
    r"""Return the name of a file, fit to be told: no folders, nothing that can't be seen, not too long.

    Examples
    --------
    >>> cleaned("C:\\covers\\abba\x00.jpg", 1), cleaned("../../etc/passwd", 1), cleaned(" / ", 3)
    ('abba.jpg', 'passwd', 'cover 3')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return one_line(last)[:NAME_LENGTH].strip() or f"cover {number}"


def _bad_form(found: str) -> Problem:
    return Problem("bad_request", SleevenotesError("request", found, FORM, CURL))

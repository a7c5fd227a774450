"""What libtiff says while a TIFF is decoded: kept from stderr, where it would not even name the file, and counted."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_said = local()
_installing = Lock()
_installed = False


def _keep(module: bytes | None, message: bytes | None, _: int | None) -> None:
    """Keep where libtiff found an error; it calls this in the thread that decodes."""
    if getattr(_said, "errors", None) is not None:
        _said.errors.append((module or message or b"").decode("latin-1"))


_handler = _Handler(_keep)  # libtiff holds no reference to it


@contextmanager
def libtiff_errors(library: str) -> Iterator[list[str]]:
    """Give the list to which libtiff's errors in this thread are added, by the name of its function.

    Parameters
    ----------
    library
        The path of Pillow's extension module. If libtiff's functions can't be reached through it, as on Windows, where
        they are inside of it, nothing is kept and nothing changes.
    """
    _install(library)
    errors: list[str] = []
    _said.errors = errors
    try:
        yield errors
    finally:
        _said.errors = None


def _install(library: str) -> None:
    """Take the place of libtiff's handlers, which print."""
    global _installed
    with _installing:
        if _installed:
            return
        _installed = True
        try:
            tiff = ctypes.CDLL(library)
            tiff.TIFFSetErrorHandler.argtypes = [_Handler]
            tiff.TIFFSetErrorHandler.restype = ctypes.c_void_p
            tiff.TIFFSetWarningHandler.argtypes = [ctypes.c_void_p]
            tiff.TIFFSetWarningHandler.restype = ctypes.c_void_p
        except (OSError, AttributeError):
            return
        tiff.TIFFSetErrorHandler(_handler)
        tiff.TIFFSetWarningHandler(None)

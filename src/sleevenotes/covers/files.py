"""Writing files whole or not at all, so that whoever reads them while the writer is killed finds no half of one.

And reading back the JSON that was written so.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sleevenotes.errors import SleevenotesError


def write_json(path: Path, content: Any) -> Path:
    """Write JSON that a person can read, whole or not at all, with a newline at its end; return the path."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_json(path: Path, error: type[SleevenotesError], cure: str) -> dict[str, Any]:
    """Return the object that a JSON file holds; `error` says what is wrong with it, and `cure` what to do."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise error(str(path), "can't be read" if path.exists() else "not there", "", cure) from cause
    except ValueError as cause:
        raise error(str(path), "no valid JSON", "", cure) from cause
    if not isinstance(content, dict):
        raise error(str(path), f"a JSON {type(content).__name__}", "A JSON object was expected", cure)
    return content


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, which takes its place when all went well and goes when not.

    A reader sees the old file or the new one, never half of either, whenever the writer is killed.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

"""What may become of a file: damage of every kind to its bytes, and edits of every entry of a JSON file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEEP = b"[" * 100_000
ODD: dict[str, Any] = {
    "null": None,
    "text": "x\x1b]0;y\x07",
    "true": True,
    "negative": -1,
    "huge": 10**30,
    "a list": [],
    "an object": {},
    "nested": [[[[]]]],
    "not a number": float("nan"),
    "infinite": float("inf"),
}


def damaged(content: bytes) -> dict[str, bytes]:
    """Return what is left of a file after damage to its bytes, by name."""
    return {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "NULs": bytes(len(content)),
        "null": b"null",
        "a list": b"[]",
        "a list of null": b"[null]",
        "an object": b"{}",
        "text": b'"x"',
        "deep": DEEP,
        "no UTF-8": b"\xff\xfe" + content,
        "binary": bytes(range(256)) * 4,
    }


def places(value: Any, *, depth: int = 4, longest: int = 2) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every entry, of lists and long objects only that of the first ones."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))[:longest]
    for key in keys if len(keys) < 60 else keys[:longest]:
        yield (key,)
        if depth > 1 and isinstance(value[key], (dict, list)):
            yield from ((key, *rest) for rest in places(value[key], depth=depth - 1, longest=longest))


def edited(value: Any, **limits: int) -> Iterator[tuple[str, Any]]:
    """Yield what an edit makes of JSON, each entry removed and replaced by each odd value, with a name."""
    for place in places(value, **limits):
        for name, odd in {**ODD, "removed": ...}.items():
            changed = copy.copy(value)
            inner = changed
            for key in place[:-1]:
                inner[key] = copy.copy(inner[key])
                inner = inner[key]
            if odd is ...:
                del inner[place[-1]]
            else:
                inner[place[-1]] = odd
            yield f"{'.'.join(map(str, place))} {name}", changed


def spoilt(path: Path, **limits: int) -> Iterator[tuple[str, bytes]]:
    """Yield the contents of a file after each damage, and of a JSON file after each edit, with a name."""
    content = path.read_bytes()
    yield from damaged(content).items()
    if path.suffix == ".json":
        for name, changed in edited(json.loads(content), **limits):
            yield name, json.dumps(changed).encode()

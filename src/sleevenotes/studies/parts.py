"""Parts: the steps of a study, each kept when it is done, so that a killed study goes on where it was.

A part lies in `OUT/parts/NAME.json` with the key of what it was made of, and the SHA-256 of its value. What is there
under the same key is not made again; under another key (other covers, seed, settings or version), or if it was edited,
it is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from sleevenotes import __version__
from sleevenotes.covers.files import write_json
from sleevenotes.covers.schema import NotNegative, read_json
from sleevenotes.errors import EvaluationError

FOLDER = "parts"


class KeptPart(TypedDict):
    """The contents of `parts/NAME.json`."""

    key: str
    seconds: NotNegative
    sha256: str
    value: dict[str, Any]


@dataclass
class Parts:
    """The parts of one study.

    Parameters
    ----------
    out
        The study's folder.
    identity
        What all parts depend on: the covers, the seed, whether it is quick.
    say
        Is told of each part as it is done.
    """

    out: Path
    identity: Mapping[str, Any]
    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)  # of the parts that were asked for, by name
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def part(
        self,
        name: str,
        make: Callable[[], dict[str, Any]],
        *,
        settings: Mapping[str, Any] | None = None,
        words: Callable[[dict[str, Any]], str] | None = None,
    ) -> dict[str, Any]:
        """Return what a part left, made now or found.

        Parameters
        ----------
        name
            Of its file, without the ending.
        make
            Makes it, ready for JSON.
        settings
            What it depends on besides the study's identity.
        words
            What is said of it, besides its name and how long it took.
        """
        path, key = self.path(name), self._key(settings or {})
        kept = _read(path)
        found = kept is not None and kept["key"] == key
        if kept is None or not found:
            began = time.perf_counter()
            value = make()
            seconds = round(time.perf_counter() - began, 2)
            kept = {"key": key, "seconds": seconds, "sha256": _digest(value), "value": value}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, kept)
        self.seconds[name] = kept["seconds"]
        told = f": {words(kept['value'])}" if words else ""
        took = "done before" if found else f"{kept['seconds']:,.1f} s"
        self.say(f"{name}{told} ({took})")
        self.values[name] = kept["value"]
        return self.values[name]

    def path(self, name: str) -> Path:
        """Return the file of a part."""
        return self.out / FOLDER / f"{name}.json"

    def _key(self, settings: Mapping[str, Any]) -> str:
        told = {"version": __version__, **self.identity, "settings": dict(settings)}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept: Any = read_json(path, KeptPart, EvaluationError, "")
    except EvaluationError:  # not there, or damaged: it is made again
        return None
    return kept if kept["sha256"] == _digest(kept["value"]) else None


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

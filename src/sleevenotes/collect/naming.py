"""File names for covers that a person can read and every system can hold.

A name is made of the cover's path in the source. What Windows, macOS or Linux refuse is replaced, so that a dataset can
be carried from one to the other, and no two names differ only in case.
"""

from __future__ import annotations

import re
import unicodedata

from sleevenotes.collect.folders import PICTURE_ENDINGS, stem

FOLDER = "images"
FOLDER_BYTES = 60
STEM_BYTES = 100
PATH_CHARACTERS = 170

GENERIC = frozenset({"img", "imgs", "image", "images", "cover", "covers", "picture", "pictures", "pics", "jpg", "data"})
"""A first folder of such a name says nothing and is left out."""

RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{device}{number}" for device in ("COM", "LPT") for number in "0123456789¹²³"}
)
"""Devices of Windows: no file can have such a name, whatever its ending."""

# Hugging Face takes these words in a file's name for the name of a split, and then loads nothing but such files: one
# cover called "night train" would be the whole dataset. It looks for them in lower case only.
_SPLIT_WORDS = re.compile(
    r"(?<![A-Za-z])(train|training|valid|validation|dev|val|test|testing|eval|evaluation)(?![A-Za-z])"
)
_REFUSED = re.compile(r'[<>:"/\\|?*;]')


class Names:
    """The names given so far: no two are the same, in any case.

    Examples
    --------
    >>> names = Names()
    >>> names.free("Rock/Who's Next?.jpeg", ".jpg"), names.free("rock/who's next_.png", ".jpg")
    ("images/Rock/Who's Next_.jpg", "images/rock/who's next_-2.jpg")
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, source: str, suffix: str) -> str:
        """Return a name for a cover that no other has, `images/` first, and keep it.

        Parameters
        ----------
        source
            The cover's path in the source, `/` between its parts.
        suffix
            The ending that fits its content.
        """
        path = safe_path(source)
        name, number = f"{path}{suffix}", 1
        while (same := unicodedata.normalize("NFC", name.casefold())) in self._taken:
            number += 1
            name = f"{path}-{number}{suffix}"
        self._taken.add(same)
        return f"{FOLDER}/{name}"


def safe_path(source: str) -> str:
    """Return a path without its picture's ending that every system can hold, `/` between its parts.

    Examples
    --------
    >>> safe_path("../img/CON/What's Going On?.jpg"), safe_path("Rock/Vol. 2...jpeg"), safe_path("jazz/Soul train.jpg")
    ("_CON/What's Going On_", 'Rock/Vol. 2', 'jazz/Soul Train')
    """
    parts = [part for part in source.split("/") if part not in ("", ".", "..")]
    if len(parts) > 1 and parts[0].lower() in GENERIC:
        parts = parts[1:]
    *above, last = parts or ["_"]
    safe = [*(_safe_folder(part) for part in above), safe_part(stem(last), STEM_BYTES)]
    path = "/".join(safe)
    return path if len(path) <= PATH_CHARACTERS else f"{safe[0]}/{safe[-1]}"


def _safe_folder(name: str) -> str:
    """Make a folder's name that no cover can have, since theirs end like a picture's."""
    safe = safe_part(name, FOLDER_BYTES)
    head, dot, ending = safe.rpartition(".")
    return f"{head}_{ending}" if f"{dot}{ending}".lower() in PICTURE_ENDINGS else safe


def safe_part(name: str, limit: int = FOLDER_BYTES) -> str:
    """Return one part of a path that every system can hold, of at most `limit` bytes."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    name = _SPLIT_WORDS.sub(lambda word: word[0].capitalize(), _REFUSED.sub("_", name))
    if not name.isprintable():
        name = "".join(sign if sign.isprintable() else "_" for sign in name)
    name = name.encode()[:limit].decode(errors="ignore").strip().rstrip(". ")
    if name.startswith("."):  # hidden
        name = "_" + name[1:]
    if name.partition(".")[0].rstrip().upper() in RESERVED:
        name = "_" + name
    return name or "_"

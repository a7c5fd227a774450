"""Control characters of foreign names as text, wherever they are printed to a terminal."""

from __future__ import annotations

import re

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and marks that turn the direction of what follows."""


def shown(text: str, keep: str = "") -> str:
    r"""Return text for a terminal, its control characters as escapes: those of a name must not steer the terminal.

    Parameters
    ----------
    text
        Any text, such as a file name or a genre.
    keep
        Control characters that are left as they are.

    Examples
    --------
    >>> print(shown("\x1b]0;owned\x07 \u202efolk"), shown("a\nb"))
    \x1b]0;owned\x07 \u202efolk a\nb
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def shown_json(line: str) -> str:
    r"""Return a line of JSON whose control characters are escapes of JSON; what it means stays the same.

    Examples
    --------
    >>> print(shown_json('{"genre": "\x9bfolk"}'))
    {"genre": "\u009bfolk"}
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()

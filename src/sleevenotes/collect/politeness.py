"""Being a good guest: what robots.txt allows (RFC 9309), how fast to ask, and how long to wait when told to.

Python's own `urllib.robotparser` knows neither `*` and `$` in paths nor that the longest rule counts; hence this one.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote  # texts only; nothing is opened here

from sleevenotes.errors import SourceError

AGENT = "sleevenotes"
MAX_ROBOTS_BYTES = 512_000
MAX_WAIT_S = 300.0
"""The longest that a server's `Retry-After` or `Crawl-delay` is waited for."""

ROUNDS_OF_SILENCE = 4  # times the time-out: the longest that one cover may take

_SAFE = "/?&=;:@!$'()*+,~%-._"


@dataclass(frozen=True)
class FetchSettings:
    """How to fetch covers that a table names by their URLs.

    Parameters
    ----------
    concurrent
        Requests at once; never fewer than `per_host`.
    per_host
        Requests at once to one host.
    rate
        Requests a second to one host; 0 for no limit.
    timeout_s
        Seconds without an answer or a byte after which a try is given up; four times as long is allowed in all.
    max_bytes
        The most bytes that a cover may have.
    allow_private
        Whether machines may be asked that are not on the public net.
    terms
        Under which terms the covers may be used, for the ledger.
    retry_failed
        Whether URLs that failed before are fetched again.
    tries
        How often a URL is tried in all.
    back_off_s
        Seconds before the second try; doubled with each further one.
    seed
        Of what is added to these waits by chance.

    Raises
    ------
    SourceError
        Where a limit allows nothing.
    """

    concurrent: int = 8
    per_host: int = 4
    rate: float = 4.0
    timeout_s: float = 15.0
    max_bytes: int = 32_000_000
    allow_private: bool = False
    terms: str = ""
    retry_failed: bool = False
    tries: int = 4
    back_off_s: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for option, value in (
            ("--concurrent", self.concurrent),
            ("--per-host", self.per_host),
            ("--max-bytes", self.max_bytes),
        ):
            if value < 1:
                raise SourceError(option, f"{value}", "1 or more")
        if not self.timeout_s > 0:
            raise SourceError("--timeout", f"{self.timeout_s:g}", "Seconds, more than 0")
        if not self.rate >= 0:
            raise SourceError("--rate", f"{self.rate:g}", "Requests a second to one host, or 0 for no limit")

    @property
    def at_once(self) -> int:
        """Requests at once, over all hosts."""
        return max(self.concurrent, self.per_host)

    @property
    def spacing_s(self) -> float:
        """Seconds between two requests to one host."""
        return 1 / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Robots:
    """What one robots.txt says to us.

    Parameters
    ----------
    rules
        (allowed, path with `*` and `$`), in any order: the longest that fits counts, and `Allow` among equals.
    delay_s
        Seconds between two requests.
    """

    rules: tuple[tuple[bool, str], ...] = ()
    delay_s: float = 0.0

    def allows(self, path: str) -> bool:
        r"""Return whether a path may be fetched.

        Examples
        --------
        >>> robots = read_robots("User-agent: *\nDisallow: /art/\nAllow: /art/*.jpg$")
        >>> robots.allows("/art/a.jpg"), robots.allows("/art/a.jpg?big"), robots.allows("/other")
        (True, False, True)
        """
        plain = _plain(path)
        fitting = [(len(rule), allowed) for allowed, rule in self.rules if _fits(rule, plain)]
        return max(fitting, default=(0, True))[1] or plain == "/robots.txt"


def read_robots(text: str, agent: str = AGENT) -> Robots:
    r"""Read a robots.txt: the groups that name us, or else those for everyone.

    Examples
    --------
    >>> read_robots("User-agent: *\nCrawl-delay: 2\nDisallow: /private")
    Robots(rules=((False, '/private'),), delay_s=2.0)
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    current: list[str] = []
    open_group = False  # whether further user-agents join the group
    for line in text.splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            current = [*current, value.lower()] if open_group else [value.lower()]
            groups.setdefault(current[-1], [])
            open_group = True
        elif key in ("allow", "disallow", "crawl-delay"):
            open_group = False
            for name in current:
                groups[name].append((key, value))
    named = [lines for name, lines in groups.items() if re.split(r"[/\s]", name)[0] == agent]
    lines = [line for group in (named or [groups.get("*", [])]) for line in group]
    rules = tuple((key == "allow", _plain(value)) for key, value in lines if key != "crawl-delay" and value)
    return Robots(rules, max((_seconds(value) for key, value in lines if key == "crawl-delay"), default=0.0))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return for how many seconds a `Retry-After` asks to wait, at most `MAX_WAIT_S`; None where it says nothing.

    Examples
    --------
    >>> retry_after("120"), retry_after("86400"), retry_after("soon"), retry_after(None)
    (120.0, 300.0, None, None)
    >>> retry_after("Tue, 24 Nov 2026 12:00:30 GMT", datetime(2026, 11, 24, 12, tzinfo=UTC))
    30.0
    """
    text = (value or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return min(float(text), MAX_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), MAX_WAIT_S)


def back_off(base_s: float, tries: int, seed: object) -> float:
    """Return the seconds to wait after so many tries: doubling, and by up to a half longer, as the seed has it.

    Examples
    --------
    >>> 4.0 <= back_off(1.0, 3, "url") <= 6.0
    True
    """
    jitter = random.Random(f"{seed} {tries}").random()
    return min(float(base_s * 2 ** (tries - 1)) * (1 + jitter / 2), MAX_WAIT_S)


class Pace:
    """Requests to one host, at least `spacing_s` apart, and none while it asked for a pause.

    Parameters
    ----------
    spacing_s
        Seconds between two requests; 0 for no limit.
    clock
        Seconds that only go forward.
    """

    def __init__(self, spacing_s: float, clock: Callable[[], float]) -> None:
        self.spacing_s, self._clock = spacing_s, clock
        self._next = 0.0

    def pause(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        self._next = max(self._next, self._clock() + seconds)

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = self._clock()
        while now < self._next and not self.spacing_s:  # a pause without pacing: all may go when it ends
            await asyncio.sleep(self._next - now)
            now = self._clock()
        if not self.spacing_s:
            return
        mine = max(now, self._next)
        self._next = mine + self.spacing_s
        if mine > now:
            await asyncio.sleep(mine - now)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), MAX_WAIT_S) if seconds == seconds else 0.0  # NaN is no delay


def _plain(path: str) -> str:
    """Write a path in one way, whatever of it was percent-encoded."""
    return quote(unquote(path), safe=_SAFE)


def _fits(rule: str, path: str) -> bool:
    """Tell whether a path begins as a rule says; by hand, so that no rule can make it slow."""
    ends = rule.endswith("$")
    first, *rest = rule.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(rest):
        if ends and number == len(rest) - 1:
            return path.endswith(part) and len(path) - len(part) >= at
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not ends or at == len(path)

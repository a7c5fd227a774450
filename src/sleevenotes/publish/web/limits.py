"""How much a server takes on: what is larger, slower or more than that gets a sentence, never a hang.

Those that somebody may want otherwise are options of `sleevenotes serve`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sleevenotes.covers.images import MAX_PIXELS

MAX_BYTES = 16_000_000
MAX_FILES = 64
MAX_MEMORY_BYTES = 512_000_000
MAX_TEXT_BYTES = 65_536
MAX_HEAD_BYTES = 32_768
MAX_ELONGATION = 10.0
MAX_CONCURRENT = 64
MAX_WAITING = 256
MAX_REQUESTS = 256
MAX_CONNECTIONS = 512
HEAD_S = 10.0
BODY_S = 30.0
ANSWER_S = 30.0
KEEP_ALIVE_S = 15
GRACE_S = 20


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Parameters
    ----------
    max_bytes, max_pixels
        Of one cover.
    max_elongation
        How many times as long as wide a cover may be: a strip squeezed into a square is no cover.
    max_files
        Covers of one request.
    max_memory_bytes
        Covers of all requests together, as they came in.
    max_text_bytes
        Of a body that is no form with covers.
    max_head_bytes
        Of a request's line and headers.
    concurrent
        Requests with covers that are worked on at once; the next one is told 429.
    waiting
        Covers that wait for the model, or to be decoded; what exceeds them is told 503.
    requests, connections
        Requests of any kind in flight, and open connections.
    head_s, body_s
        How long a client may take to send its headers, and its body.
    answer_s
        How long an answer may take once the request is there.
    keep_alive_s
        How long a connection is held open for another request.
    grace_s
        How long what runs may go on after SIGTERM.
    """

    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    max_elongation: float = MAX_ELONGATION
    max_files: int = MAX_FILES
    max_memory_bytes: int = MAX_MEMORY_BYTES
    max_text_bytes: int = MAX_TEXT_BYTES
    max_head_bytes: int = MAX_HEAD_BYTES
    concurrent: int = MAX_CONCURRENT
    waiting: int = MAX_WAITING
    requests: int = MAX_REQUESTS
    connections: int = MAX_CONNECTIONS
    head_s: float = HEAD_S
    body_s: float = BODY_S
    answer_s: float = ANSWER_S
    keep_alive_s: int = KEEP_ALIVE_S
    grace_s: int = GRACE_S

    @property
    def max_form_bytes(self) -> int:
        """Of a form with covers: all of them, and what stands between them."""
        return min(self.max_bytes * self.max_files, self.max_memory_bytes) + self.max_text_bytes

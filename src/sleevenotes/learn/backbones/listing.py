"""The registry as a table: what `sleevenotes backbones` prints, and docs/backbones.md shows."""

from __future__ import annotations

from sleevenotes.learn.backbones.registry import BACKBONES, STANDINGS, Backbone
from sleevenotes.learn.backbones.weights import WEIGHTS_VARIABLE, at_hand, cache_folder

HEADER = ("name", "px", "numbers", "parameters", "normalise", "weights", "licence", "five-genres", "covers/s", "source")
WORDS = (
    "five-genres: accuracy of a logistic head on the frozen backbone, with its 95 % interval; guessing gives 0.20 to "
    "0.22 (docs/backbones.md). Any ONNX file is a backbone, too, by its path."
)


def rows(*, with_presence: bool = False) -> list[tuple[str, ...]]:
    """Return a row for each backbone that is known, in the order of `HEADER`.

    Parameters
    ----------
    with_presence
        Whether a cell goes before, "yes" where the weights are on this machine.
    """
    listed = [_row(backbone) for backbone in BACKBONES.values()]
    if not with_presence:
        return listed
    return [("yes" if at_hand(row[0]) else "no", *row) for row in listed]


def _row(backbone: Backbone) -> tuple[str, ...]:
    standing = STANDINGS.get(backbone.name)
    accuracy = f"{standing.accuracy:.3f} ({standing.low:.3f} to {standing.high:.3f})" if standing else "not measured"
    return (
        backbone.name,
        str(backbone.size_px),
        f"{backbone.features:,}",
        f"{backbone.parameters / 1e6:.1f} M",
        backbone.normalise,
        backbone.digest,
        backbone.licence,
        accuracy,
        f"{standing.covers_per_s:,}" if standing else "",
        backbone.source,
    )


def cure() -> str:
    """Return where weights are looked for."""
    return f"Weights are looked for with --weights, where {WEIGHTS_VARIABLE} says, in {cache_folder()}, then fetched."


def markdown() -> str:
    """Return the table in Markdown, as it stands in docs/backbones.md."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
    for row in rows():
        cells = [f"`{row[0]}`", *row[1:-1], f"<{row[-1]}>" if "://" in row[-1] else f"`{row[-1]}`"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"

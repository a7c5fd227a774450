"""Write the table of docs/backbones.md from the registry, or say whether it is current.

python docs/make_backbones.py            writes it
python docs/make_backbones.py --check    exit code 1 where it is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from sleevenotes.learn.backbones.listing import HEADER, markdown

PAGE = Path(__file__).parent / "backbones.md"


def current(page: str) -> str:
    """Return the page with the table as the registry has it now."""
    before, found, rest = page.partition(f"| {HEADER[0]} |")
    if not found:
        sys.exit(f"{PAGE.name}: no table that begins with '| {HEADER[0]} |'.")
    _, _, after = rest.partition("\n\n")
    return f"{before}{markdown()}\n{after}"


def main() -> None:
    """Write or check the page."""
    page = PAGE.read_text(encoding="utf-8")
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(current(page), encoding="utf-8")
    elif current(page) != page:
        sys.exit("docs/backbones.md: out of date. Run `make docs`.")


if __name__ == "__main__":
    main()

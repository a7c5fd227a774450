"""Templates of pages, the one door to Jinja: what they print is escaped, and what they do not know is an error.

What goes onto a page may come from other people (names of artists, genres, files). Jinja escapes every text, and
`printable` takes out the marks that no page may hold. The style that all pages share lies in `style.css`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from sleevenotes.publish.canvas import printable
from sleevenotes.publish.figure_sections import counted
from sleevenotes.publish.plots import share_words

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["commands_marked", "template", "words_marked"]


@cache
def template(name: str) -> Template:
    """Return a compiled template of this package, by the name of its file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sleevenotes", "publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters.update(count=counted, share=share_words, commands=commands_marked, words=words_marked)
    return environment.get_template(name)


def commands_marked(text: str) -> Markup:
    """Return a sentence in which commands between backticks are set as code, and all else is escaped.

    Examples
    --------
    >>> commands_marked("`sleevenotes check` finds <b>")
    Markup('<code>sleevenotes check</code> finds &lt;b&gt;')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(printable(text)))))


def words_marked(text: str) -> Markup:
    """Return a sentence in which `code` and *emphasis* are set so, neither within the other, and all else is escaped.

    Examples
    --------
    >>> words_marked("*No* `a * b` <i> 2 * 3 * 4")
    Markup('<em>No</em> <code>a * b</code> &lt;i&gt; 2 * 3 * 4')
    """

    def marked(found: re.Match[str]) -> str:
        return f"<code>{found[1]}</code>" if found[1] else f"<em>{found[2]}</em>"

    text = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", printable(text))  # a number keeps its sign
    # a star with a space at its inner side is a product, no emphasis
    return Markup(re.sub(r"`([^`]+)`|\*(?! )([^*`]+)(?<! )\*", marked, str(escape(text))))


def _finalize(value: Any) -> Any:
    """Let no control character out; what is Markup was made here."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

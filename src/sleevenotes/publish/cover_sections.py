"""The sections of the report that are made of covers: the dataset, what `check` found in it, and single answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sleevenotes.covers.check import fingerprint
from sleevenotes.covers.dataset import SPLITS
from sleevenotes.publish.pictures import Pictures, wall
from sleevenotes.publish.plots import share_words
from sleevenotes.publish.results import Answer, Explanation, Results, number

TILE_PX = 144
SHOWN_PX = 256
ANSWERS = 6  # hits, and as many misses
PROBLEMS = 20
TWINS = 6
TASKS = {
    "single": "Which one of {K} genres is it?",
    "binary": "Is it {first}, or not?",
    "multi": "Which of {K} genres, any number of them, does it have?",
}
SPLIT_MEANINGS = {"train": "to learn from", "valid": "to choose settings with", "test": "kept aside to the end"}


def shelves(results: Results, pictures: Pictures) -> dict[str, Any]:
    """Return what the dataset holds: counts, splits, and a few covers of each genre."""
    truths, splits = results.truths(), results.dataset.column("split")
    counts = Counter((genre, split) for genres, split in zip(truths, splits, strict=True) for genre in genres)
    totals = {genre: sum(counts[genre, split] for split in SPLITS) for genre in results.genres}
    largest = max(totals.values(), default=0) or 1
    rows = [
        {
            "genre": genre,
            "all": total,
            "width": f"{100 * total / largest:.1f}",
            "splits": [counts[genre, split] for split in SPLITS],
        }
        for genre, total in totals.items()
    ]
    sizes, settings = Counter(splits), results.dataset.settings
    return {
        "covers": len(results.dataset),
        "rows": rows,
        "splits": [{"name": split, "covers": sizes[split], "words": SPLIT_MEANINGS[split]} for split in SPLITS],
        "left_out": len(splits) - sum(sizes[split] for split in SPLITS),
        "reasons": [
            f"{number(count) or 0:,.0f} {reason}" for reason, count in (settings.get("left_out") or {}).items()
        ],
        "notes": [str(note) for note in settings.get("notes") or ()],
        "groups": int(number(settings.get("groups")) or len(set(results.dataset.column("group")) - {""})),
        "artists": len(set(results.dataset.column("artist")) - {""}),
        "question": TASKS[results.task].format(first=results.genres[0], K=len(results.genres)),
        "wall": _wall(results, pictures),
        "genres": len(results.genres),
    }


def _wall(results: Results, pictures: Pictures) -> list[dict[str, Any]]:
    shown = []
    for genre, rows in wall(results) if pictures.covers else []:
        tiles = [(row, pictures.tile(results.dataset.path(row), TILE_PX)) for row in rows]
        named = [{"uri": uri, "alt": _caption(results, results.dataset.file_names[row])} for row, uri in tiles if uri]
        if named:
            shown.append({"genre": genre, "tiles": named})
    return shown


def _caption(results: Results, file_name: str) -> str:
    """Return who made a cover and what the album is called, else what the file is called."""
    row = results.rows.get(file_name)
    if row is not None:
        known = (results.dataset.covers[name][row] for name in ("artist", "album"))
        words = " – ".join(word for word in known if word)
        if words:
            return words
    return file_name.replace("\\", "/").rpartition("/")[2] or "a cover"


def checked(results: Results, pictures: Pictures) -> dict[str, Any]:
    """Return what `check` found, with a few near-duplicates side by side."""
    lines = [f"{row.get('source', '')}: {row.get('problem', '')}".strip(": ") for row in results.problems[:PROBLEMS]]
    shown: dict[str, Any] = {"known": False, "problems": len(results.problems), "lines": lines, "rows": [], "twins": []}
    if results.check is None:
        return shown
    pairs = _near_pairs(results.check)
    stale = results.check.get("fingerprint") not in (None, fingerprint(results.dataset))
    twins = _twins(results, pairs, pictures) if pictures.covers else []
    return {**shown, "known": True, "stale": stale, "rows": _check_rows(results.check), "twins": twins}


def _near_pairs(check: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pairs = (check.get("near_duplicates") or {}).get("pairs") or ()
    return [pair for pair in pairs if isinstance(pair, Mapping)]


def _check_rows(check: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was looked for, how often it was found, and why it matters."""
    collected, near, across = (check.get(key) or {} for key in ("collected", "near_duplicates", "across_genres"))
    surplus = sum(len(same) - 1 for same in check.get("exact_duplicates") or ())
    few = sorted((check.get("few_covers") or {}).items(), key=lambda each: (each[1], each[0]))
    named = ", ".join(f"{genre} ({covers})" for genre, covers in few[:8]) + (" …" if len(few) > 8 else "")
    told = [
        (
            "Files merged by collect",
            collected.get("merged"),
            "The same byte for byte: one cover now, with the genres of all.",
        ),
        ("Exact duplicates left", surplus, "A copy in training gives the answer in the test away; they share a group."),
        (
            "Covers with a near-duplicate",
            near.get("covers"),
            "Other size, crop, border or sticker; they share a group.",
        ),
        (
            "… under different genres",
            across.get("covers"),
            "The same art, another answer: nobody can be right about all.",
        ),
        ("Covers of several genres", check.get("several_genres"), "They have no single right answer."),
        ("Covers without a genre", check.get("without_genre"), "They are in no split."),
        ("Genres with few covers", len(few), f"Too few to learn or to measure well: {named}" if few else "None."),
        ("Broken files", len(check.get("broken") or ()), "They can't be read, so nothing is learnt from them."),
        ("Files changed since", len(check.get("changed") or ()), "Other bytes than those that were collected."),
        ("Left out by collect", collected.get("left_out"), "Broken, or of no use; each is named in problems.csv."),
    ]
    optional = ("Covers without a genre", "Files changed since")
    return [
        {"name": name, "found": int(found), "words": words}
        for name, found, words in told
        if found is not None and (found or name not in optional)
    ]


def _twins(results: Results, pairs: Sequence[Mapping[str, Any]], pictures: Pictures) -> list[dict[str, Any]]:
    """Return a few near-duplicates side by side: those under different genres first, the least alike first."""
    told = sorted(
        pairs, key=lambda pair: (not pair.get("differ"), number(pair.get("similarity")) or 0.0, str(pair.get("a")))
    )
    twins = []
    for pair in told[:TWINS]:
        rows = [results.rows.get(str(pair.get(side))) for side in ("a", "b")]
        sides = [
            {
                "uri": pictures.tile(results.dataset.path(row), TILE_PX),
                "genres": list(results.dataset.genre_lists[row]),
                "alt": _caption(results, results.dataset.file_names[row]),
            }
            for row in rows
            if row is not None
        ]
        if len(sides) == 2 and all(side["uri"] for side in sides):
            twins.append(
                {"sides": sides, "similarity": f"{100 * (number(pair.get('similarity')) or 0):.0f}\N{NO-BREAK SPACE}%"}
            )
    return twins


def answers(results: Results, pictures: Pictures) -> dict[str, Any]:
    """Return the most confident hits and misses, with what spoke for them where that was worked out."""
    explained: dict[str, list[Explanation]] = {}
    for each in results.explanations or ():
        explained.setdefault(each.answer.file_name, []).append(each)
    candidates = [found[0].answer for found in explained.values()] or list(results.answers or ())
    candidates.sort(key=lambda answer: (-answer.proba, answer.file_name))
    hits = [answer for answer in candidates if _right(answer) is True][:ANSWERS]
    misses = [answer for answer in candidates if _right(answer) is False][:ANSWERS]
    known = results.answers is not None or results.explanations is not None
    return {
        "known": known,
        "explained": bool(explained),
        "hits": [_answer(results, answer, explained.get(answer.file_name, []), pictures) for answer in hits],
        "misses": [_answer(results, answer, explained.get(answer.file_name, []), pictures) for answer in misses],
    }


def _right(answer: Answer) -> bool | None:
    """Return whether an answer is right; with several genres, None where only some of it is."""
    if answer.correct is not None:
        return answer.correct
    said, true = ({part for part in text.split(";") if part} for text in (answer.predicted, answer.truth))
    if not said or not true:
        return None
    return True if said <= true else False if not said & true else None


def _answer(results: Results, answer: Answer, explained: Sequence[Explanation], pictures: Pictures) -> dict[str, Any]:
    row = results.rows.get(answer.file_name)
    source = explained[0].cover if explained else None
    path = source or (results.dataset.path(row) if row is not None else None)
    overlays = [
        {"uri": uri, "genre": each.genre} for each in explained[:2] if (uri := pictures.tile(each.overlay, SHOWN_PX))
    ]
    return {
        "caption": _caption(results, answer.file_name),
        "truth": answer.truth.split(";"),
        "predicted": answer.predicted.split(";"),
        "proba": share_words(answer.proba),
        "uri": pictures.tile(path, SHOWN_PX),
        "overlays": overlays,
    }

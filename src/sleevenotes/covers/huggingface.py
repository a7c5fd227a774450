"""A dataset in the form that Hugging Face `datasets` loads with its splits and types.

Beside `metadata.csv`, in which all splits stand in one table and genres are one text, a dataset that is split has
`train.parquet`, `validation.parquet` and `test.parquet`: the rows of each split, `genres` as a list and `year` as an
integer. Covers are not copied. `README.md` is the dataset card that says which file is which split; then
`load_dataset("DATASET")` has the right covers in each. Without the card, `load_dataset("imagefolder")` takes the three
files for the splits and asks for their names, instead of putting the covers of all splits into `train`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sleevenotes.covers.files import replacing

NAMES = {"train": "train", "valid": "validation", "test": "test"}
TABLES = tuple(f"{name}.parquet" for name in NAMES.values())
CARD_NAME = "README.md"
LISTS = ("genres",)
NUMBERS = ("year",)
LEFT_OUT = ("split",)


def write_splits(folder: Path, covers: pl.DataFrame, *, separator: str) -> None:
    """Write the three tables and the card, or remove the tables if the dataset is not split.

    A card that is there already is left alone: it does not depend on what the tables hold.

    Parameters
    ----------
    folder
        The dataset's folder.
    covers
        Its table, with the columns `split`, `genres` and `year` as text.
    separator
        What stands between the genres of a cover.
    """
    paths = {side: folder / f"{name}.parquet" for side, name in NAMES.items()}
    if not covers["split"].is_in(list(NAMES)).any():
        for path in paths.values():
            path.unlink(missing_ok=True)
        return
    table = covers.with_columns(_as_lists(name, separator) for name in LISTS)
    table = table.with_columns(pl.col(name).cast(pl.Int64, strict=False) for name in NUMBERS).drop(LEFT_OUT)
    for side, path in paths.items():
        with replacing(path) as partial:
            table.filter(covers["split"] == side).write_parquet(partial)
    if not (folder / CARD_NAME).exists():
        with replacing(folder / CARD_NAME) as partial:
            partial.write_text(card(), encoding="utf-8", newline="\n")


def _as_lists(name: str, separator: str) -> pl.Expr:
    parts = pl.col(name).str.split(separator).list.eval(pl.element().str.strip_chars())
    return parts.list.eval(pl.element().filter(pl.element() != ""))


def card() -> str:
    """Return the dataset card: what is loaded as which split, and how."""
    lines = ["---", "configs:", "- config_name: default", "  metadata_filenames:", *(f"  - {file}" for file in TABLES)]
    lines.append("  data_files:")
    for name in NAMES.values():
        lines += [f"  - split: {name}", "    path:", f"    - {name}.parquet", "    - images/**"]
    text = """
# Album covers

A dataset that sleevenotes made. To load it with Hugging Face `datasets`, in the folder that holds this one:

    from datasets import load_dataset
    covers = load_dataset("./NAME_OF_THIS_FOLDER")
    covers["train"][0]["image"], covers["train"][0]["genres"]

`train.parquet`, `validation.parquet` and `test.parquet` are written whenever sleevenotes writes `metadata.csv`. After
an edit by hand, `sleevenotes split` writes them again. Covers that the split leaves out are in none of them.

Covers are the artwork of others: you need their permission to publish this dataset.
"""
    return "\n".join([*lines, "---"]) + "\n" + text

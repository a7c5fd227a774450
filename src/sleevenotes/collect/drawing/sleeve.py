"""What is printed over the picture of a demo cover: type, and what labels and shops add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sleevenotes.collect.drawing.artwork import (
    Canvas,
    Color,
    Place,
    Rng,
    Shape,
    fit,
    grown,
    letters,
    luma,
    mix,
    on_sheet,
    slit,
    stacked,
    upright,
    without,
    worn,
)

# --- type ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Face:
    """How one font is made to look like many.

    `weight`, `tracking` and `slant` are in units of the letters' size, `stretch` is a factor on their width, and `sway`
    the degrees by which single letters lean.
    """

    caps: str
    weight: float = 0.0
    tracking: float = 0.0
    stretch: float = 1.0
    slant: float = 0.0
    effect: str = "plain"
    sway: float = 0.0


FACES = [
    Face("upper", 0.045, -0.03, 0.95),  # a bold grotesque
    Face("upper", 0.055, -0.04, 0.6),  # condensed
    Face("upper", 0.03, 0.0, 0.5),  # more so
    Face("upper", 0.0, 0.4),  # widely set, light
    Face("upper", 0.02, 0.16),
    Face("upper", 0.04, 0.02, 1.6),  # extended
    Face("lower", 0.05, -0.05),  # tight lower case
    Face("lower", 0.0, 0.04),
    Face("title", 0.0, 0.0),
    Face("title", 0.035, -0.02, 0.8),
    Face("title", 0.02, -0.03, 0.85, 0.25),  # leaning
    Face("upper", 0.05, -0.02, 0.9, 0.18, "extruded"),
    Face("upper", 0.05, 0.0, 0.8, 0.0, "extruded"),
    Face("upper", 0.05, 0.06, 0.9, 0.0, "outlined"),
    Face("upper", 0.06, 0.02, 1.1, 0.0, "slit"),
    Face("upper", 0.055, 0.0, 0.75, 0.0, "worn"),
    Face("title", 0.03, 0.02, 0.9, 0.0, "shadow"),
    Face("upper", 0.05, 0.0, 0.85, 0.0, "gradient"),
    Face("upper", 0.05, -0.02, 0.8, 0.12, "echo"),
    Face("lower", 0.045, 0.03, 0.9, 0.0, "plain", 7.0),  # letters that dance
    Face("upper", 0.03, 0.05, 0.8, 0.0, "worn", 4.0),
]


def set_type(c: Canvas, artist: str, album: str, rng: Rng) -> None:
    """Write the artist's name and the album's title, large or small, together or apart, where the picture is quiet."""
    face, second = FACES[rng.integers(len(FACES))], FACES[rng.integers(10)]
    layout = rng.random()
    if layout < 0.05:
        return
    if layout < 0.17:
        _vertical(c, rng, artist, album, face)
        return
    large = layout < 0.45
    if rng.random() < 0.25:
        artist, album = album, artist
    align = float(rng.choice([0, 0, 0.5, 0.5, 0.5, 1]))
    height = rng.uniform(0.13, 0.24) if large else rng.uniform(0.055, 0.11)
    lines = _broken(artist, 9 if large else 16, rng)
    head = [
        _line(c, line, face, height / (len(lines) ** 0.5), rng, justify=large and rng.random() < 0.7) for line in lines
    ]
    block = stacked(head, round(c.side * height * 0.14), align)
    small = _line(c, album, second, rng.uniform(0.03, 0.055), rng)
    together = rng.random() < 0.65
    if together:
        whole = stacked([block, small], round(c.side * rng.uniform(0.02, 0.04)), align)
        x, y = _quiet(c, whole, align, rng)
        _print(c, block, (x + round((whole.width - block.width) * align), y), face.effect, rng)
        _print(
            c, small, (x + round((whole.width - small.width) * align), y + whole.height - small.height), "plain", rng
        )
    else:
        _print(c, block, _quiet(c, block, align, rng), face.effect, rng)
        _print(c, small, _quiet(c, small, align, rng), "plain", rng)


def _vertical(c: Canvas, rng: Rng, artist: str, album: str, face: Face) -> None:
    name = upright(_line(c, artist, face, rng.uniform(0.07, 0.15), rng, justify=rng.random() < 0.5))
    title = upright(_line(c, album, FACES[3], 0.035, rng))
    edge, gap = round(0.05 * c.side), round(0.03 * c.side)
    left = rng.random() < 0.6
    x = edge if left else c.side - edge - name.width
    _print(c, name, (x, c.side - edge - name.height), face.effect, rng)
    beside = x + name.width + gap if left else x - gap - title.width
    _print(c, title, (beside, c.side - edge - title.height), "plain", rng)


def _broken(words: str, most: int, rng: Rng) -> list[str]:
    """Return the words in lines of about `most` letters or fewer."""
    lines = [""]
    for word in words.split():
        if lines[-1] and (len(lines[-1]) + len(word) >= most or rng.random() < 0.15):
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _line(c: Canvas, words: str, face: Face, height: float, rng: Rng, *, justify: bool = False) -> Shape:
    """Return one line of type, `height` of the side high, at most 0.9 wide, or just as wide with `justify`."""
    words = {"upper": words.upper(), "lower": words.lower()}.get(face.caps, words)
    high, most = max(5, round(height * c.side)), round(0.9 * c.side)
    px = next((size for size in (16, 24, 36, 54, 81, 120) if size >= 1.3 * high), 120)
    sway = [
        (float(t), float(u))
        for t, u in zip(rng.normal(0, face.sway, 7), rng.normal(0, face.sway / 130, 7), strict=True)
    ]
    shape = letters(words, px, weight=face.weight, tracking=face.tracking, sway=sway if face.sway else ())
    wide = round(shape.width / shape.height * high * face.stretch)
    if justify and wide > 0.35 * most:
        wide, high = most, round(high * min(1.25, max(0.75, most / wide)))
    elif wide > most:
        wide, high = most, max(5, round(high * max(most / wide, 0.55)))
    return fit(shape, wide, high, slant=face.slant)


def _quiet(c: Canvas, block: Shape, align: float, rng: Rng) -> tuple[int, int]:
    """Return where the block may stand (its upper left corner in px): the quietest of a few likely places."""
    edge = round(rng.choice([0.045, 0.06, 0.08]) * c.side)
    x = round(edge + (c.side - 2 * edge - block.width) * align)
    low, middle = c.side - edge - block.height, (c.side - block.height) // 2
    best, least = (x, edge), np.inf
    inner = [(middle, 0), (round(0.2 * c.side), 0), (round(0.72 * c.side) - block.height, 0)]
    for y, favour in [(edge, 15), (low, 15), *inner]:
        x0, y0, x1, y1 = (v / c.side for v in (x, y, x + block.width, y + block.height))
        noise = c.tone((x0, y0, x1, y1))[1] + rng.uniform(0, 30) - favour
        noise += 1000 * sum(overlap((x0, y0 - 0.02, x1, y1 + 0.02), other) > 0 for other in c.written)
        if noise < least:
            best, least = (x, y), noise
    return best


def overlap(first: Place, second: Place) -> float:
    """Return the area that two places share.

    Examples
    --------
    >>> overlap((0, 0, 0.5, 0.5), (0.25, 0.25, 1, 1))
    0.0625
    """
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)


def _print(c: Canvas, block: Shape, at: tuple[int, int], effect: str, rng: Rng) -> None:
    """Print a block of type in a colour that can be read there, with an effect if it is large enough for one."""
    place = (at[0] / c.side, at[1] / c.side, (at[0] + block.width) / c.side, (at[1] + block.height) / c.side)
    c.written.append(place)
    back, uneven = c.tone(place)
    shade = c.contrast(back, rng)
    small = block.height < 0.05 * c.side
    if uneven > 34 and not small and effect == "plain" and rng.random() < 0.25:
        plate = c.pen()
        plate.bar(place[0] - 0.025, place[1] - 0.022, place[2] + 0.025, place[3] + 0.022)
        back = c.shades[int(rng.integers(5))]
        c.paint(plate, back)
        shade = c.contrast(back)
    elif uneven > 24:
        shade = c.light if luma(back) < 135 else c.ink
        halo = c.ink if luma(back) < 135 else c.light
        c.paint(on_sheet(block, c.side, at), halo, opacity=0.5 if small else 0.8, blur=0.01 if small else 0.02)
    if small or c.side < 100:
        effect = "plain"
    _effect(c, block, at, effect, shade, rng)


def _effect(c: Canvas, block: Shape, at: tuple[int, int], effect: str, shade: Color, rng: Rng) -> None:
    step = max(1, c.side // 150)
    sheet = on_sheet(block, c.side, at)
    if effect == "extruded":
        other = c.ink if luma(shade) > 110 else c.accent
        for k in range(4, 0, -1):
            c.paint(on_sheet(block, c.side, (at[0] + k * step // 2 + k // 2, at[1] + k * step // 2 + k // 2)), other)
    elif effect == "shadow":
        c.paint(on_sheet(block, c.side, (at[0] + step, at[1] + 2 * step)), c.ink, opacity=0.6, blur=0.006)
    elif effect == "echo":
        for k in (3, 2, 1):
            c.paint(
                on_sheet(block, c.side, (at[0] + 3 * k * step, at[1] + 3 * k * step)), shade, opacity=0.5 - 0.13 * k
            )
    elif effect == "outlined":
        sheet = without(grown(sheet, step), sheet)
    elif effect == "slit":
        every = max(4, block.height // 7)
        sheet = on_sheet(slit(block, every, max(1, every // 4)), c.side, at)
    elif effect == "worn":
        sheet = on_sheet(worn(block, rng), c.side, at)
    if effect == "gradient":
        fill = c.sketch()
        fill.sky([shade, mix(shade, c.accent, 0.9), shade])
        c.paint(sheet, fill)
    else:
        c.paint(sheet, shade)


def write(c: Canvas, words: str, place: Place, shade: Color, *, weight: float = 0.03) -> None:
    """Write words into a place, as large as they fit."""
    shape = letters(words, 24, weight=weight, tracking=0.04)
    wide, high = (place[2] - place[0]) * c.side, (place[3] - place[1]) * c.side
    scale = min(wide / shape.width, high / shape.height)
    width, height = round(shape.width * scale), round(shape.height * scale)
    at = (round(place[0] * c.side + (wide - width) / 2), round(place[1] * c.side + (high - height) / 2))
    c.paint(on_sheet(fit(shape, width, height), c.side, at), shade)


# --- what labels and shops add ---------------------------------------------------------------------------------------


def furnish(c: Canvas, rng: Rng) -> None:
    """Add a frame, a stereo banner, a label's mark, a strip of paper, a sticker, or nothing."""
    if rng.random() < 0.14:
        _frame(c, rng)
    extra = rng.random()
    if extra < 0.07:
        _banner(c, rng)
    elif extra < 0.27:
        _mark(c, rng)
    elif extra < 0.31:
        _strip(c, rng)
    elif extra < 0.38:
        sticker(c, rng)


def _frame(c: Canvas, rng: Rng) -> None:
    width = rng.choice([0.012, 0.025, 0.04])
    pen, shade = c.pen(), [c.light, c.light, c.ink, c.accent][rng.integers(4)]
    pen.bar(-0.1, -0.1, 1.1, 1.1)
    gap = width if rng.random() < 0.6 else 0.035
    pen.bar(gap, gap, 1 - gap, 1 - gap, 0)
    if gap > width:
        pen.bar(-0.1, -0.1, 1.1, 1.1)
        pen.bar(gap - 0.012, gap - 0.012, 1 - gap + 0.012, 1 - gap + 0.012, 0)
        pen.bar(gap, gap, 1 - gap, 1 - gap)
        pen.bar(gap + 0.008, gap + 0.008, 1 - gap - 0.008, 1 - gap - 0.008, 0)
    c.paint(pen, shade)


def _banner(c: Canvas, rng: Rng) -> None:
    pen, top = c.pen(), 0.06
    if any(overlap((0, 0, 1, top), other) for other in c.written):
        return
    pen.bar(-0.1, -0.1, 1.1, top)
    back = [c.light, c.ink, c.accent][rng.integers(3)]
    c.paint(pen, back)
    words = ["STEREO", "FULL DIMENSIONAL STEREO", "LONG PLAYING", "33 1/3 RPM", "HIGH FIDELITY"][rng.integers(5)]
    write(c, words, (0.2, 0.016, 0.8, top - 0.014), c.contrast(back))
    c.written.append((0, 0, 1, top))


def _mark(c: Canvas, rng: Rng) -> None:
    corner = (float(rng.choice([0.08, 0.92])), float(rng.choice([0.08, 0.92])))
    place = (corner[0] - 0.05, corner[1] - 0.05, corner[0] + 0.05, corner[1] + 0.05)
    if any(overlap(place, other) for other in c.written):
        return
    back, _ = c.tone(place)
    shade, pen, kind = c.contrast(back), c.pen(), rng.integers(4)
    if kind == 0:
        pen.oval(*corner, (0.045, 0.03))
    elif kind == 1:
        pen.bar(corner[0] - 0.04, corner[1] - 0.025, corner[0] + 0.04, corner[1] + 0.025)
    elif kind == 2:
        pen.polygon(
            [
                (corner[0], corner[1] - 0.045),
                (corner[0] + 0.045, corner[1] + 0.03),
                (corner[0] - 0.045, corner[1] + 0.03),
            ]
        )
    c.paint(pen, shade)
    letter = "".join("ABCDEFGHKLMNORSTVWZ"[k] for k in rng.integers(19, size=2))
    if kind == 3:
        number = f"{letter} {rng.integers(100, 9999)}"
        write(c, number, (corner[0] - 0.055, corner[1] - 0.02, corner[0] + 0.055, corner[1] + 0.02), shade)
    else:
        write(
            c, letter, (corner[0] - 0.025, corner[1] - 0.012, corner[0] + 0.025, corner[1] + 0.018), c.contrast(shade)
        )
    c.written.append(place)


def _strip(c: Canvas, rng: Rng) -> None:
    pen, back = c.pen(), [c.light, c.accent, c.ink][rng.integers(3)]
    if any(overlap((0, 0, 0.12, 1), other) for other in c.written):
        return
    pen.bar(-0.1, -0.1, 0.115, 1.1)
    c.paint(pen, c.ink, opacity=0.5, blur=0.008)
    c.paint(pen, back)
    shape = upright(letters("LIMITED PRESSING", 24, weight=0.03, tracking=0.2))
    high = round(0.5 * c.side)
    c.paint(
        on_sheet(fit(shape, max(4, round(0.035 * c.side)), high), c.side, (round(0.04 * c.side), round(0.3 * c.side))),
        c.contrast(back),
    )
    c.written.append((0, 0, 0.12, 1))


def sticker(c: Canvas, rng: Rng, *, corner: tuple[int, int] | None = None) -> None:
    """Put a round sticker into a free corner, or the one named: 0 or 1 for left or right, and for top or bottom."""
    corners = [corner] if corner else [(int(k) // 2, int(k) % 2) for k in rng.permutation(4)]
    for right, low in corners:
        x, y, radius = (0.84 if right else 0.16), (0.84 if low else 0.16), rng.uniform(0.085, 0.11)
        place = (x - radius, y - radius, x + radius, y + radius)
        if corner is None and any(overlap(place, other) for other in c.written):
            continue
        pen, rim, back = (
            c.pen(),
            c.pen(),
            [c.accent, c.light, np.array([246, 214, 60], np.float32), np.array([214, 48, 44], np.float32)][
                rng.integers(4)
            ],
        )
        pen.disc(x, y, radius)
        if rng.random() < 0.4:
            around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            far = radius * np.where(np.arange(72) % 2, 1.08, 0.96)
            pen.polygon(np.column_stack([x + far * np.cos(around), y + far * np.sin(around)]))
        rim.ring(x, y, (radius * 0.82, radius * 0.88))
        c.paint(pen, c.ink, opacity=0.45, blur=0.008)
        c.paint(pen, back)
        shade = c.ink if luma(back) > 110 else c.light
        c.paint(rim, shade, opacity=0.8)
        words = [
            ("NEW", "ALBUM"),
            ("DELUXE", "EDITION"),
            ("BONUS", "TRACKS"),
            ("180g", "VINYL"),
            ("SALE", "4.99"),
            ("INCL.", "POSTER"),
        ][rng.integers(6)]
        write(c, words[0], (x - radius * 0.6, y - radius * 0.42, x + radius * 0.6, y - radius * 0.02), shade)
        write(c, words[1], (x - radius * 0.6, y + radius * 0.08, x + radius * 0.6, y + radius * 0.4), shade)
        c.written.append(place)
        return

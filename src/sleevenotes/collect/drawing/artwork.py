"""The drawing board of the demo covers: light, shapes, lettering and print.

Places on a cover are in units of its side: x to the right and y downwards from the upper left corner, 0 to 1. Colours
are float32 RGB from 0 to 255. A `Pen` draws one flat shape, larger than it will be, so that its edges come out smooth;
a `Canvas` lays colour, gradients or another canvas through that shape. Nothing here knows a genre.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

Color = NDArray[np.float32]  # (3,) RGB, 0 to 255
Field = NDArray[np.float32]  # (S, S), mostly 0 to 1
Points = NDArray[np.float64]  # (n, 2) x and y, or (n,) heights
Pixels = NDArray[np.uint8]  # (H, W, 3) sRGB
Place = tuple[float, float, float, float]  # x0, y0, x1, y1 in units of the side
Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in px, the last two excluded
Rng = np.random.Generator
WHITE, BLACK = np.full(3, 255, np.float32), np.zeros(3, np.float32)
Shape = Image.Image  # "L", white where the shape is

# 256 equally likely values of a normal distribution: grain for a byte of randomness a pixel
GRAIN = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)], np.float32)
SPREAD = [min(255, max(0, 7 * (v - 14))) for v in range(256)]  # from the skirt of a blurred edge to a new, sharp one
GAMMA = 2.0  # colours are mixed in (nearly) linear light, so that gradients do not go grey half-way


def color(hexadecimal: str) -> Color:
    """Return the colour of six hexadecimal digits.

    Examples
    --------
    >>> color("ff8000").tolist()
    [255.0, 128.0, 0.0]
    """
    return np.frombuffer(bytes.fromhex(hexadecimal), np.uint8).astype(np.float32)


def mix(first: Color, second: Color, share: float) -> Color:
    """Return `first` and `second` mixed as light, `share` (0 to 1) of it `second`."""
    light = (1 - share) * (first / 255) ** GAMMA + share * (second / 255) ** GAMMA
    return np.asarray(255 * light ** (1 / GAMMA), np.float32)


def luma(shade: Color) -> float:
    """Return how bright a colour looks, 0 to 255 (Rec. 601, as Pillow's grey)."""
    return float(shade @ np.array([0.299, 0.587, 0.114], np.float32))


def distance(first: Color, second: Color) -> float:
    """Return how far apart two colours look, 0 to about 765.

    The "redmean" formula of T. Riemersma, https://www.compuphase.com/cmetric.htm.
    """
    red = float(first[0] + second[0]) / 2
    r, g, b = (float(d) ** 2 for d in first - second)
    return float(np.sqrt((2 + red / 256) * r + 4 * g + (2 + (255 - red) / 256) * b))


@lru_cache(maxsize=16)
def grid(side: int) -> tuple[Field, Field]:
    """Return x and y of every pixel's centre, each (S, S), in units of the side."""
    at = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    return np.tile(at, (side, 1)), np.tile(at[:, None], (1, side))


def clouds(rng: Rng, side: int, cells: tuple[float, float] = (3, 3), octaves: int = 4) -> Field:
    """Return smooth noise (S, S) from 0 to 1: octaves of value noise, each half as strong as the one before."""
    sizes = [tuple(max(2, min(side, round(n * 2**octave) + 1)) for n in cells) for octave in range(octaves)]
    total = rng.random(sizes[0], np.float32)
    for octave, (rows, columns) in enumerate(sizes[1:], 1):
        total = _stretched(total, columns, rows) + rng.random((rows, columns), np.float32) / np.float32(2**octave)
    total = _stretched(total, side, side)
    low, high = float(total.min()), float(total.max())
    return (total - low) * np.float32(1 / max(high - low, 1e-6))


def _stretched(field: Field, width: int, height: int) -> Field:
    return np.asarray(Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC))


def ridge(rng: Rng, n: int, roughness: float = 1.0) -> NDArray[np.float64]:
    """Return a random outline of n heights from -1 to 1; the larger the roughness (0 to 2), the more jagged."""
    frequency = np.arange(1, n // 2 + 1)
    strength = frequency ** (roughness - 2.6)
    waves = strength * np.exp(2j * np.pi * rng.random(frequency.size))
    line = np.fft.irfft(np.concatenate([[0], waves]), 2 * n)[:n]
    return np.asarray(line / np.abs(line).max())


def under(heights: Points) -> Points:
    """Return the polygon between a line of heights across the cover and its lower edge."""
    x = np.linspace(-0.01, 1.01, len(heights))
    return np.concatenate([np.column_stack([x, heights]), [(1.01, 1.02), (-0.01, 1.02)]])


def mirrored(half: Sequence[tuple[float, float]]) -> Points:
    """Return a polygon (2n, 2) from the right half of its outline, given from the top down around x = 0.

    Examples
    --------
    >>> mirrored([(1, 0), (2, 1)]).tolist()
    [[1.0, 0.0], [2.0, 1.0], [-2.0, 1.0], [-1.0, 0.0]]
    """
    right = np.array(half, np.float64)
    return np.concatenate([right, right[::-1] * (-1, 1)])


def smoothed(points: Points, times: int = 2) -> Points:
    """Return a closed polygon with its corners cut (G. Chaikin's algorithm, 1974)."""
    for _ in range(times):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(-1, 2)
    return points


class Pen:
    """Draws one shape, white on black.

    Parameters
    ----------
    side
        Side of the shape in px, once done.
    turn
        Degrees by which all that is drawn is turned clockwise around `centre`.
    zoom
        Factor by which it grows around `centre`.
    to
        Where `centre` comes to lie; where it is, if not given.
    """

    def __init__(
        self,
        side: int,
        *,
        turn: float = 0.0,
        zoom: float = 1.0,
        centre: tuple[float, float] = (0.5, 0.5),
        to: tuple[float, float] | None = None,
    ) -> None:
        self.side = side
        self.over = 2 if side >= 150 else 3
        self.paper = Image.new("L", (side * self.over, side * self.over))
        self.draw = ImageDraw.Draw(self.paper)
        angle = np.deg2rad(turn)
        self.zoom, self.moved = zoom, bool(turn or zoom != 1 or to)
        self.centre, self.to = np.array(centre), np.array(to or centre)
        self.matrix = zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    def _at(self, points: ArrayLike) -> list[float]:
        """Return points as x, y, x, y, … in px of the paper."""
        at = np.asarray(points, np.float64)
        if self.moved:
            at = (at - self.centre) @ self.matrix + self.to
        flat: list[float] = (at * (self.side * self.over) - 0.5).ravel().tolist()
        return flat

    def polygon(self, points: ArrayLike, ink: int = 255) -> None:
        """Fill a polygon of (n, 2) points; an `ink` of 0 rubs out."""
        self.draw.polygon(self._at(points), fill=ink)

    def bar(self, x0: float, y0: float, x1: float, y1: float, ink: int = 255) -> None:
        """Fill a rectangle."""
        if self.moved:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], ink)
        else:
            scale = self.side * self.over
            corners = [v * scale - 0.5 for v in (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))]
            self.draw.rectangle(corners, fill=ink)

    def disc(self, x: float, y: float, radius: float, ink: int = 255) -> None:
        """Fill a circle."""
        at_x, at_y = self._at([(x, y)])
        r = radius * self.zoom * self.side * self.over
        self.draw.ellipse([at_x - r, at_y - r, at_x + r, at_y + r], fill=ink)

    def oval(self, x: float, y: float, radii: tuple[float, float], *, tilt: float = 0.0, ink: int = 255) -> None:
        """Fill an ellipse whose first radius lies `tilt` degrees clockwise from the x axis."""
        around, angle = np.linspace(0, 2 * np.pi, 40, endpoint=False), np.deg2rad(tilt)
        u, v = radii[0] * np.cos(around), radii[1] * np.sin(around)
        self.polygon(
            np.column_stack([x + u * np.cos(angle) - v * np.sin(angle), y + u * np.sin(angle) + v * np.cos(angle)]), ink
        )

    def ring(self, x: float, y: float, radii: tuple[float, float], ink: int = 255) -> None:
        """Fill what lies between two circles, the inner radius first; what lies within the inner one stays."""
        at_x, at_y = self._at([(x, y)])
        scale = self.zoom * self.side * self.over
        r = radii[1] * scale
        self.draw.ellipse(
            [at_x - r, at_y - r, at_x + r, at_y + r], outline=ink, width=max(1, round((radii[1] - radii[0]) * scale))
        )

    def line(self, points: ArrayLike, width: float, ink: int = 255) -> None:
        """Draw a line with round ends through (n, 2) points."""
        at = self._at(points)
        thick = max(1, round(width * self.zoom * self.side * self.over))
        self.draw.line(at, fill=ink, width=thick, joint="curve")
        if thick > 2:
            for x, y in (at[:2], at[-2:]):
                self.draw.ellipse([x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2], fill=ink)

    def mask(self) -> Shape:
        """Return the shape with smooth edges, an "L" picture of `side`."""
        return self.paper.reduce(self.over)


class Canvas:
    """A square picture that is painted layer by layer.

    Parameters
    ----------
    side
        Its side in px.
    shades
        Five colours from dark to light, the fourth of them a contrast: what the cover is painted with.

    Attributes
    ----------
    picture
        The picture so far.
    written
        Places that bear words, so that other things keep clear of them.
    """

    def __init__(self, side: int, shades: Sequence[Color]) -> None:
        self.side = side
        self.ink, self.deep, self.main, self.accent, self.light = self.shades = list(shades)
        self.picture = Image.new("RGB", (side, side))
        self.written: list[Place] = []

    def pen(
        self,
        *,
        turn: float = 0.0,
        zoom: float = 1.0,
        centre: tuple[float, float] = (0.5, 0.5),
        to: tuple[float, float] | None = None,
    ) -> Pen:
        """Return a pen for a shape of this canvas."""
        return Pen(self.side, turn=turn, zoom=zoom, centre=centre, to=to)

    def sketch(self) -> Canvas:
        """Return an empty canvas of the same size and shades."""
        return Canvas(self.side, self.shades)

    def fill(self, shade: Color) -> None:
        """Cover everything with one colour."""
        self.picture.paste(_rgb(shade), (0, 0, self.side, self.side))

    def ramp(self, at: NDArray[np.floating], shades: Sequence[Color]) -> None:
        """Cover everything with a gradient: where `at` (S, S) is 0 the first colour, where it is 1 the last.

        One column (S, 1) is enough for what changes from the top down only.
        """
        packed = _table(shades).take((at * 1023).astype(np.int32), mode="clip")
        painted = Image.frombuffer("RGBX", packed.shape[::-1], packed.tobytes()).convert("RGB")
        self.picture = painted.resize(self.picture.size, Image.Resampling.NEAREST)

    def sky(self, shades: Sequence[Color], *, turn: float = 0.0) -> None:
        """Cover everything with a straight gradient, from the top down, turned by degrees."""
        angle = np.deg2rad(turn)
        across, down = np.sin(angle), np.cos(angle)
        along = ((np.arange(self.side) / (self.side - 1) - 0.5) / (abs(across) + abs(down))).astype(np.float32)
        if turn:
            self.ramp(np.add.outer(along * np.float32(down) + np.float32(0.5), along * np.float32(across)), shades)
        else:
            self.ramp(along[:, None] + 0.5, shades)

    def paint(self, shape: Pen | Shape, what: Color | Canvas, *, opacity: float = 1.0, blur: float = 0.0) -> None:
        """Lay a colour or another canvas through a shape, blurred by a share of the side."""
        mask = shape.mask() if isinstance(shape, Pen) else shape
        if blur:
            mask = _blurred(mask, blur * self.side)
        box = mask.getbbox()
        if box is None:
            return
        mask = mask.crop(box)
        if opacity < 1:
            mask = mask.point((np.arange(256) * opacity).astype(np.uint8).tolist())
        self.picture.paste(what.picture.crop(box) if isinstance(what, Canvas) else _rgb(what), box, mask)

    def haze(self, strength: Field, shade: Color) -> None:
        """Lay a colour over everything, where `strength` is 1 wholly."""
        mask = Image.fromarray(np.clip(strength * np.float32(255), 0, 255).astype(np.uint8))
        self.picture.paste(_rgb(shade), (0, 0), mask)

    def glow(self, x: float, y: float, radius: float, shade: Color, *, strength: float = 0.8) -> None:
        """Add light that falls off around a point."""
        at = (np.arange(self.side) + 0.5) / self.side
        near = np.outer(np.exp(-(((at - y) / radius) ** 2)), np.exp(-(((at - x) / radius) ** 2)))
        lit = ImageChops.screen(self.picture, Image.new("RGB", self.picture.size, _rgb(shade)))
        self.picture.paste(lit, (0, 0), Image.fromarray((near * (255 * strength)).astype(np.uint8)))

    def fade(self, floor: Color) -> None:
        """Lift black to the colour `floor`, and all else in proportion."""
        self.picture = self.picture.point([round(f + v * (1 - f / 255)) for f in floor.tolist() for v in range(256)])

    def grain(self, rng: Rng, strength: float) -> None:
        """Add grey noise with a standard deviation of `strength`."""
        noise = (GRAIN * strength + 128).astype(np.uint8).take(np.frombuffer(rng.bytes(self.side**2), np.uint8))
        grey = Image.fromarray(noise.reshape(self.side, self.side)).convert("RGB")
        self.picture = ImageChops.add(self.picture, grey, 1.0, -128)

    def blur(self, amount: float) -> None:
        """Blur everything by a share of the side."""
        self.picture = self.picture.filter(ImageFilter.GaussianBlur(amount * self.side))

    def set(self, pixels: NDArray[np.float32]) -> None:
        """Replace the picture by float pixels (S, S, 3), cut to 0 to 255."""
        self.picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def tone(self, place: Place) -> tuple[Color, float]:
        """Return the mean colour of a place and how uneven it is (the standard deviation of its grey, 0 to 127)."""
        x0, y0, x1, y1 = (round(min(max(v, 0), 1) * self.side) for v in place)
        x0, y0 = min(x0, self.side - 1), min(y0, self.side - 1)
        box = (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))
        part = np.asarray(self.picture.resize((16, 16), Image.Resampling.BOX, box=box), np.float32)
        grey = part @ np.array([0.299, 0.587, 0.114], np.float32)
        return part.mean(axis=(0, 1)), float(grey.std())

    def contrast(self, against: Color, rng: Rng | None = None) -> Color:
        """Return the shade that stands out against a colour: the farthest, or with `rng` one of those that do well."""
        ranked = sorted(self.shades, key=lambda shade: -distance(shade, against))
        enough = [s for s in ranked if abs(luma(s) - luma(against)) > 75] or ranked[:1]
        return enough[int(rng.integers(len(enough)))] if rng is not None else enough[0]

    def duotone(self, shades: Sequence[Color]) -> None:
        """Recolour everything by its brightness."""
        grey = np.asarray(ImageOps.autocontrast(self.picture.convert("L"), cutoff=1), np.float32) / 255
        self.ramp(grey, shades)

    def halftone(self, cells: int, shades: tuple[Color, Color]) -> None:
        """Print everything in round dots of the first colour on the second, `cells` of them a side."""
        x, y = grid(self.side)
        grey = (
            np.asarray(self.picture.convert("L").filter(ImageFilter.BoxBlur(self.side / cells / 3)), np.float32) / 255
        )
        u, v = (x + y) * cells * np.pi * 0.7071, (x - y) * cells * np.pi * 0.7071
        screen = 0.5 + 0.25 * (np.cos(2 * u) + np.cos(2 * v))
        self.ramp(np.clip((grey - screen) * 6 + 0.5, 0, 1), shades)


def _blurred(mask: Shape, px: float) -> Shape:
    """Return the shape out of focus; wide blurs are made at a smaller size, where nobody can tell."""
    shrink = 1 if px < 2.5 else 2 if px < 5 else 4
    if shrink == 1:
        return mask.filter(ImageFilter.GaussianBlur(px))
    small = mask.reduce(shrink).filter(ImageFilter.GaussianBlur(px / shrink))
    return small.resize(mask.size, Image.Resampling.BILINEAR)


def _rgb(shade: Color) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in np.clip(shade, 0, 255))
    return red, green, blue


def _table(shades: Sequence[Color]) -> NDArray[np.uint32]:
    """Return 1,024 steps of a gradient through the colours, mixed as light; four bytes a colour, the last one empty."""
    light = (np.stack(list(shades)) / 255) ** GAMMA
    at, stops = np.linspace(0, 1, 1024), np.linspace(0, 1, len(light))
    steps = np.zeros((1024, 4), np.uint8)
    for channel in range(3):
        steps[:, channel] = 255 * np.interp(at, stops, light[:, channel]) ** (1 / GAMMA)
    return steps.view(np.uint32)[:, 0]


@lru_cache(maxsize=64)
def _font(px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(px)


@lru_cache(maxsize=4096)
def _glyph(letter: str, px: int, stroke: int) -> tuple[Shape, float]:
    """Return one letter on a sheet of 2 px by 2 px, its baseline at 1.5 px, and how far it moves on."""
    sheet = Image.new("L", (2 * px, 2 * px))
    font = _font(px)
    ImageDraw.Draw(sheet).text((px // 2, px * 3 // 2), letter, fill=255, font=font, anchor="ls", stroke_width=stroke)
    return sheet, float(font.getlength(letter)) + stroke


def letters(
    words: str, px: int, *, weight: float = 0.0, tracking: float = 0.0, sway: Sequence[tuple[float, float]] = ()
) -> Shape:
    """Return words as white letters on black, cut to their edges, in the one font that Pillow carries.

    Parameters
    ----------
    words
        One line.
    px
        Size of the letters.
    weight
        Boldness: width of an outline around each letter, in units of `px`.
    tracking
        Space between letters, in units of `px`.
    sway
        A turn in degrees and a lift in units of `px` for every letter in turn.
    """
    stroke = round(weight * px)
    sheet = Image.new("L", (round(px * (len(words) + 3) * (1 + max(tracking, 0))), 2 * px))
    x = 0.0
    for place, letter in enumerate(words):
        glyph, step = _glyph(letter, px, stroke)
        lift = 0.0
        if sway:
            turn, lift = sway[place % len(sway)]
            glyph = glyph.rotate(turn, Image.Resampling.BICUBIC, center=(px, px))
        at = (round(x), round(lift * px))
        sheet.paste(255, at, glyph)
        x += step + tracking * px
    box = sheet.getbbox()
    return sheet.crop(box) if box else sheet.crop((0, 0, 1, 1))


def fit(shape: Shape, width: int, height: int, *, slant: float = 0.0) -> Shape:
    """Return letters stretched to width × height px, leaning to the right by `slant` (a share of the height)."""
    width, height = max(width, 1), max(height, 1)
    lean = round(slant * height)
    shape = shape.resize((max(width - lean, 1), height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    if not lean:
        return shape
    return shape.transform(
        (width, height), Image.Transform.AFFINE, (1, slant, -slant * height, 0, 1, 0), Image.Resampling.BICUBIC
    )


def grown(shape: Shape, px: float) -> Shape:
    """Return the shape grown by about px on every side, at the same size."""
    return shape.filter(ImageFilter.GaussianBlur(px)).point(SPREAD)


def without(first: Shape, second: Shape) -> Shape:
    """Return the first shape without the second."""
    return ImageChops.subtract(first, second)


def shared(first: Shape, second: Shape) -> Shape:
    """Return what two shapes have in common."""
    return ImageChops.multiply(first, second)


def stacked(shapes: Sequence[Shape], gap: int, align: float) -> Shape:
    """Return shapes one below the other, `gap` px apart; `align` is 0 for flush left, 0.5 centred, 1 flush right."""
    width = max(shape.width for shape in shapes)
    block = Image.new("L", (width, sum(shape.height + gap for shape in shapes) - gap))
    y = 0
    for shape in shapes:
        block.paste(shape, (round((width - shape.width) * align), y))
        y += shape.height + gap
    return block


def on_sheet(shape: Shape, side: int, at: tuple[int, int]) -> Shape:
    """Return an empty sheet of `side` px with the shape on it, its upper left corner at `at`."""
    sheet = Image.new("L", (side, side))
    sheet.paste(shape, at)
    return sheet


def upright(shape: Shape) -> Shape:
    """Return the shape turned by a quarter, to be read from below upwards."""
    return shape.transpose(Image.Transpose.ROTATE_90)


def slit(shape: Shape, every: int, gap: int) -> Shape:
    """Return the shape with a slit of `gap` px cut across it in every `every` px."""
    rows = np.where(np.arange(shape.height) % every < gap, 0, 255).astype(np.uint8)
    return shared(shape, Image.fromarray(np.repeat(rows[:, None], shape.width, axis=1)))


def worn(shape: Shape, rng: Rng) -> Shape:
    """Return the shape with specks rubbed off."""
    specks = clouds(rng, max(shape.size), (14, 14), 4)[: shape.height, : shape.width]
    return shared(shape, Image.fromarray((np.clip(6 * (specks - 0.22), 0, 1) * 255).astype(np.uint8)))

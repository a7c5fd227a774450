"""Views out of doors. Each of the scenes fills the canvas that it is given; `person` and `birds` people them."""

from __future__ import annotations

import numpy as np

from sleevenotes.collect.drawing.artwork import (
    WHITE,
    Canvas,
    Color,
    Pen,
    Points,
    Rng,
    clouds,
    grid,
    mirrored,
    mix,
    ridge,
    under,
)
from sleevenotes.collect.drawing.patterns import stars


def heavens(c: Canvas, rng: Rng) -> Color:
    """Fill the canvas with a sky, perhaps with clouds, stars and a sun; return the colour at the horizon."""
    skies = [
        [c.deep, c.main, c.light],
        [c.ink, c.deep, c.accent],
        [mix(c.light, c.main, 0.5), c.light],
        [c.deep, c.accent, c.light],
        [c.ink, c.deep, c.main],
        [c.accent, mix(c.accent, c.light, 0.7)],
        [c.ink, mix(c.ink, c.deep, 0.8)],
    ]
    sky = skies[rng.integers(len(skies))]
    c.sky([*sky, sky[-1]])
    if rng.random() < 0.6:
        veil = np.clip(clouds(rng, c.side, (5, 1.5), 4) * 1.8 - 0.75, 0, 1)
        c.haze(veil * np.float32(rng.uniform(0.3, 0.8)) * (1 - 0.6 * grid(c.side)[1]), mix(sky[-1], c.light, 0.5))
    if float(sky[0].mean()) < 70 and rng.random() < 0.7:
        stars(c, rng, int(rng.integers(30, 120)))
    if rng.random() < 0.75:
        _sun(c, rng, c.light if rng.random() < 0.65 else c.accent)
    return sky[-1]


def _sun(c: Canvas, rng: Rng, shade: Color) -> None:
    x, y, radius = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.55), float(rng.choice([0.045, 0.07, 0.12, 0.2]))
    c.glow(x, y, radius * 2.6, shade, strength=0.55)
    pen = c.pen()
    pen.disc(x, y, radius)
    if radius > 0.1 and rng.random() < 0.3:  # cut by slits, as in the eighties
        for k in range(5):
            pen.bar(0, y + radius * (0.05 + 0.2 * k), 1, y + radius * (0.1 + 0.22 * k), 0)
    c.paint(pen, shade)


def _pines(pen: Pen, rng: Rng, line: Points, height: float, n: int) -> None:
    steps = np.linspace(0, 1, 6)
    taper = 0.13 * np.where(np.arange(6) % 2, 0.65, 1.0) * (0.12 + steps)
    for x in rng.random(n):
        base = float(np.interp(x, np.linspace(0, 1, len(line)), line)) + 0.02
        tall = height * rng.uniform(0.5, 1.1)
        half = list(zip(taper.tolist(), (steps - 1).tolist(), strict=True))
        pen.polygon(mirrored(half) * tall + (x, base))


def birds(pen: Pen, rng: Rng) -> None:
    """Draw a flock high up."""
    x, y = rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.4)
    wing = np.array([(-1, -0.5), (-0.4, -0.6), (0, 0), (0.4, -0.6), (1, -0.4)])
    for _ in range(int(rng.integers(4, 12))):
        size = rng.uniform(0.01, 0.026)
        pen.line(wing * size + (x + rng.normal(0, 0.1), y + rng.normal(0, 0.05)), size * 0.2)


def person(pen: Pen, rng: Rng, x: float, floor: float, height: float) -> None:
    """Draw a standing figure, feet on the floor; perhaps in a coat, a skirt or a hat, perhaps with a guitar.

    Lengths below are in units of the figure's height, measured from the point between its feet.
    """
    foot_at, h = np.array([x, floor]), height
    broad, sway = rng.uniform(0.85, 1.12), rng.normal(0, 0.015)
    shoulder, waist = 0.112 * broad, 0.082 * broad
    top_at = foot_at + np.array([sway * h, 0])
    pen.oval(top_at[0], floor - 0.925 * h, (0.052 * h, 0.07 * h))
    torso = mirrored(
        [(0.022, -0.93), (0.03, -0.845), (shoulder, -0.805), (shoulder, -0.74), (waist, -0.58), (waist * 1.12, -0.48)]
    )
    pen.polygon(torso * h + top_at)
    for sign in (-1, 1):
        pen.line(_arm(rng, sign, shoulder, waist) * h + top_at, 0.042 * h)
        foot, stance = sign * rng.uniform(0.045, 0.1), sign * 0.05
        knee = (stance + foot) / 2 + sign * rng.uniform(-0.005, 0.015)
        leg = np.array([(stance - 0.042, -0.5), (stance + 0.042, -0.5), (knee + 0.03, -0.26), (foot + 0.022, -0.02),
                        (foot - 0.022, -0.02), (knee - 0.03, -0.26)])  # fmt: skip
        shoe = np.array([(-0.024 * sign, -0.04), (0.055 * sign, -0.008), (0.055 * sign, 0), (-0.03 * sign, 0)])
        pen.polygon(leg * h + foot_at)
        pen.polygon((shoe + np.array([foot, 0])) * h + foot_at)
    dress, crown = rng.random(), rng.random()
    if dress < 0.2:  # a long coat
        pen.polygon(mirrored([(waist, -0.6), (0.135, -0.2)]) * h + foot_at)
    elif dress < 0.4:  # a skirt, and longer hair
        pen.polygon(mirrored([(waist, -0.56), (0.13, -0.3)]) * h + foot_at)
        pen.oval(top_at[0], floor - 0.905 * h, (0.07 * h, 0.085 * h))
    if crown < 0.15:  # a hat
        pen.oval(top_at[0], floor - 0.955 * h, (0.105 * h, 0.014 * h))
        pen.polygon(mirrored([(0.045, -1.025), (0.056, -0.955)]) * h + top_at)
    elif crown < 0.4:  # a lot of hair
        pen.disc(top_at[0], floor - 0.94 * h, 0.085 * h)
    if rng.random() < 0.25:  # a guitar
        tilt = float(rng.choice([-1, 1]))
        pen.oval(x - tilt * 0.03 * h, floor - 0.52 * h, (0.1 * h, 0.065 * h), tilt=-tilt * 25)
        pen.line(np.array([(0, -0.55), (tilt * 0.29, -0.69)]) * h + foot_at, 0.02 * h)


def _arm(rng: Rng, sign: int, shoulder: float, waist: float) -> Points:
    """Return shoulder, elbow and hand: hanging, or with the hand on the hip."""
    start = (sign * shoulder * 0.86, -0.775)
    if rng.random() < 0.3:
        return np.array([start, (start[0] + sign * 0.075, -0.605), (sign * waist * 1.05, -0.52)])
    elbow = start[0] + sign * rng.uniform(0.01, 0.035)
    return np.array([start, (elbow, -0.605), (elbow + sign * rng.uniform(-0.01, 0.02), -0.425)])


def hills(c: Canvas, rng: Rng) -> None:
    """Draw hills or mountains one behind the other, paler the farther."""
    air = heavens(c, rng)
    n, rough, start = int(rng.integers(3, 7)), rng.uniform(0.2, 1.15), rng.uniform(0.45, 0.7)
    near, line = (c.ink if rng.random() < 0.8 else c.deep), np.zeros(1)
    for k in range(n):
        far = k / (n - 1)
        line = start + (0.95 - start) * far + ridge(rng, 160, rough) * (0.13 - 0.08 * far)
        pen = c.pen()
        pen.polygon(under(line))
        if far > 0.6 and rng.random() < 0.4:
            _pines(pen, rng, line, 0.05 + 0.12 * far, int(rng.integers(6, 40)))
        c.paint(pen, mix(mix(air, c.main, 0.35), near, 0.2 + 0.8 * far))
        if far < 1 and rng.random() < 0.5:
            fog = c.pen()
            fog.polygon(under(line + 0.07))
            c.paint(fog, air, opacity=0.35, blur=0.03)
    pen, alive = c.pen(), rng.random()
    if alive < 0.35:
        birds(pen, rng)
    elif alive < 0.65:
        x = rng.uniform(0.2, 0.8)
        person(pen, rng, x, float(line[int(x * len(line))]) + 0.02, rng.uniform(0.1, 0.24))
    c.paint(pen, near)


def sea(c: Canvas, rng: Rng) -> None:
    """Draw a horizon, a low sun and its path on the water."""
    horizon, x = rng.uniform(0.4, 0.68), rng.uniform(0.25, 0.75)
    pairs = [(c.deep, c.accent), (c.main, c.light), (c.ink, c.main), (c.accent, c.light), (c.ink, c.accent)]
    high, low = pairs[rng.integers(5)]
    c.sky([high, mix(high, low, 0.5), low, low])
    c.haze(np.clip(clouds(rng, c.side, (7, 1.5), 4) - 0.5, 0, 0.5), mix(low, c.light, 0.6))
    y, radius = horizon - rng.uniform(-0.02, 0.14), rng.uniform(0.04, 0.13)
    c.glow(x, y, radius * 3, mix(c.light, c.accent, 0.3), strength=0.7)
    sun, below = c.pen(), c.pen()
    sun.disc(x, y, radius)
    c.paint(sun, mix(c.light, WHITE, 0.4))
    below.bar(-0.1, horizon, 1.1, 1.1)
    c.paint(below, _water(c, rng, horizon, x, mix(low, c.deep, 0.4)))
    land = c.pen()
    if rng.random() < 0.5:
        line = horizon + 0.004 - np.clip(ridge(rng, 120, 0.8) * 0.09 + rng.uniform(-0.05, 0.05), 0, 1)
        shore = [(1, horizon + 0.004), (0, horizon + 0.004)]
        land.polygon(np.concatenate([np.column_stack([np.linspace(0, 1, 120), line]), shore]))
    if rng.random() < 0.4:
        birds(land, rng)
    if rng.random() < 0.3:
        land.polygon(under(0.93 + ridge(rng, 60, 0.5) * 0.04))
        person(land, rng, rng.uniform(0.15, 0.85), 0.94, rng.uniform(0.25, 0.5))
    c.paint(land, c.ink)


def _water(c: Canvas, rng: Rng, horizon: float, x: float, far: Color) -> Canvas:
    water, glitter = c.sketch(), c.pen()
    water.sky([far, c.deep, c.ink])
    crests = np.clip(clouds(rng, c.side, (40, 3), 2) * 2 - 1.1, 0, 1) * 0.5
    water.haze(crests * np.clip(1.4 - grid(c.side)[1], 0, 1), mix(c.main, c.light, 0.5))
    for depth in rng.random(140) ** 1.4:
        at = horizon + 0.01 + depth * (1 - horizon)
        off, size = rng.normal(0, 0.02 + 0.09 * depth), rng.uniform(0.01, 0.03) + 0.04 * depth
        glitter.bar(x + off - size, at, x + off + size, at + 0.002 + 0.005 * depth)
    water.paint(glitter, mix(c.light, WHITE, 0.3), opacity=0.8)
    return water


def skyline(c: Canvas, rng: Rng) -> None:
    """Draw a city at dusk with lit windows."""
    air = heavens(c, rng)
    for k, floor in enumerate((0.55, 0.66, 0.8)):
        houses, windows, x = c.pen(), c.pen(), -0.03
        while x < 1:
            width = rng.uniform(0.05, 0.13) * (0.8 + 0.25 * k)
            top = floor - rng.uniform(0.0, 0.26) * (1.1 - 0.2 * k)
            houses.bar(x, top, x + width, 1.02)
            roof = rng.random()
            if roof < 0.25:
                houses.polygon([(x, top), (x + width / 2, top - width * rng.uniform(0.3, 1.2)), (x + width, top)])
            elif roof < 0.4:
                houses.line([(x + width / 2, top), (x + width / 2, top - 0.09)], 0.004)
            if k:
                for row, column in np.argwhere(rng.random((14, 4)) < 0.3).tolist():
                    at_x, at_y = x + width * (0.14 + 0.2 * column), top + 0.02 + row * 0.028
                    windows.bar(at_x, at_y, at_x + width * 0.12, at_y + 0.013)
            x += width * rng.uniform(0.85, 1.15)
        c.paint(houses, mix(mix(air, c.deep, 0.5), c.ink, (0.25, 0.65, 1.0)[k]))
        c.paint(windows, mix(c.light, c.accent, 0.35), opacity=0.85)


def forest(c: Canvas, rng: Rng) -> None:
    """Draw pines in the mist, or bare trunks."""
    far, near = (c.light, c.deep) if rng.random() < 0.6 else (c.main, c.ink)
    c.sky([mix(far, c.main, rng.uniform(0, 0.5)), far, mix(far, near, 0.3)])
    if rng.random() < 0.5:
        c.glow(rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.4), 0.3, c.light, strength=0.5)
    bare = rng.random() < 0.4
    for k in range(4):
        depth, pen = (k + 1) / 4, c.pen()
        if bare:
            _trunks(pen, rng, depth, 10 - 2 * k)
            pen.polygon(under(0.8 + 0.2 * depth + ridge(rng, 60, 0.9) * 0.015))
        else:
            line = 0.5 + 0.4 * depth + ridge(rng, 100, 0.6) * 0.06
            pen.polygon(under(line))
            _pines(pen, rng, line, 0.16 + 0.22 * depth, int(46 - 24 * depth))
        c.paint(pen, mix(far, near if k < 3 else c.ink, 0.18 + 0.8 * depth**1.3))
        if k < 3:
            c.haze(grid(c.side)[1] * np.float32(0.28), far)
    if rng.random() < 0.4:
        beams, x = c.pen(), rng.uniform(0.1, 0.9)
        for lean in rng.uniform(-0.6, 0.6, 5):
            beams.polygon([(x, -0.1), (x + lean - 0.05, 1.1), (x + lean + 0.05, 1.1)])
        c.paint(beams, c.light, opacity=0.22, blur=0.02)


def _trunks(pen: Pen, rng: Rng, depth: float, n: int) -> None:
    for x in rng.random(n):
        width, lean = 0.012 + 0.035 * depth**2, rng.normal(0, 0.03)
        top = x + lean
        pen.polygon([(x - width, 1.02), (top - width * 0.6, -0.02), (top + width * 0.6, -0.02), (x + width, 1.02)])
        for _ in range(3):
            y, sign = rng.uniform(0.02, 0.5), rng.choice([-1, 1])
            pen.line([(x, y + 0.08), (x + sign * 0.05, y), (x + sign * 0.09, y - 0.06)], width * 0.3)


def dunes(c: Canvas, rng: Rng) -> None:
    """Draw soft folds, each lit from above."""
    air = heavens(c, rng)
    top, n = rng.uniform(0.4, 0.65), int(rng.integers(4, 8))
    one, two = (c.accent, c.deep) if rng.random() < 0.5 else (c.main, c.ink)
    across, down = np.linspace(0, 1, c.side), grid(c.side)[1]
    for k in range(n):
        line = top + (1.0 - top) * k / n + ridge(rng, 120, 0.1) * 0.09
        crest = np.interp(across, np.linspace(0, 1, len(line)), line).astype(np.float32)
        pen, fold = c.pen(), c.sketch()
        pen.polygon(under(line))
        depth = (down - crest) * np.float32(1.6 / max(1.05 - float(line.min()), 0.2))
        fold.ramp(depth, [mix(mix(one, c.light, 0.35), air, 0.4 * (1 - k / n)), one, two])
        c.paint(pen, fold)
    if rng.random() < 0.4:
        pen = c.pen()
        person(pen, rng, rng.uniform(0.2, 0.8), rng.uniform(0.78, 0.9), rng.uniform(0.08, 0.2))
        c.paint(pen, c.ink)


def road(c: Canvas, rng: Rng) -> None:
    """Draw a straight road to the horizon, with poles beside it."""
    air = heavens(c, rng)
    horizon, x = rng.uniform(0.48, 0.65), rng.uniform(0.35, 0.65)
    mesa, land, way, marks, poles = (c.pen() for _ in range(5))
    steps = np.repeat(rng.choice([0.0, 0.0, 0.05, 0.1, 0.13], 9), 2)
    mesa.polygon(under(np.concatenate([[horizon], horizon - steps, [horizon]])))
    c.paint(mesa, mix(air, c.deep, 0.65))
    soil = c.sketch()
    soil.sky([mix(air, c.main, 0.6), mix(c.main, c.deep, 0.3), c.deep])
    soil.haze(np.clip(clouds(rng, c.side, (30, 4), 3) - 0.5, 0, 1) * 0.6, c.ink)
    land.bar(-0.1, horizon, 1.1, 1.1)
    c.paint(land, soil)
    way.polygon(mirrored([(0.004, 0), (0.42, 1.05 - horizon)]) + np.array([x, horizon]))
    for k in range(9):
        near, far = 0.62**k, 0.62 ** (k + 0.5)
        at, to = (horizon + share * (1.08 - horizon) for share in (near, far))
        marks.polygon([(x - 0.014 * near, at), (x + 0.014 * near, at), (x + 0.014 * far, to), (x - 0.014 * far, to)])
        foot, height = x + 0.62 * near, 0.75 * near
        poles.line([(foot, at), (foot, at - height)], 0.012 * near)
        poles.line([(foot - 0.07 * near, at - height * 0.9), (foot + 0.07 * near, at - height * 0.9)], 0.01 * near)
    c.paint(way, mix(c.ink, c.deep, 0.25))
    c.paint(marks, mix(c.light, c.accent, 0.3))
    if rng.random() < 0.7:
        c.paint(poles, c.ink)


def planet(c: Canvas, rng: Rng) -> None:
    """Draw a lit globe in space, perhaps with a ring, perhaps over a plain."""
    c.sky([c.ink, mix(c.ink, c.deep, rng.uniform(0.2, 1.0))], turn=rng.uniform(-40, 40))
    c.haze(np.clip(clouds(rng, c.side, (3, 3), 4) - 0.45, 0, 1) * 1.2, mix(c.deep, c.accent, rng.random()))
    stars(c, rng, 120)
    at_x, at_y, radius = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.6), rng.uniform(0.16, 0.36)
    x, y = grid(c.side)
    u, v = (x - np.float32(at_x)) / np.float32(radius), (y - np.float32(at_y)) / np.float32(radius)
    depth = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    lit = np.clip(u * np.float32(rng.choice([-0.6, 0.6])) - 0.45 * v + 0.65 * depth, 0, 1)
    cells = (9.0, 1.2) if rng.random() < 0.6 else (5.0, 5.0)
    globe, shape = c.sketch(), c.pen()
    globe.ramp(
        lit * (0.55 + 0.6 * clouds(rng, c.side, cells, 3)), [c.ink, [c.main, c.accent][rng.integers(2)], c.light]
    )
    shape.disc(at_x, at_y, radius)
    c.glow(at_x, at_y, radius * 1.25, c.main, strength=0.35)
    c.paint(shape, globe)
    if rng.random() < 0.3:
        ring, around = c.pen(turn=rng.uniform(-30, 30), centre=(at_x, at_y)), np.linspace(-0.35, 1.35, 60) * np.pi
        ring.line(np.column_stack([at_x + 1.7 * radius * np.cos(around), at_y + 0.35 * radius * np.sin(around)]), 0.012)
        c.paint(ring, c.light, opacity=0.75)
    if rng.random() < 0.45:
        pen = c.pen()
        pen.polygon(under(0.86 + ridge(rng, 160, 1.0) * 0.05))
        if rng.random() < 0.5:
            person(pen, rng, rng.uniform(0.15, 0.85), 0.88, rng.uniform(0.12, 0.22))
        c.paint(pen, c.ink)

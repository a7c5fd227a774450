"""Near-duplicates: the same cover scanned, photographed, faded, scaled, compressed, cropped or framed differently.

Candidates are found by a hash and decided by a comparison of pixels:

1. *A perceptual hash finds candidates.* Of the luma, 255 low frequencies of a cosine transform, one bit each (is the
   coefficient positive?), for the whole cover, for three centre crops of it and without its border. Two covers are
   candidates if few of all bits, or very few of the 63 lowest, differ between the whole cover (or what its border
   frames) of one and any of these windows of the other; so a crop and a border find what they were made from.
2. *A comparison of structure decides.* One thumbnail is laid over the other by scale and shift, with a gain and an
   offset for its luma, and the two are compared block by block. Each block may lie a pixel off, which is what a
   photograph taken at an angle or a warped sleeve leaves after alignment, and an eighth of the blocks may disagree (a
   sticker, glare). Elsewhere structure must agree, the more so the more bits of the hash differ, and in the centre by
   itself: covers that are merely both black, or share a frame, do not match. Colour and brightness don't count: a faded
   sleeve, a scan with a colour cast and a print in other inks are the same design.

`benchmarks/duplicates.py` measures recall and precision on real covers; docs/results.md has its table.

Sources: the cosine hash is that of B. Coskun and B. Sankur, "Robust video hash extraction", Proc. IEEE SIU 2004, in the
form measured by C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 ("pHash"), with
four times its bits and zero for their threshold; the alignment is that of B. Lucas and T. Kanade, "An iterative image
registration technique", IJCAI 1981, with robust weights; how far a block's structure agrees is the contrast–structure
term of SSIM, Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Trans.
Image Processing 13(4), 2004, equations 9 and 10.

A *thumbnail* is a cover squeezed to a square, (S, S, 3) uint8; the thresholds hold for S = 64. A *window* is (left,
top, right, bottom) in shares of a cover's sides, (0, 0, 1, 1) for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Thumbnails = NDArray[np.uint8]  # (n, S, S, 3)
Floats = NDArray[np.float32]
Windows = NDArray[np.float64]  # (n, 4)
Words = NDArray[np.uint64]
Progress = Callable[[int, int], None]  # (done, total)

SIZE_PX = 64
FREQUENCIES = 16  # by 16, less the mean: 255 bits
WORDS = FREQUENCIES**2 // 64
LOWEST_FIRST = np.r_[0:16:2, 1:16:2, 16:32]  # a hash's bytes: those of the 8 × 8 lowest frequencies, and the others
CROPS = (0.025, 0.05, 0.075)  # off each side
MAX_BORDER = 0.3  # of a side
MAX_DISTANCE = 80  # bits of 255; two covers drawn at random differ in 127 ± 8
MAX_LOW_DISTANCE = 12  # bits of the lowest 63; two covers drawn at random differ in 31 ± 4
DISTANCES = (60, 75)  # at these, and linearly between them, ...
MIN_SIMILARITIES = (0.6, 0.85)  # ... this similarity is needed
MIN_OVERLAP = 0.65  # of either cover's area: 8 % off each side leave 0.71
GAINS = (0.6, 1.7)  # contrast of one cover over that of the other
REACH_PX = 1  # how far a block may lie off after alignment
BLOCKS = 8  # by 8, over the thumbnail
CENTRE = np.pad(np.ones((BLOCKS // 2, BLOCKS // 2), bool), BLOCKS // 4).ravel()  # the inner quarter of the blocks
MIN_CENTRE = 0.65  # similarity that the centre needs by itself
STICKER = 1 / 8  # of the blocks
FLAT = 2.0  # of 255: a block whose luma deviates less has no structure
BUSY = 25.0  # of 255: a block counts no more than with this
LITTLE_STRUCTURE = 250.0  # ten busy blocks: a line of type and a sticker that many covers share
LITTLE_SIMILARITY = 0.9  # needed with less structure than that
NOISE = 9.0  # variance that JPEG makes by itself
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
BATCH = 256  # pairs compared at once: 10 MB an array


class Pair(NamedTuple):
    """Two covers that are the same picture.

    Attributes
    ----------
    a, b
        Their indices, a < b.
    distance
        How many of 255 bits of the perceptual hash differ.
    similarity
        How far their structure agrees after alignment, an eighth of it left out: 0.6 to 1; 1 for equal thumbnails.
    """

    a: int
    b: int
    distance: int
    similarity: float


def find(thumbnails: Thumbnails, *, progress: Progress | None = None) -> list[Pair]:
    """Find the pairs of near-duplicates among n covers.

    The pairs join every cluster of near-duplicates. Of a large one not every pair is returned: a pair that others have
    joined already is not compared.

    Parameters
    ----------
    thumbnails
        (n, S, S, 3) uint8, S a multiple of 8 and at least 32. A memory map will do.
    progress
        Called with the number of comparisons done and their total, at times.

    Returns
    -------
    list of Pair
        By a, then b.

    Raises
    ------
    ValueError
        If the thumbnails are no such array.

    Notes
    -----
    Time grows with n² for the hashes (6 s for 10,000 covers on one core) and with the number of candidates for the rest
    (2 ms each). Covers without any structure, such as plain black ones, are near-duplicates only if all pixels of their
    thumbnails are equal, since nothing else could distinguish them. Covers that differ in small type or colour alone,
    such as two records of one label or two volumes of a series, are near-duplicates.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> covers = rng.integers(0, 256, (3, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    >>> covers[2] = covers[0] // 2 + 60
    >>> [(pair.a, pair.b) for pair in find(covers)]
    [(0, 2)]
    """
    _check(thumbnails)
    firsts, equal = _equal(thumbnails)
    pairs = [Pair(a, b, 0, 1.0) for a, b in equal]
    left, right, distances, windows = _candidates(thumbnails, firsts)
    roots = Components(len(thumbnails))
    for start in range(0, len(left), BATCH):
        part = np.arange(start, min(start + BATCH, len(left)))
        part = part[[roots.find(int(left[i])) != roots.find(int(right[i])) for i in part]]
        if len(part):
            similar = _compare(thumbnails[left[part]], thumbnails[right[part]], windows[part], distances[part])
            for i, similarity in zip(part, similar, strict=True):
                if similarity > 0:
                    a, b = sorted((int(left[i]), int(right[i])))
                    roots.join(a, b)
                    pairs.append(Pair(a, b, int(distances[i]), round(float(similarity), 4)))
        if progress:
            progress(min(start + BATCH, len(left)), len(left))
    return sorted(pairs)


class Components:
    """Connected components of n things, joined two at a time (union–find with path halving).

    Examples
    --------
    >>> parts = Components(4)
    >>> parts.join(0, 2)
    >>> parts.members()
    [[0, 2], [1], [3]]
    """

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, i: int) -> int:
        """Return the component's first member."""
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Make one component of those of i and j."""
        a, b = self.find(i), self.find(j)
        self._parent[max(a, b)] = min(a, b)

    def members(self) -> list[list[int]]:
        """Return every component's members, both in order."""
        found: dict[int, list[int]] = {}
        for i in range(len(self._parent)):
            found.setdefault(self.find(i), []).append(i)
        return list(found.values())


def clusters(n: int, pairs: Iterable[Pair]) -> list[list[int]]:
    """Return the covers that pairs join, two or more each: connected components in order.

    Examples
    --------
    >>> clusters(5, [Pair(0, 3, 9, 0.9), Pair(3, 4, 2, 0.9)])
    [[0, 3, 4]]
    """
    parts = Components(n)
    for pair in pairs:
        parts.join(pair.a, pair.b)
    return [members for members in parts.members() if len(members) > 1]


def hashes(luma: Floats, windows: Windows) -> Words:
    """Return the perceptual hash of one window of each cover.

    The bits are the signs of the 16 × 16 lowest frequencies, less the mean, of the two-dimensional cosine transform
    (type II) of the luma in the window, averaged to 32 × 32 px. Brightness and contrast don't change them.

    Parameters
    ----------
    luma
        (n, S, S).
    windows
        (n, 4), or (1, 4) for all.

    Returns
    -------
    (4, n) uint64
        A word a row, so that what is compared lies together in memory.
    """
    bits = spectra(luma, windows) > 0
    bits[:, 0] = False  # the mean, which is always positive
    return np.ascontiguousarray(np.packbits(bits, axis=1).view(np.uint64).T)


def spectra(luma: Floats, windows: Windows) -> Floats:
    """Return the 16 × 16 lowest frequencies, (n, 256), of one window of each cover; `hashes` keeps their signs.

    Parameters
    ----------
    luma, windows
        As for `hashes`.
    """
    size = luma.shape[1]
    cosines = _cosines(32, FREQUENCIES)
    across = cosines @ _averaging(windows[:, 0], windows[:, 2], size, 32)  # (n, 16, S)
    down = cosines @ _averaging(windows[:, 1], windows[:, 3], size, 32)
    spectrum: Floats = down @ luma @ across.swapaxes(1, 2)  # (n, 16, 16)
    return spectrum.reshape(len(luma), FREQUENCIES**2)


def _check(thumbnails: Thumbnails) -> None:
    shape = thumbnails.shape
    if thumbnails.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(f"thumbnails: {thumbnails.dtype} {shape}. Expected uint8 (n, S, S, 3).")
    if shape[1] < 32 or shape[1] % BLOCKS:
        raise ValueError(f"thumbnails: {shape[1]} px. Expected a multiple of {BLOCKS}, at least 32.")


def _equal(thumbnails: Thumbnails) -> tuple[NDArray[np.intp], list[tuple[int, int]]]:
    """Return the first of each set of equal thumbnails, and pairs of it with the others."""
    seen: dict[bytes, int] = {}
    pairs = []
    for i, thumbnail in enumerate(thumbnails):
        first = seen.setdefault(thumbnail.tobytes(), i)
        if first != i:
            pairs.append((first, i))
    return np.fromiter(seen.values(), np.intp, len(seen)), pairs


# Step 1: candidates -----------------------------------------------------------------------------------------------


def _candidates(
    thumbnails: Thumbnails, chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64], Windows]:
    """Return left and right covers, (m,) each, their distance, and the window of left that shows what right shows.

    Nearest first; each pair once, with its nearest windows.
    """
    covers, words, windows, reference = _hashed(thumbnails, chosen)
    targets = np.flatnonzero(reference)
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for rows, columns, distances in _near(words, words[:, targets]):
        for i, j, distance in zip(rows.tolist(), targets[columns].tolist(), distances.tolist(), strict=True):
            a, b = int(covers[i]), int(covers[j])
            if a == b:
                continue
            key = (min(a, b), max(a, b))
            if key not in found or (distance, i, j) < found[key]:
                found[key] = (distance, i, j)
    nearest = np.array(sorted(found.values()), np.int64).reshape(-1, 3)
    i, j = nearest[:, 1], nearest[:, 2]
    return covers[i], covers[j], nearest[:, 0], _relative(windows[i], windows[j])


def _hashed(
    thumbnails: Thumbnails, chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Words, Windows, NDArray[np.bool_]]:
    """Return for each hashed window its cover, hash, window, and whether it is the whole of what there is to see.

    The first word of each hash holds the lowest frequencies.
    """
    takes = []
    for start in range(0, len(chosen), 1024):
        part = chosen[start : start + 1024]
        some = thumbnails[part]
        luma = some @ LUMA
        shown = framed(some)
        bordered = (shown != (0, 0, 1, 1)).any(axis=1)
        for crop in (0.0, *CROPS):
            window = np.array([[crop, crop, 1 - crop, 1 - crop]])
            repeated = window.repeat(len(part), axis=0)
            takes.append((part, hashes(luma, window), repeated, np.full(len(part), crop == 0)))
        window = shown[bordered]
        takes.append((part[bordered], hashes(luma[bordered], window), window, np.full(len(window), True)))
    if not takes:
        return np.zeros(0, np.intp), np.zeros((WORDS, 0), np.uint64), np.zeros((0, 4)), np.zeros(0, bool)
    covers, words, windows, whole = zip(*takes, strict=True)
    octets = np.concatenate(words, axis=1).T.copy().view(np.uint8)  # (m, 32)
    ordered = np.ascontiguousarray(np.take(octets, LOWEST_FIRST, axis=1).view(np.uint64).T)
    return np.concatenate(covers), ordered, np.concatenate(windows), np.concatenate(whole)


def _near(
    words: Words, targets: Words, block: int = 128
) -> Iterable[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]]:
    """Yield rows, columns and distances of the hashes of which few of all bits, or of the lowest, differ."""
    for start in range(0, words.shape[1], block):
        part = words[:, start : start + block, None]
        distance = np.bitwise_count(part[0] ^ targets[0])  # at most 255 bits in all: uint8 holds them
        near = distance <= MAX_LOW_DISTANCE
        for word, target in zip(part[1:], targets[1:], strict=True):
            distance += np.bitwise_count(word ^ target)
        near |= distance <= MAX_DISTANCE
        rows, columns = np.nonzero(near)
        yield rows + start, columns, distance[rows, columns]


def framed(thumbnails: Thumbnails) -> Windows:
    """Return the window within each cover's border, (n, 4): what is left without even rows and columns at its sides."""
    size = thumbnails.shape[1]
    most = int(MAX_BORDER * size)
    edges = []
    for turned in (thumbnails.swapaxes(1, 2), thumbnails):  # columns, then rows
        for lines in (turned[:, :most], turned[:, ::-1][:, :most]):  # (n, most, S, 3)
            color = np.median(lines[:, 0], axis=1)[:, None, None, :].astype(np.float32)
            edge = np.zeros(len(lines), np.intp)
            begun = np.flatnonzero(_even(lines[:, :1], color)[:, 0])  # the others have no border at this side
            even = _even(lines[begun], color[begun])
            edge[begun] = np.where(even.all(axis=1), 0, np.argmin(even, axis=1))  # all even: no picture to frame
            edges.append(edge)
    left, right, top, bottom = (edge / size for edge in edges)
    return np.stack([left, top, 1 - right, 1 - bottom], axis=1)


def _even(lines: Thumbnails, color: Floats) -> NDArray[np.bool_]:
    """Return which of some rows or columns, (n, m, S, 3), are of one colour, (n, m)."""
    even: NDArray[np.bool_] = (np.abs(lines - color).max(axis=3) < 24).mean(axis=2) > 0.97
    return even


def _relative(a: Windows, b: Windows) -> Windows:
    """Return the window of the first cover that shows what all of the second shows, where `a` and `b` show the same."""
    scale = (a[:, 2:] - a[:, :2]) / (b[:, 2:] - b[:, :2])
    start = a[:, :2] - scale * b[:, :2]
    return np.concatenate([start, start + scale], axis=1)


def _cosines(n: int, k: int) -> Floats:
    """Return the first k rows of the cosine transform of type II, (k, n)."""
    cosines: Floats = np.cos(np.pi * np.arange(k)[:, None] * (np.arange(n) + 0.5) / n).astype(np.float32)
    return cosines


def _averaging(low: Windows, high: Windows, size: int, m: int) -> Floats:
    """Return matrices (n, m, size) that average the pixels from `low` to `high` to m of equal width."""
    edges = (low[:, None] + (high - low)[:, None] * np.linspace(0, 1, m + 1)) * size
    before, after = edges[:, :-1, None], edges[:, 1:, None]
    pixels = np.arange(size)
    shares = np.clip(np.minimum(after, pixels + 1) - np.maximum(before, pixels), 0, None)
    averaging: Floats = (shares / (after - before)).astype(np.float32)
    return averaging


# Step 2: decision -------------------------------------------------------------------------------------------------


def _compare(
    left: Thumbnails, right: Thumbnails, windows: Windows, distances: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the similarity of each pair, (m,), 0 if it is too low for that distance.

    `windows` of the left covers show roughly what all of the right ones show.
    """
    luma_left, luma_right = left @ LUMA, right @ LUMA
    windows = _aligned(luma_left, luma_right, windows)
    similarity, enough = _agreement(luma_left, luma_right, windows)
    needed = np.interp(distances, DISTANCES, MIN_SIMILARITIES)
    return np.where(enough & (similarity >= needed), similarity, 0.0)


def _aligned(left: Floats, right: Floats, windows: Windows) -> Windows:
    """Return the windows of left that show best what right shows: Gauss–Newton on their four edges, coarse then fine.

    left, right: (m, S, S) luma.
    """
    size = left.shape[1]
    windows = windows.copy()
    for grid, blur, steps in ((size // 2, 3.0, 5), (size, 1.5, 4)):
        u = ((np.arange(grid) + 0.5) / grid).astype(np.float32)
        target = _sampled(right, np.tile([0.0, 0.0, 1.0, 1.0], (1, 1)), grid, blur)[0].reshape(len(right), -1)
        for _ in range(steps):
            shown, mask = _sampled(left, windows, grid, blur)  # (m, grid, grid)
            weights = mask.reshape(len(left), -1)
            gain, offset = _gain(shown.reshape(len(left), -1), target, weights, (0.5, 2.0))
            residual = target - gain[:, None] * shown.reshape(len(left), -1) - offset[:, None]
            weights = weights * _trust(residual, 1.5)
            slope_y, slope_x = np.gradient(shown, axis=(1, 2))
            slope_x *= (gain * grid / (windows[:, 2] - windows[:, 0]))[:, None, None].astype(np.float32)
            slope_y *= (gain * grid / (windows[:, 3] - windows[:, 1]))[:, None, None].astype(np.float32)
            edges = (slope_x * (1 - u), slope_y * (1 - u)[:, None], slope_x * u, slope_y * u[:, None])
            jacobian = np.stack([*edges, shown, np.ones_like(shown)], axis=1).reshape(len(left), 6, -1)
            weighted = jacobian * weights[:, None]
            normal = (weighted @ jacobian.swapaxes(1, 2)).astype(np.float64)
            normal += np.diag([1, 1, 1, 1, 1e-6, 1e-6]) * 20 * grid**2  # flat covers stay where they are
            moment = (weighted @ residual[:, :, None]).astype(np.float64)
            windows += np.clip(np.linalg.solve(normal, moment)[:, :4, 0], -0.03, 0.03)
    return windows


def _agreement(left: Floats, right: Floats, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how far structure agrees, (m,), and whether overlap and amount of structure allow a decision.

    left, right: (m, S, S) luma.
    """
    shown, mask = _sampled(left, windows, left.shape[1], 1.0)
    fitted = _fitted(shown, right, mask)
    seen = _blocks(mask).mean(axis=2) > 0.99  # (m, 64)
    deviation = np.sqrt(np.maximum(_blocks(fitted).var(axis=2), _blocks(right).var(axis=2)))
    weight = np.where(seen & (deviation >= FLAT), np.minimum(deviation, BUSY), 0)
    agreement = _block_agreement(fitted, right)
    kept = weight * ~_sticker(weight * (1 - agreement), weight, seen)
    similarity = _mean(agreement, kept)
    centre = kept * CENTRE
    structure = weight.sum(axis=1)
    area = np.prod(windows[:, 2:] - windows[:, :2], axis=1)
    overlap = mask.mean(axis=(1, 2)) * np.minimum(1, area)
    enough = (overlap >= MIN_OVERLAP) & (structure > 0)
    enough &= (_mean(agreement, centre) >= MIN_CENTRE) | ~centre.any(axis=1)
    enough &= (structure >= LITTLE_STRUCTURE) | (similarity >= LITTLE_SIMILARITY)
    return similarity.astype(np.float64), enough


def _mean(values: Floats, weights: Floats) -> Floats:
    """Return the weighted mean of each row, 0 where all weights are."""
    mean: Floats = (weights * values).sum(axis=1) / np.maximum(weights.sum(axis=1), np.float32(1e-6))
    return mean


def _block_agreement(left: Floats, right: Floats) -> Floats:
    """Return how far each block of right agrees with the best of left within REACH_PX, (m, 64), -1 to 1."""
    size = left.shape[1]
    target = _blocks(right)
    mean, variance = target.mean(axis=2), target.var(axis=2)
    padded = np.pad(left, ((0, 0), (REACH_PX, REACH_PX), (REACH_PX, REACH_PX)), mode="edge")
    best = np.full(mean.shape, -1, np.float32)
    for y in range(2 * REACH_PX + 1):
        for x in range(2 * REACH_PX + 1):
            moved = _blocks(padded[:, y : y + size, x : x + size])
            mean_moved = moved.mean(axis=2)
            covariance = (moved * target).mean(axis=2) - mean_moved * mean
            variances = np.square(moved).mean(axis=2) - mean_moved**2 + variance
            np.maximum(best, (2 * covariance + NOISE) / (variances + NOISE), out=best)
    return best


def _sticker(badness: Floats, weight: Floats, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the worst blocks, (m, 64): an eighth of those seen at most, and at most a third of all structure."""
    order = np.argsort(-badness, axis=1, kind="stable")
    lost = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    rank = np.arange(weight.shape[1])
    worst = (rank < STICKER * seen.sum(axis=1, keepdims=True)) & (lost <= weight.sum(axis=1, keepdims=True) / 3)
    sticker = np.zeros_like(seen)
    np.put_along_axis(sticker, order, worst, axis=1)
    return sticker


def _fitted(shown: Floats, right: Floats, mask: Floats) -> Floats:
    """Return `shown` with the contrast and brightness of `right`, (m, S, S) each, by a robust fit."""
    m = len(shown)
    x, y, weights = shown.reshape(m, -1), right.reshape(m, -1), mask.reshape(m, -1)
    trusted = weights
    for _ in range(3):
        gain, offset = _gain(x, y, trusted, GAINS)
        fitted = gain[:, None] * x + offset[:, None]
        trusted = weights * _trust(fitted - y, 2.0)
    return fitted.reshape(shown.shape)


def _sampled(pictures: Floats, windows: Windows, grid: int, blur: float) -> tuple[Floats, Floats]:
    """Return the windows' pixels on a grid, and 1 where they lie within the picture, (m, grid, grid) each.

    Triangular kernels, `blur` px of the picture wide on either side; 1 is linear interpolation. One window serves all.
    """
    across, inside_x = _kernels(windows[:, 0], windows[:, 2], pictures.shape[1], grid, blur)
    down, inside_y = _kernels(windows[:, 1], windows[:, 3], pictures.shape[1], grid, blur)
    mask: Floats = (inside_y[:, :, None] & inside_x[:, None, :]).astype(np.float32)
    return (down @ pictures @ across.swapaxes(1, 2)).astype(np.float32, copy=False), mask


def _kernels(low: Windows, high: Windows, size: int, grid: int, blur: float) -> tuple[Floats, NDArray[np.bool_]]:
    centres = (low[:, None] + (high - low)[:, None] * (np.arange(grid) + 0.5) / grid) * size - 0.5
    inside = (centres >= -0.5) & (centres <= size - 0.5)
    distance = np.abs(np.clip(centres, 0, size - 1)[:, :, None].astype(np.float32) - np.arange(size, dtype=np.float32))
    kernels: Floats = np.maximum(np.float32(0), np.float32(1) - distance / np.float32(blur)).astype(np.float32)
    kernels /= kernels.sum(axis=2, keepdims=True)
    return kernels, inside


def _gain(x: Floats, y: Floats, weights: Floats, limits: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return gain and offset, (m,), that take x to y, (m, p), by weighted least squares; the gain is held to limits."""
    total = weights.sum(axis=1) + 1e-6
    mean_x, mean_y = (weights * x).sum(axis=1) / total, (weights * y).sum(axis=1) / total
    about = weights * (x - mean_x[:, None])
    covariance, variance = (about * (y - mean_y[:, None])).sum(axis=1), (about * (x - mean_x[:, None])).sum(axis=1)
    gain = np.clip(covariance / (variance + total), *limits)
    return gain, mean_y - gain * mean_x


def _trust(residual: Floats, scale: float) -> Floats:
    """Return Cauchy weights, (m, p): small where a residual is large for its picture, as under a sticker."""
    spread: Floats = np.float32(scale) * np.median(np.abs(residual), axis=1, keepdims=True) + np.float32(4)
    trust: Floats = np.float32(1) / (np.float32(1) + np.square(residual / spread))
    return trust


def _blocks(pictures: Floats) -> Floats:
    """Cut (m, S, S, ...) into (m, 64, pixels, ...)."""
    m, size = pictures.shape[:2]
    side = size // BLOCKS
    cut = pictures.reshape(m, BLOCKS, side, BLOCKS, side, *pictures.shape[3:]).swapaxes(2, 3)
    return cut.reshape(m, BLOCKS**2, side**2, *pictures.shape[3:])

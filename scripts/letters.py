#!/usr/bin/env python3
"""Writes src/content/extract/shapes/letters.bin: small bitmaps of the letters of common fonts.

usage: letters.py FONT.ttf... > letters.bin

Needs fonttools and numpy. The file was made from Liberation (Sans, Sans Narrow, Serif, Mono), DejaVu (Sans, Sans Mono,
Serif), Carlito, Noto (Sans, Serif) and TeX Gyre (Termes, Heros, Cursor, Pagella, Schola), which resemble the fonts of
most programs and printers. It holds no outlines. src/content/extract/shapes/letters.rs describes its form.
"""
import struct
import sys
import unicodedata

import numpy
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

SIDE, COARSE, LEVELS = 64, 16, 3
# Shapes of one letter that differ by less are one.
SAME = 0.08
PLAIN = "".join(map(chr, range(0x21, 0x7F))) + "ßæœøÆŒØłŁđĐðþÞıȷçÇşŞąĄęĘįĮųŲţŢ€§°«»„“”’–•ħ"
ACCENTED = (
    "ÀÁÂÃÄÅÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåèéêëìíîïñòóôõöùúûüýÿĀāĂăĆćČčĎĒēĖėĚěĞğĪīİŃńŇňŌōŐőŔŕŘřŚśŠšŤŪūŮůŰűŸŹźŻżŽžĹij"
)
ACCENTS = {0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C}


def lines(glyphs, name, units):
    """The closed lines of a glyph, curves as short straight lines."""
    pen = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(pen)
    out, line = [], []

    def curve(points):
        first = line[-1]
        for step in range(1, 7):
            t = step / 6
            level = [numpy.array(p, float) for p in (first, *points)]
            while len(level) > 1:
                level = [(1 - t) * a + t * b for a, b in zip(level, level[1:])]
            line.append(tuple(level[0]))

    for operator, points in pen.value:
        if operator == "moveTo":
            line = [points[0]]
        elif operator == "lineTo":
            line.append(points[0])
        elif operator == "curveTo":
            curve(points)
        elif operator == "qCurveTo":
            points = list(points)
            if points[-1] is None:
                middle = tuple((a + b) / 2 for a, b in zip(points[-2], points[0]))
                line, points = [middle], points[:-1] + [middle]
            for at, control in enumerate(points[:-1]):
                last = at == len(points) - 2
                end = points[-1] if last else tuple((a + b) / 2 for a, b in zip(control, points[at + 1]))
                curve((control, end))
        elif len(line) > 2:
            out.append(numpy.array(line, float) / units)
            line = []
    return out


def ink(contours):
    """The cells within the lines, from the top, and the bounds."""
    points = numpy.vstack(contours)
    (left, low), (right, high) = points.min(0), points.max(0)
    width, height = max(right - left, 1e-4), max(high - low, 1e-4)
    winding = numpy.zeros((SIDE, SIDE), int)
    middles = (numpy.arange(SIDE) + 0.5) / SIDE
    ys, xs = high - middles * height, middles * width + left
    for contour in contours:
        for (ax, ay), (bx, by) in zip(contour, numpy.roll(contour, -1, 0)):
            rows = numpy.where((ys >= min(ay, by)) & (ys < max(ay, by)))[0]
            if len(rows):
                cross = ax + (ys[rows] - ay) * (bx - ax) / (by - ay)
                winding[rows] += (1 if by > ay else -1) * (xs[None, :] >= cross[:, None])
    return winding != 0, (left, low, right, high)


def part(cells, bounds):
    """Some cells in bounds of their own."""
    left, _, _, high = bounds
    across, down = (bounds[2] - left) / SIDE, (high - bounds[1]) / SIDE
    rows, columns = numpy.where(cells.any(1))[0], numpy.where(cells.any(0))[0]
    top, bottom, first, last = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    pick = lambda a, b: a + (2 * numpy.arange(SIDE) + 1) * (b - a) // (2 * SIDE)
    inner = (left + first * across, high - bottom * down, left + last * across, high - top * down)
    return cells[pick(top, bottom)][:, pick(first, last)], inner


def connected(cells):
    """The connected parts."""
    label, count = numpy.zeros(cells.shape, int), 0
    for y, x in zip(*numpy.where(cells)):
        if label[y, x]:
            continue
        count += 1
        left = [(y, x)]
        while left:
            y0, x0 = left.pop()
            if 0 <= y0 < SIDE and 0 <= x0 < SIDE and cells[y0, x0] and not label[y0, x0]:
                label[y0, x0] = count
                left += [(y0 + dy, x0 + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return [label == n for n in range(1, count + 1)]


def split(cells, bounds):
    """A letter and the accent above it."""
    parts = connected(cells)
    top = numpy.where(max(parts, key=numpy.sum).any(1))[0][0]
    above = [p for p in parts if numpy.where(p.any(1))[0][-1] <= top + 1]
    if not above or len(above) == len(parts):
        return None
    accent = numpy.any(above, 0)
    return part(cells & ~accent, bounds), part(accent, bounds)


def levels(cells):
    step = SIDE // COARSE
    counts = cells.reshape(COARSE, step, COARSE, step).sum((1, 3))
    return (numpy.maximum(counts, 1) - 1) // step


def shapes(path):
    font = TTFont(path, fontNumber=0)
    glyphs, names, units = font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm
    for letter in dict.fromkeys(PLAIN + ACCENTED):
        name = names.get(ord(letter))
        contours = name and lines(glyphs, name, units)
        if not contours:
            continue
        cells, bounds = ink(contours)
        advance = glyphs[name].width / units
        if letter in PLAIN:
            yield letter, bounds, advance, levels(cells), len(connected(cells))
        parts = unicodedata.normalize("NFD", letter)
        accent = "\u0307" if letter in "ij" else parts[1] if len(parts) == 2 else ""
        halves = split(cells, bounds) if accent and ord(accent) in ACCENTS else None
        if halves:
            (body, inner), (mark, outer) = halves
            if letter == "j":
                yield "ȷ", inner, advance, levels(body), 1
            yield accent, outer, advance, levels(mark), 1


def main():
    kept = {}
    for path in sys.argv[1:]:
        for letter, bounds, advance, cells, parts in shapes(path):
            accent = ord(letter) in ACCENTS
            size = numpy.array(bounds)
            if accent:
                size = numpy.array((0, 0, bounds[2] - bounds[0], bounds[3] - bounds[1]))
            near = lambda k: (
                numpy.abs(k[0] - cells).mean() / LEVELS < SAME and numpy.abs(k[1] - size)[1:].max() < 0.03
            )
            if not any(map(near, kept.setdefault(letter, []))):
                kept[letter].append((cells, size, bounds, advance, parts))
    for letter, known in sorted(kept.items()):
        for cells, _, (left, low, right, high), advance, parts in known:
            em = lambda n: max(-128, min(127, round(n * 100)))
            size = lambda n: min(255, round(n * 100))
            head = struct.pack("<HbbbBBB", ord(letter), em(low), em(high), em(left), size(right - left), size(advance), parts)
            flat = cells.flatten().reshape(-1, 4)
            packed = (flat << numpy.array([0, 2, 4, 6])).sum(1).astype("uint8").tobytes()
            sys.stdout.buffer.write(head + packed)


main()

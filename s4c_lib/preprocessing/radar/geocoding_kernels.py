"""Loops of the geocoding; compiled by `s4c_lib.kernel_cache.compiled`."""

from __future__ import annotations

from typing import Any

import numpy as np

from s4c_lib.kernel_cache import compiled


def locate(
    place: Any,
    up: Any,
    surface: Any,
    step: int,
    first_row: int,
    heights: Any,
    orbit: Any,
    middle: float,
    shift: Any,
    record_seconds: Any,
    record_origin: Any,
    record_coefficients: Any,
    limits: Any,
    line_seconds: float,
    spacing: float,
    line: Any,
    pixel: Any,
) -> None:
    """Image coordinates of the pixels of a map: zero-Doppler time by Newton, then range (``preprocessing.md`` 4.4).

    Parameters
    ----------
    place, up : float64 (nodes down, nodes across, 3), of every `step`-th pixel of the map: point of the ellipsoid in
        earth-fixed metres, and the unit vector upwards there. Linear between nodes.
    surface : float64 (nodes down, nodes across), metres of the heights' zero above the ellipsoid.
    first_row : of the map, the first one of `heights`.
    heights : float32 (rows, columns), metres.
    orbit : float64 (3, degrees), position by powers of ``seconds - middle``, lowest first.
    shift : (2), line time = zero-Doppler time - (shift[0] + shift[1] * range in metres).
    record_seconds, record_origin : (n); record_coefficients : (n, degrees): ground range of slant range. n = 0: samples
        count slant range from limits[0].
    limits : slant range of the first and of the last sample (metres), lines, samples.
    spacing : metres from sample to sample.
    line, pixel : float32 (rows, columns), filled; NaN where the image does not see.
    """
    degrees = orbit.shape[1]
    records = record_seconds.shape[0]
    terms = record_coefficients.shape[1]
    near, far, lines, samples = limits[0], limits[1], limits[2], limits[3]
    record = 0
    for i in range(heights.shape[0]):
        row = first_row + i
        node = row // step
        down = (row - node * step) / step
        seconds = np.nan
        for block in range(place.shape[1] - 1):
            first = block * step
            stop = min(first + step, heights.shape[1])
            for j in range(first, stop):
                part = (j - first) / step
                a, b = (1 - down) * (1 - part), (1 - down) * part
                c, d = down * (1 - part), down * part
                height = (
                    heights[i, j]
                    + a * surface[node, block]
                    + b * surface[node, block + 1]
                    + c * surface[node + 1, block]
                    + d * surface[node + 1, block + 1]
                )
                x = (
                    a * (place[node, block, 0] + height * up[node, block, 0])
                    + b * (place[node, block + 1, 0] + height * up[node, block + 1, 0])
                    + c * (place[node + 1, block, 0] + height * up[node + 1, block, 0])
                    + d * (place[node + 1, block + 1, 0] + height * up[node + 1, block + 1, 0])
                )
                y = (
                    a * (place[node, block, 1] + height * up[node, block, 1])
                    + b * (place[node, block + 1, 1] + height * up[node, block + 1, 1])
                    + c * (place[node + 1, block, 1] + height * up[node + 1, block, 1])
                    + d * (place[node + 1, block + 1, 1] + height * up[node + 1, block + 1, 1])
                )
                z = (
                    a * (place[node, block, 2] + height * up[node, block, 2])
                    + b * (place[node, block + 1, 2] + height * up[node, block + 1, 2])
                    + c * (place[node + 1, block, 2] + height * up[node + 1, block, 2])
                    + d * (place[node + 1, block + 1, 2] + height * up[node + 1, block + 1, 2])
                )
                line[i, j] = np.nan
                pixel[i, j] = np.nan
                # The time of the pixel before is a few milliseconds off: one step, and one that confirms it.
                t = 0.0 if np.isnan(seconds) else seconds
                converged = False
                dx, dy, dz = 0.0, 0.0, 0.0
                for _ in range(10):
                    sx, sy, sz = 0.0, 0.0, 0.0
                    vx, vy, vz = 0.0, 0.0, 0.0
                    ax, ay, az = 0.0, 0.0, 0.0
                    for k in range(degrees - 1, -1, -1):  # Horner with both derivatives
                        ax, ay, az = ax * t + vx, ay * t + vy, az * t + vz
                        vx, vy, vz = vx * t + sx, vy * t + sy, vz * t + sz
                        sx, sy, sz = sx * t + orbit[0, k], sy * t + orbit[1, k], sz * t + orbit[2, k]
                    dx, dy, dz = x - sx, y - sy, z - sz
                    value = dx * vx + dy * vy + dz * vz
                    slope = 2 * (dx * ax + dy * ay + dz * az) - (vx * vx + vy * vy + vz * vz)
                    change = value / slope
                    t -= change
                    if abs(change) < 1e-9:
                        converged = True
                        break
                if not converged:
                    seconds = np.nan
                    continue
                seconds = t
                slant = np.sqrt(dx * dx + dy * dy + dz * dz)
                if slant < near - 1000.0 or slant > far + 1000.0:  # the polynomials hold within the swath
                    continue
                at_line = (t + middle - shift[0] - shift[1] * slant) / line_seconds
                if at_line < -2.0 or at_line > lines + 1.0:
                    continue
                if records == 0:
                    at_pixel = (slant - near) / spacing
                else:
                    when = t + middle
                    while record > 0 and when < record_seconds[record]:
                        record -= 1
                    while record < records - 2 and when >= record_seconds[record + 1]:
                        record += 1
                    following = min(record + 1, records - 1)
                    share = 0.0
                    if following > record:
                        share = (when - record_seconds[record]) / (record_seconds[following] - record_seconds[record])
                        share = min(max(share, 0.0), 1.0)
                    past = slant - (record_origin[record] + share * (record_origin[following] - record_origin[record]))
                    ground = 0.0
                    for k in range(terms - 1, -1, -1):
                        lower = record_coefficients[record, k]
                        ground = ground * past + lower + share * (record_coefficients[following, k] - lower)
                    at_pixel = ground / spacing
                if at_pixel < -2.0 or at_pixel > samples + 1.0:
                    continue
                line[i, j] = at_line
                pixel[i, j] = at_pixel


def sample_power(
    amplitudes: Any,
    first_line: int,
    first_sample: int,
    line: Any,
    pixel: Any,
    half_lines: float,
    half_samples: float,
    power: Any,
) -> None:
    """Mean of ``DN^2`` over the cell around each position, or bilinear; pixels of 0 are no data.

    Parameters
    ----------
    amplitudes : uint16 (lines, samples), a window of the image that begins at `first_line` and `first_sample`.
    line, pixel : float32 (rows, columns), positions in the image; NaN gives 0.
    half_lines, half_samples : half the cell in pixels of the image; 0 is bilinear.
    power : float32 (rows, columns), filled; 0 where less than half of the cell has data.
    """
    lines, samples = amplitudes.shape
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            power[i, j] = 0
            if np.isnan(line[i, j]):
                continue
            y, x = line[i, j] - first_line, pixel[i, j] - first_sample
            total, weights = 0.0, 0.0
            if half_lines == 0:
                top, left = int(np.floor(y)), int(np.floor(x))
                bottom, right = top + 1, left + 1
            else:
                top, bottom = int(np.floor(y - half_lines + 0.5)), int(np.ceil(y + half_lines - 0.5))
                left, right = int(np.floor(x - half_samples + 0.5)), int(np.ceil(x + half_samples - 0.5))
            for k in range(max(top, 0), min(bottom, lines - 1) + 1):
                if half_lines == 0:
                    high = 1 - abs(y - k)
                else:
                    high = min(k + 0.5, y + half_lines) - max(k - 0.5, y - half_lines)
                for m in range(max(left, 0), min(right, samples - 1) + 1):
                    amplitude = float(amplitudes[k, m])
                    if amplitude > 0:
                        if half_lines == 0:
                            weight = high * (1 - abs(x - m))
                        else:
                            weight = high * (min(m + 0.5, x + half_samples) - max(m - 0.5, x - half_samples))
                        total += weight * amplitude * amplitude
                        weights += weight
            cell = 1.0 if half_lines == 0 else 4 * half_lines * half_samples
            if weights > 0 and weights >= 0.499 * cell:
                power[i, j] = total / weights


def calibrate(
    power: Any,
    line: Any,
    pixel: Any,
    first_sample: int,
    calibration_lines: Any,
    calibration: Any,
    noise_lines: Any,
    noise: Any,
    blocks: Any,
    block_starts: Any,
    block_values: Any,
    root: bool,
    least: float,
    out: Any,
) -> None:
    """Backscatter of mean power, into the pixels of `out` that are 0 (``preprocessing.md`` 4.2).

    Parameters
    ----------
    power : float32 (rows, columns), mean ``DN^2``; 0 is no data.
    line, pixel : float32 (rows, columns), centres in the image.
    calibration_lines, calibration : (n), float32 (n, samples) of the samples from `first_sample` on: A.
    noise_lines, noise : the same, noise along range; no line at all subtracts none.
    blocks : int64 (m, 4), first and last line and sample of the blocks of noise along azimuth; block_starts : where
        each begins in block_values, float32, a value for each line.
    root : write the root (amplitude). least : smallest value.
    """
    width = calibration.shape[1]
    k, n, block = 0, 0, 0
    for i in range(power.shape[0]):
        for j in range(power.shape[1]):
            if power[i, j] == 0 or out[i, j] != 0:
                continue
            y, x = float(line[i, j]), float(pixel[i, j])
            at = min(max(x - first_sample, 0.0), width - 1.0)
            left = min(int(at), max(width - 2, 0))
            right, u = min(left + 1, width - 1), at - left
            while k > 0 and y < calibration_lines[k]:
                k -= 1
            while k < calibration_lines.shape[0] - 2 and y >= calibration_lines[k + 1]:
                k += 1
            scale = calibration[k, left] + u * (calibration[k, right] - calibration[k, left])
            if calibration_lines.shape[0] > 1:
                share = (y - calibration_lines[k]) / (calibration_lines[k + 1] - calibration_lines[k])
                share = min(max(share, -1.0), 2.0)
                above = calibration[k + 1, left] + u * (calibration[k + 1, right] - calibration[k + 1, left])
                scale += share * (above - scale)
            level = 0.0
            if noise_lines.shape[0] > 0:
                while n > 0 and y < noise_lines[n]:
                    n -= 1
                while n < noise_lines.shape[0] - 2 and y >= noise_lines[n + 1]:
                    n += 1
                level = noise[n, left] + u * (noise[n, right] - noise[n, left])
                if noise_lines.shape[0] > 1:
                    share = (y - noise_lines[n]) / (noise_lines[n + 1] - noise_lines[n])
                    share = min(max(share, -1.0), 2.0)
                    above = noise[n + 1, left] + u * (noise[n + 1, right] - noise[n + 1, left])
                    level += share * (above - level)
                for tried in range(blocks.shape[0]):
                    b = (block + tried) % blocks.shape[0]
                    if (
                        y > blocks[b, 0] - 0.5
                        and y <= blocks[b, 1] + 0.5
                        and x > blocks[b, 2] - 0.5
                        and x <= blocks[b, 3] + 0.5
                    ):
                        block = b
                        last = blocks[b, 1] - blocks[b, 0]
                        above_first = min(max(y - blocks[b, 0], 0.0), float(last))
                        low = min(int(above_first), max(last - 1, 0))
                        lower = block_values[block_starts[b] + low]
                        upper = block_values[block_starts[b] + min(low + 1, last)]
                        level *= lower + (above_first - low) * (upper - lower)
                        break
            value = max((power[i, j] - level) / (scale * scale), least)
            out[i, j] = np.sqrt(value) if root else value


def warm_up() -> None:
    """Compile all of them, or load what is compiled."""
    nodes, single = np.zeros((2, 2, 3)), np.zeros((1, 1), np.float32)
    one, none = np.zeros(1), np.zeros((1, 6))
    limits = np.zeros(4)
    arguments = (nodes, nodes, np.zeros((2, 2)), 1, 0, single, np.zeros((3, 6)), 0.0, np.zeros(2))
    compiled(locate)(*arguments, one, one, none, limits, 1.0, 1.0, single.copy(), single.copy())
    compiled(sample_power)(np.zeros((1, 1), np.uint16), 0, 0, single, single, 1.0, 1.0, single.copy())
    integers = np.zeros((1, 4), np.int64)
    compiled(calibrate)(
        single,
        single,
        single,
        0,
        one,
        single,
        one,
        single,
        integers,
        integers[0],
        single[0],
        False,
        1e-7,
        single.copy(),
    )

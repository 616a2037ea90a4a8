"""The synthetic season of the acceptance case AC-20: 21 dates, four crops, one generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DAYS = np.arange(60, 261, 10)
_SHAPES = {10: (140, 0.62, 35), 20: (215, 0.60, 32), 40: (128, 0.60, 33)}
CALIBRATION = 42, (150, 150, 150, 60)
VALIDATION = 43, (500, 500, 500, 200)


def season(seed: int, sizes: tuple[int, ...]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Features (parcels, 21) and classes of so many parcels of the crops 10, 20, 30 and 40."""
    draw = np.random.Generator(np.random.PCG64(seed))
    rows, labels = [], []
    for crop, size in zip((10, 20, 30, 40), sizes, strict=True):
        for _ in range(size):
            if crop == 30:
                level, noise = draw.normal(0, 0.05), draw.normal(0, 0.05, len(DAYS))
                row = 0.62 + 0.06 * np.sin(2 * np.pi * (DAYS - 90) / 365) + level + noise
            else:
                peak, height, width = _SHAPES[crop]
                shift, gain = draw.normal(0, 6), draw.normal(0, 0.1)
                noise = draw.normal(0, 0.05, len(DAYS))
                row = 0.18 + height * np.exp(-(((DAYS - peak - shift) / width) ** 2)) * (1 + gain) + noise
            rows.append(row)
            labels.append(crop)
    return np.array(rows, dtype=np.float32), np.array(labels, dtype=np.int32)

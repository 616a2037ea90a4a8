"""Seconds and memory of the optical model: table, interpolation against direct runs, scene, sky of parcels.

Run: ``python benchmarks/synthetic_optical.py``. CPU seconds of one process after compilation.
"""

import time
from datetime import UTC, date, datetime, timedelta

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.crops import Cover
from s4c_lib.synthetic.optical.canopy_reflectance import PlantState, table_for
from s4c_lib.synthetic.optical.image import make_scene, true_surface
from s4c_lib.synthetic.optical.leaves import LEAVES, LeafKind, green_leaf, ground_spectra, ground_weights
from s4c_lib.synthetic.optical.parcel_reflectance import FACTORS
from s4c_lib.synthetic.optical.parcel_sky import parcel_sky
from s4c_lib.synthetic.optical.scene_classes import plan_sky
from s4c_lib.synthetic.optical.spectral_response import band_values
from s4c_lib.synthetic.optical.texture import make_texture
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.pixel_fractions import PixelFractions

PARCELS, SIDE, BLOCK = 1_000_000, 510, 17


def main() -> None:
    """Measure and print."""
    first = date(2021, 3, 1)
    flight = OpticalPass(datetime(2021, 6, 9, 10, 46, tzinfo=UTC), "S2A", 8, 31000, 31.0, 152.0, 7.8, 106.0)
    table = table_for(flight)
    started = time.process_time()
    table = table_for(flight)
    build = time.process_time() - started
    print(f"table: {build:.3f} s, {table.terms.nbytes / 1e6:.1f} MB; 98 passes: {98 * build:.1f} s")

    rng = np.random.default_rng(1)
    ground = ground_weights(rng.uniform(0.7, 1.3, PARCELS), rng.random(PARCELS), rng.random(PARCELS) / 2)
    state = PlantState(
        rng.integers(0, 2, PARCELS),
        rng.uniform(0, 6, PARCELS).astype(np.float32),
        rng.uniform(0, 1, PARCELS).astype(np.float32),
        rng.uniform(20, 60, PARCELS).astype(np.float32),
        rng.uniform(35, 65, PARCELS).astype(np.float32),
        ground,
    )
    started = time.process_time()
    table.reflectance(state)
    each = (time.process_time() - started) / PARCELS

    from prosail import run_sail

    spectra = ground_spectra()
    started = time.process_time()
    for k in range(200):
        kind = LeafKind(int(state.kind[k]))
        rho, tau = green_leaf(kind, float(state.chlorophyll[k]))
        spectrum = run_sail(
            rho,
            tau,
            3.0,
            float(state.leaf_angle[k]),
            LEAVES[kind].hot_spot,
            31.0,
            7.8,
            46.0,
            rsoil0=ground[k] @ spectra,
        )
        band_values(spectrum, "S2A")
    direct = (time.process_time() - started) / 200
    print(f"interpolation: {1e-6 / each:.2f} million parcels/s, direct: {1 / direct:.0f}/s, ratio {direct / each:.0f}")

    grid = PixelGrid(32631, 652320.0, 5697660.0, 10.0, SIDE, SIDE)
    row, column = np.indices(grid.shape) // BLOCK
    objects = (row * (SIDE // BLOCK) + column).astype(np.int32).ravel()
    parcels = int(objects.max()) + 1
    fractions = PixelFractions(grid, np.arange(objects.size + 1), objects, np.ones(objects.size, dtype=np.float32))
    texture = make_texture(grid, fractions.main_object(), np.zeros(parcels + len(Cover), dtype=np.float32), 1)
    few = PlantState(*(np.asarray(part)[: parcels + len(Cover)] for part in _parts(state)))
    flat = np.zeros(245, dtype=np.float32)
    weather = Weather(first, 14 + flat, flat, 0.25 + flat, flat, flat.astype(bool))
    flights = [
        OpticalPass(datetime(2021, 3, 1, 10, 46, tzinfo=UTC) + timedelta(days=5 * k), "S2A", 8, 1, 40, 152, 7.8, 106)
        for k in range(40)
    ]
    plan = plan_sky(weather, flights)
    for repeat in range(2):
        started = time.process_time()
        for pass_, sky in zip(flights[:10], plan, strict=False):
            surface = true_surface(fractions, table.reflectance(few, FACTORS), texture, pass_.start.toordinal())
            make_scene(fractions, parcels, surface, weather, pass_, sky, 1)
        if repeat:
            print(f"scene of {SIDE} x {SIDE}: {(time.process_time() - started) / 10:.2f} s")
    area = rng.lognormal(9.7, 0.8, 20_000).astype(np.float32)
    started = time.process_time()
    for _ in parcel_sky(flights, plan, area, 1):
        pass
    print(f"sky of 20 000 parcels: {(time.process_time() - started) / len(flights) * 1000:.0f} ms a pass")


def _parts(state: PlantState) -> tuple[object, ...]:
    return state.kind, state.green_lai, state.brown_lai, state.chlorophyll, state.leaf_angle, state.ground


if __name__ == "__main__":
    main()

import numpy as np
import pytest

from s4c_lib.errors import InputError
from s4c_lib.synthetic.optical.scene import BAND_METRES
from s4c_lib.synthetic.optical.spectral_response import (
    SENTINEL2_BANDS,
    SURFACE_BANDS,
    band_values,
    spectral_responses,
)

# CENTRAL of the same metadata files.
CENTRES = {
    "S2A": (442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4),
    "S2B": (442.3, 492.3, 559.0, 665.0, 703.8, 739.1, 779.7, 833.0, 864.0, 943.2, 1376.9, 1610.4, 2185.7),
}


@pytest.mark.parametrize("platform", ["S2A", "S2B"])
def test_centres_are_those_of_the_metadata(platform):
    responses = spectral_responses(platform)
    assert tuple(responses) == SENTINEL2_BANDS
    assert [response.centre for response in responses.values()] == pytest.approx(CENTRES[platform], abs=0.15)
    for response in responses.values():
        assert response.weight.sum() == pytest.approx(1)
        assert (np.diff(response.nm) >= 1).all()


def test_bands_of_a_surface_product_are_those_of_the_scene():
    assert tuple(BAND_METRES) == SURFACE_BANDS


def test_later_platforms_take_the_response_of_the_first():
    assert spectral_responses("S2C")["B04"].centre == spectral_responses("S2A")["B04"].centre
    assert spectral_responses("S2D")["B12"].centre != spectral_responses("S2B")["B12"].centre
    with pytest.raises(InputError, match="S2E"):
        spectral_responses("S2E")


def test_a_grey_spectrum_has_its_value_in_every_band():
    assert band_values(np.full(2101, 0.37), "S2B") == pytest.approx(np.full(12, 0.37))

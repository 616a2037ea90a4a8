"""Holdings without places."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.synthetic.landscape.holdings import listed_holdings


@given(count=st.integers(1, 3000), seed=st.integers(0, 50), chunk=st.integers(0, 3))
def test_every_parcel_has_a_holding(count: int, seed: int, chunk: int) -> None:
    holding = listed_holdings(count, np.random.default_rng([seed, chunk]))

    assert len(holding) == count
    assert holding[0] == 0
    assert set(np.diff(holding).tolist()) <= {0, 1}

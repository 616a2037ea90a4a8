"""What a run is told: registry, configuration file, and which of them wins."""

from __future__ import annotations

from datetime import date, time

import pytest
from mowing_radar_cases import PREFIX, mowing_settings, values

from s4c_lib.errors import InputError
from s4c_lib.mowing.events import Mission
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parcels.l4b_configuration import L4bConfiguration, read_l4b_configuration

FILE = b"""\
[GENERAL_CONFIG]
CTNUM_FILTER = 7, 8
ADDITIONAL_COLUMNS = village
s1_orbit_list_filter = 037, 110
s1_orbit_type_list_filter = DESC, ASC
[S1_constants]
S1_time_interval = 12
min_cohe_var = 0.03
locAcqTimeASC = 17:30:00
locAcqTimeDESC = 05:30:00
[S2_constants]
locAcqTime = 11:00:00
[S1_processing]
pol_types = VH, VV
saturate_sigma = False
pfa = 3e-7
stat_smpl_n = 6
non_overlap_interval_days = 21
[S2_processing]
corrupted_th = 0.2
decreasing_abs_th = 0.15
decreasing_rate_th = -0.001
increasing_rate_th = 0.06
high_abs_th = 0.72
low_abs_th = 0.4
no_mowing_after_det = 60
non_overlap_interval_days = 28
[compliancy]
crop_codes = A
crop_time_intervals = ('01/05/2021','31/07/2021')
crop_rule = 1
"""
OWN_FORM = b"""\
[general]
start_date = 2021-04-10
end_date = 2021-10-20
input_product_types = S2
[detection]
s1_s2_startdate_diff = 9
start_season_offset = 4
min_valid_share = 0.7
min_pixels_s2 = 5
min_pixels_s1 = 2
repairs = 6, 8
fusion_interval = intersection
stepwise_fusion = true
[fusion]
max_events = 3
min_conf = 0.55
"""


def read(content: bytes) -> L4bConfiguration:
    configuration, report = read_l4b_configuration(content, "S4C_L4B_Config_2021.cfg", year=2021)
    assert configuration is not None, report
    return configuration


def test_every_key_of_sen4caps_file_takes_effect() -> None:
    told = mowing_settings("reference", read(FILE))
    assert (told.crop_filter, told.every_crop, told.additional_columns) == ((7, 8), False, ("village",))
    assert told.orbits == ((37, "descending"), (110, "ascending"))
    radar = told.radar
    assert (radar.time_interval_days, radar.min_cohe_var) == (12, 0.03)
    assert (radar.evening, radar.morning) == (time(17, 30), time(5, 30))
    assert set(radar.polarisations) == {"VH", "VV"}
    assert (radar.saturate_sigma, radar.pfa, radar.stat_smpl_n) == (False, 3e-7, 6)
    assert (told.fusion.radar_days, told.fusion.optical_days) == (21, 28)
    assert radar.non_overlap_interval_days == 21
    optical = told.optical
    assert optical.acquisition_time == time(11)
    assert (optical.corrupted_th, optical.decreasing_abs_th, optical.decreasing_rate_th) == (0.2, 0.15, -0.001)
    assert (optical.increasing_rate_th, optical.high_abs_th, optical.low_abs_th) == (0.06, 0.72, 0.4)
    assert optical.no_mowing_after_det == 60
    assert [(one.crop_code, one.rule) for one in told.periods] == [("A", 1)]


def test_every_key_of_our_own_form_takes_effect() -> None:
    told = mowing_settings("default", read(OWN_FORM))
    assert (told.start_date, told.end_date) == (date(2021, 4, 10), date(2021, 10, 20))
    assert (told.missions, told.radar_delay_days, told.start_season_offset_days) == (Mission.S2, 9, 4)
    assert (told.min_valid_share, told.min_pixels_s2, told.min_pixels_s1) == (0.7, 5, 2)
    assert (told.radar.hour_of_orbit, told.radar.true_dates, told.radar.bridge_gaps) == (True, False, True)
    assert told.last_day_counts is False
    assert (told.fusion.intersection, told.fusion.stepwise) == (True, True)
    assert (told.fusion.max_events, told.min_conf) == (3, 0.55)
    assert (told.enough_optical.min_total, told.enough_optical.min_share) == (5, 0.7)
    assert (told.enough_radar.min_total, told.enough_radar.min_share) == (2, 0.7)


def test_the_file_wins_unless_the_job_says_otherwise() -> None:
    given = values("default", s1__pfa=1e-3, s2__low_abs_th=0.45)
    file = read(FILE)
    assert MowingSettings.of(given, file).radar.pfa == 3e-7
    assert MowingSettings.of(given, None).radar.pfa == 1e-3
    own = MowingSettings.of(given, file, own=[f"{PREFIX}s1.pfa"])
    assert (own.radar.pfa, own.optical.low_abs_th) == (1e-3, 0.4)


def test_profiles_differ_in_parameters_only() -> None:
    reference, default = (mowing_settings(profile) for profile in ("reference", "default"))
    assert (reference.fusion.max_events, default.fusion.max_events) == (4, 0)
    assert (reference.fusion.stepwise, default.fusion.stepwise) == (True, False)
    assert (reference.last_day_counts, default.last_day_counts) == (False, True)
    assert (reference.min_valid_share, default.min_valid_share) == (0.0, 0.5)
    for told, repaired in ((reference.radar, False), (default.radar, True)):
        assert (told.hour_of_orbit, told.true_dates, told.bridge_gaps) == (repaired,) * 3
    assert default.missions == Mission.S1 | Mission.S2


def test_period() -> None:
    plain = mowing_settings(start_season_offset=10)
    assert plain.period(date(2021, 3, 1), date(2021, 9, 30)) == (date(2021, 3, 11), date(2021, 9, 30))
    dated = mowing_settings(start_date="2021-04-15", end_date="2021-08-31")
    assert dated.period(date(2021, 3, 1), date(2021, 9, 30)) == (date(2021, 4, 15), date(2021, 8, 31))
    assert dated.period(date(2021, 3, 1), date(2021, 6, 30))[1] == date(2021, 6, 30)
    with pytest.raises(InputError, match="the last day comes first"):
        dated.period(date(2021, 3, 1), date(2021, 4, 10))

"""L4B configurations: Sen4CAP's files and ours, and everything that can be wrong with them."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import NotFoundError
from s4c_lib.parameters import REGISTRY, Kind, Scope
from s4c_lib.parcels.crop_lut import read_crop_lut
from s4c_lib.parcels.findings import Finding, Report, Severity
from s4c_lib.parcels.l4b_configuration import L4bConfiguration, l4b_against_lut, l4b_text, read_l4b_configuration
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.parcels.l4b_configuration_presets import COUNTRIES, preset
from s4c_lib.synthetic.landscape.configuration import crop_lut, l4b_configuration

KEY = "processor.s4c_l4b"
SEASON = (date(2021, 3, 1), date(2021, 11, 30))


def read(text: str, **options: object) -> tuple[L4bConfiguration | None, Report]:
    return read_l4b_configuration(text.encode(), "l4b.cfg", year=2021, **options)  # type: ignore[arg-type]


def sound(text: str, **options: object) -> L4bConfiguration:
    configuration, report = read(text, **options)
    assert configuration is not None
    assert report.findings == ()
    assert report.rows == report.accepted
    return configuration


def problem(text: str, code: str, severity: Severity = Severity.REFUSED, **options: object) -> Finding:
    configuration, report = read(text, **options)
    (found,) = report.findings
    assert (found.code, found.severity) == (code, severity)
    assert (configuration is None) == (severity == Severity.REFUSED) == report.refused
    assert report.rows == report.accepted + report.set_aside
    return found


def compliance(codes: str, periods: str, rules: str) -> str:
    return f"[compliancy]\ncrop_codes = {codes}\ncrop_time_intervals = {periods}\ncrop_rule = {rules}\n"


def test_the_synthetic_file_is_read_whole() -> None:
    configuration = sound(l4b_configuration(2021))
    assert configuration.crop_filter == (1, 2, 3, 4)
    assert configuration.settings[f"{KEY}.s1.pfa"] == 3e-8
    assert configuration.settings[f"{KEY}.s2.decreasing_rate_th"] == -1e-6
    assert configuration.acquisition_times == {
        "s1_ascending": "18:00:00",
        "s1_descending": "06:00:00",
        "s2": "10:30:00",
    }
    assert configuration.compliance[-1] == MowingPeriod("332", date(2021, 6, 15), date(2021, 10, 31), 1)


def test_sen4caps_file_gives_the_defaults_of_the_registry() -> None:
    """Also where the default is another one by now: a value that was left as Sen4CAP ships it is no choice."""
    configuration = sound(l4b_configuration(2021))
    for key, value in configuration.settings.items():
        assert value == REGISTRY.get(key).default, key
    changed = sound("[S2_processing]\nhigh_abs_th = 0.75\nlow_abs_th = 0.45\n").settings
    assert changed == {f"{KEY}.s2.low_abs_th": 0.45}
    assert sound("[s2]\nhigh_abs_th = 0.75\n").settings == {f"{KEY}.s2.high_abs_th": 0.75}


def test_our_form_gives_the_same() -> None:
    legacy = sound(l4b_configuration(2021))
    assert sound(l4b_text(legacy)) == legacy


def test_an_empty_filter_all_crops_and_some() -> None:
    assert sound("[GENERAL_CONFIG]\nCTNUM_FILTER =\n").crop_filter == ()
    assert sound("[GENERAL_CONFIG]\nCTNUM_FILTER = All\n").every_crop
    some = sound("[GENERAL_CONFIG]\nctnum_filter = 4, 1, 4\n")
    assert (some.crop_filter, some.every_crop) == ((1, 4), False)


def test_orbits_and_additional_columns() -> None:
    text = (
        "[GENERAL_CONFIG]\nADDITIONAL_COLUMNS = soil, 'eco scheme'\n"
        "s1_orbit_list_filter = 037, '110'\ns1_orbit_type_list_filter = DESC, ASC\n"
    )
    configuration = sound(text)
    assert configuration.orbits == ((37, "descending"), (110, "ascending"))
    assert configuration.additional_columns == ("soil", "eco scheme")


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("('01/05/2021','31/07/2021')", date(2021, 5, 1), date(2021, 7, 31)),
        ("('01/05', '31/07')", date(2021, 5, 1), date(2021, 7, 31)),
        ('("15/07","01/03")', date(2021, 7, 15), date(2022, 3, 1)),
        ("[(1/5, 31/7)]", date(2021, 5, 1), date(2021, 7, 31)),
    ],
)
def test_one_period_with_or_without_year(period: str, first: date, last: date) -> None:
    assert sound(compliance("046", period, "2")).compliance == (MowingPeriod("046", first, last, 2),)


def test_several_periods_of_a_crop() -> None:
    text = compliance("A, A", "('01/05','31/05'), ('01/08','31/08')", "0, 0")
    assert [period.first.month for period in sound(text).compliance] == [5, 8]


def test_no_compliance_is_no_mistake() -> None:
    assert sound(compliance("", "", "")).compliance == ()


def test_cfg_01_a_value_given_twice() -> None:
    found = problem("[S1_processing]\npfa = 1e-7\n[s1]\npfa = 1e-6\n", "CFG-01")
    assert found.message == "Line 4: pfa of [s1] is already given on line 2."


def test_cfg_01_a_file_of_another_kind() -> None:
    _, report = read("[DEFAULT_TIME_SERIES_ANALYSIS_PARAMS]\nNDVIUP = 460\n")
    found = report.of("CFG-01")
    assert found is not None
    assert found.message == "The file has no section of an L4B configuration, such as [GENERAL_CONFIG] or [compliancy]."


def test_cfg_02_unknown_names_come_with_the_nearest() -> None:
    section = problem("[S1_procesing]\npfa = 1e-7\n[s2]\n", "CFG-02", Severity.WARNING)
    assert section.message == (
        "Line 1: there is no section [S1_procesing] (did you mean S1_processing?); it has no effect."
    )
    key = problem("[S2_processing]\nhigh_abs = 0.7\n", "CFG-02", Severity.WARNING)
    assert key.message == "Line 2: [S2_processing] has no key high_abs (did you mean high_abs_th?); it has no effect."
    assert key.rows == (2,)


def test_cfg_02_keys_without_effect_are_named_when_they_are_changed() -> None:
    assert sound("[S2_model]\napply_model = False\nsampling_days = 5\n[S1_processing]\nerode_pixels = 0\n")
    changed = problem("[S1_processing]\nerode_pixels = 2\n", "CFG-02", Severity.WARNING)
    assert changed.message == "Line 2: erode_pixels = 2 has no effect here."
    model = problem("[S2_model]\napply_model = True\n", "CFG-02", Severity.WARNING)
    assert model.message == "Line 2: apply_model = True has no effect here."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[S2_processing]\nhigh_abs_th = 7\n", "Line 2: high_abs_th = 7: must be 0 to 1."),
        ("[S1_processing]\npfa = 0\n", "Line 2: pfa = 0: must be above 0, below 0.5."),
        ("[S1_processing]\nstat_smpl_n = five\n", "Line 2: stat_smpl_n = five: must be a whole number, 3 to 50."),
        ("[S1_processing]\nsaturate_sigma = maybe\n", "Line 2: saturate_sigma = maybe: must be true or false."),
        ("[S1_processing]\npol_types = HH\n", "Line 2: pol_types = HH: must be some of VV, VH."),
        ("[S1_constants]\nlocAcqTimeASC = 25:00\n", "Line 2: locAcqTimeASC = 25:00: must be a time written HH:MM:SS."),
        ("[GENERAL_CONFIG]\nCTNUM_FILTER = 1, x\n",
         'Line 2: CTNUM_FILTER = 1, x: must be "all" or numbers (CTnum) above 0.'),
        ("[GENERAL_CONFIG]\ns1_orbit_list_filter = 37\n",
         "Line 2: s1_orbit_list_filter: 1 orbits, 0 types; both lists are needed, of the same length."),
        ("[general]\ns1_orbit_list_filter = 176\ns1_orbit_type_list_filter = ASC\n",
         "Line 2: s1_orbit_list_filter: orbits are numbers of 1 to 175."),
        ("[general]\ns1_orbit_list_filter = 37\ns1_orbit_type_list_filter = UP\n",
         "Line 2: s1_orbit_list_filter: types are ASC or DESC."),
        (compliance("A", "('01/05','31/07')", "3"), "Line 4: crop_rule = 3: must be one of 0, 1, 2."),
        (compliance("NULL", "('01/05','31/07')", "0"), "Line 2: a crop code of crop_codes is empty."),
        (compliance("A,A", "('01/05','31/07'),('01/08','31/08')", "0,1"),
         "Line 4: crop code A has the rules 0 and 1; give it one."),
    ],
)  # fmt: skip
def test_cfg_03_values_out_of_bounds(text: str, message: str) -> None:
    assert problem(text, "CFG-03").message == message


def test_cfg_03_mowing_starts_with_the_season() -> None:
    early = SEASON[0] - timedelta(days=60)
    assert sound("[s2]\n", season=SEASON, mowing_start=early).settings == {f"{KEY}.start_date": early}
    found = problem("[s2]\n", "CFG-03", season=SEASON, mowing_start=early - timedelta(days=1))
    assert found.message == "Mowing start date 2020-12-30 must lie in 2020-12-31 to 2021-11-30."
    found = problem("[general]\nstart_date = 2021-12-01\n", "CFG-03", season=SEASON)
    assert found.message == "Line 2: mowing start date 2021-12-01 must lie in 2020-12-31 to 2021-11-30."


def test_cfg_04_lists_of_different_length() -> None:
    """Case 21."""
    found = problem(compliance("A, B, C", "('01/05','31/07'), ('01/06','31/07')", "0, 0, 1"), "CFG-04")
    assert found.message == "3 codes, 2 periods, 3 rules"


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ("('01/08/2021','31/07/2021')", "Line 3: the period ('01/08/2021','31/07/2021') ends before it starts."),
        ("('31/02','31/07')", "Line 3: ('31/02','31/07') is no period; write ('01/05/2021','31/07/2021') or "
         "('01/05','31/07')."),
        ("('01/05')", "Line 3: ('01/05') is no period; write ('01/05/2021','31/07/2021') or ('01/05','31/07')."),
        ("('2021-05-01','2021-07-31')", "Line 3: ('2021-05-01','2021-07-31') is no period; write "
         "('01/05/2021','31/07/2021') or ('01/05','31/07')."),
        ("('01/05','31/07'), May", "Line 3: \"May\" is no period; write ('01/05/2021','31/07/2021')."),
    ],
)  # fmt: skip
def test_cfg_05_periods(period: str, message: str) -> None:
    assert problem(compliance("A", period, "0"), "CFG-05").message == message


def test_cfg_06_codes_and_numbers_that_the_lut_lacks() -> None:
    lut, _ = read_crop_lut(crop_lut().encode(), "crop_lut.csv")
    assert lut is not None
    assert l4b_against_lut(sound(l4b_configuration(2021)), lut) == ()
    text = "[GENERAL_CONFIG]\nCTNUM_FILTER = 1, 5, 99\n" + compliance("265, X", "('1/5','1/6'),('1/5','1/6')", "0,0")
    findings = l4b_against_lut(sound(text), lut)
    assert {found.code for found in findings} == {"CFG-06"}
    assert {found.severity for found in findings} == {Severity.WARNING}
    assert [found.message for found in findings] == [
        "1 crop_codes not in the crop code LUT: X.",
        "1 CTNUM_FILTER numbers not in the crop code LUT: 99.",
        "1 CTNUM_FILTER numbers whose LC is not 3 (grassland): 5.",
    ]


def test_cfg_07_periods_of_another_time() -> None:
    found = problem(compliance("A", "('01/04/2019','31/10/2019')", "0"), "CFG-07", Severity.WARNING)
    assert found.message == "Line 3: the period 2019-04-01 to 2019-10-31 of crop code A lies outside 2020 to 2022."


def test_cfg_08_experts_sections_belong_to_administrators() -> None:
    text = "[S1_processing]\npfa = 3e-7\n"
    assert sound(text).settings[f"{KEY}.s1.pfa"] == 3e-7
    found = problem(text, "CFG-08", administrator=False)
    assert found.message == (
        "Line 2: pfa = 3e-7 changes the expert section [S1_processing] (in force: 3e-08); only an administrator may."
    )
    assert problem("[S2_constants]\nlocAcqTime = 11:00\n", "CFG-08", administrator=False)
    assert problem("[fusion]\nmin_conf = 0.6\n", "CFG-08", administrator=False)
    assert problem("[detection]\nmin_pixels_s2 = 5\n", "CFG-08", administrator=False)
    user = "[general]\ninput_product_types = S2\ns1_orbit_list_filter = 37\ns1_orbit_type_list_filter = ASC\n"
    assert sound(user, administrator=False)
    # what is in force may be repeated, and the sections of the user changed
    assert sound(text, administrator=False, previous=sound(text))
    assert sound(l4b_configuration(2021), administrator=False)


def test_all_problems_are_reported_at_once() -> None:
    text = "[S2_processing]\nhigh_abs_th = 7\nlow_abs_th = x\nnew = 1\n" + compliance(
        "A", "('1/8/2021','1/7/2021')", "0"
    )
    _, report = read(text)
    assert [(found.code, found.count) for found in report.findings] == [("CFG-03", 2), ("CFG-05", 1), ("CFG-02", 1)]
    assert report.findings[0].examples[1].startswith("Line 3: low_abs_th = x")


@pytest.mark.parametrize("country", COUNTRIES)
def test_presets_are_sound(country: str) -> None:
    configuration = preset(country.lower(), 2021)
    assert sound(l4b_text(configuration)) == configuration
    assert configuration.compliance


def test_presets_hold_what_the_specification_lists() -> None:
    lithuania = {period.crop_code: period for period in preset("LTU", 2021).compliance}
    assert lithuania["5PT-2"] == MowingPeriod("5PT-2", date(2021, 7, 15), date(2022, 3, 1), 0)
    assert len(preset("NLD", 2021).compliance) == 21
    assert preset("ESP", 2021).settings[f"{KEY}.s2.decreasing_abs_th"] == 0.15
    with pytest.raises(NotFoundError, match="There is no L4B preset for DEU"):
        preset("DEU", 2021)


def _setting(key: str) -> st.SearchStrategy[tuple[str, object]]:
    parameter = REGISTRY.get(key)
    low, high = parameter.minimum, parameter.maximum
    assert low is not None
    assert high is not None
    if parameter.kind == Kind.INT:
        return st.tuples(st.just(key), st.integers(int(low), int(high)))
    return st.tuples(
        st.just(key), st.floats(low, high, exclude_min=parameter.exclusive, exclude_max=parameter.exclusive)
    )


SETTINGS = st.lists(
    st.sampled_from(
        [
            one.key
            for one in REGISTRY
            if one.key.startswith(KEY) and one.kind in (Kind.INT, Kind.FLOAT) and set(one.scopes) != {Scope.JOB}
        ]
    ).flatmap(_setting)
).map(dict)
DAYS = st.dates(date(2020, 1, 1), date(2022, 12, 31))
PERIODS = st.lists(
    st.tuples(st.text("AB0-9 ", min_size=1, max_size=4).map(str.strip).filter(bool), DAYS, st.integers(0, 300)),
    unique_by=lambda one: one[0],
    max_size=4,
).map(
    lambda several: tuple(
        MowingPeriod(" ".join(code.split()), first, min(first + timedelta(days), date(2022, 12, 31)), days % 3)
        for code, first, days in several
    )
)
CONFIGURATIONS = st.builds(
    L4bConfiguration,
    year=st.just(2021),
    crop_filter=st.sets(st.integers(1, 500)).map(lambda some: tuple(sorted(some))),
    orbits=st.lists(st.tuples(st.integers(1, 175), st.sampled_from(["ascending", "descending"]))).map(tuple),
    settings=SETTINGS,
    acquisition_times=st.dictionaries(
        st.sampled_from(["s1_ascending", "s1_descending", "s2"]),
        st.times().map(lambda one: one.replace(microsecond=0).isoformat()),
    ),
    compliance=PERIODS,
)


def test_an_empty_list_is_not_the_default() -> None:
    configuration = L4bConfiguration(2021, settings={f"{KEY}.repairs": (), f"{KEY}.start_date": date(2021, 4, 1)})
    assert sound(l4b_text(configuration)) == configuration


@given(CONFIGURATIONS)
def test_file_and_json_hold_the_same(configuration: L4bConfiguration) -> None:
    assert L4bConfiguration.from_dict(json.loads(json.dumps(configuration.as_dict()))) == configuration
    assert sound(l4b_text(configuration)) == configuration

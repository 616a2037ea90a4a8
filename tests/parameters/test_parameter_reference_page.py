"""docs/parameters.md is what the registry says."""

from pathlib import Path

from s4c_lib.parameters import REGISTRY, reference_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "parameters.md"


def test_the_page_in_docs_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(REGISTRY), (
        "docs/parameters.md is out of date; run: s4c config reference > docs/parameters.md"
    )


def test_the_page_shows_every_parameter_and_every_dropped_key() -> None:
    page = reference_page(REGISTRY)
    for parameter in REGISTRY:
        assert f"| `{parameter.key}` |" in page
    for retired in REGISTRY.retired:
        assert f"| `{retired.pattern}` |" in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


def test_every_row_has_as_many_cells_as_its_header() -> None:
    rows = [line.replace("\\|", "") for line in reference_page(REGISTRY).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {10, 3}

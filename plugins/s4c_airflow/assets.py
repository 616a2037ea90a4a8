"""Assets of a season, for lineage: ``s4c://<site>/<season>/<product type>``. No DAG is scheduled by them."""

from __future__ import annotations

from airflow.sdk import Asset

from s4c_lib.processors import PROCESSORS

INGESTED = ("l2a", "s1_l2a_amp", "s1_l2a_cohe", "l3b", "s4c_mdb1")
"""Product types of the ingest DAG by the order of its tasks; ``s4c_mdb1`` stands for the statistics."""


def product_asset(site: str, season: str, product_type: str) -> Asset:
    """Return the asset of a product type of a season; its name is its address."""
    address = f"s4c://{site}/{season}/{product_type}"
    return Asset(name=address, uri=address)


def result_asset(site: str, season: str, processor: str) -> Asset:
    """Return the asset of an L4 processor's product."""
    return product_asset(site, season, PROCESSORS[processor].product_type)

"""How eodag is told of the hub: the addresses of its Copernicus Data Space provider, exchanged for those of the hub."""

from __future__ import annotations

from typing import Any

from s4c_lib.synthetic.hub.keycloak import REALM

PROVIDER = "cop_dataspace"
"""eodag's own definition that the hub's is laid over."""
LEVEL2 = ("S1_L2_AMP", "S1_L2_COHE")
"""Collections of Sentinel-1 level 2."""


def eodag_definition(base_url: str) -> dict[str, Any]:
    """What differs from eodag's own definition of `PROVIDER`, in the form of eodag's user configuration.

    Beside the addresses it adds kinds of product that the Data Space has not, and ordering of what is on tape, by
    eodag's generic means. Sentinel-1 level 2 is in no list of eodag's: whoever works with its gateway itself
    (which looks every collection up there) leaves `LEVEL2` out of ``products``.
    """
    products = f"{base_url}/odata/v1/Products"
    return {
        "search": {
            "api_endpoint": products,
            "metadata_mapping": {
                "eodag:download_link": f"{products}({{uid}})/$value",
                "eodag:order_link": f"{products}({{uid}})/OData.CSC.Order",
            },
        },
        "products": {
            "S2_MSI_L2A_MAJA": {"_collection": "SENTINEL-2", "product:type": "S2MSI2A_MUSCATE"},
            "LANDSAT_C2L2": {"_collection": "LANDSAT", "product:type": "L2SP"},
            **{name: {"_collection": name, "product:type": name} for name in LEVEL2},
        },
        "download": {
            "order_enabled": True,
            "order_method": "POST",
            "order_on_response": {
                "metadata_mapping": {
                    "eodag:order_id": "$.json.Id",
                    "eodag:status_link": f"{base_url}/odata/v1/Orders({{eodag:order_id}})",
                }
            },
            "order_status": {
                "request": {"method": "GET"},
                "metadata_mapping": {"eodag:order_status": "$.json.Status"},
                "success": {"eodag:order_status": "completed"},
                "error": {"eodag:order_status": "failed"},
            },
        },
        "auth": {
            "matching_url": base_url,
            "oidc_config_url": f"{base_url}{REALM}/.well-known/openid-configuration",
        },
    }

"""A provider's definition, examined when it is given: plugins that there are not, keys that eodag would not read.

eodag takes every key and looks for a plugin only when it is used, so a slip would show at the first search or fetch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.sources.eodag_provider import search_plugin

_LOGINS: Final = ("auth", "search_auth", "download_auth")
_SECTIONS: Final = ("search", "download", *_LOGINS)
# Keys that plugins read and eodag's class of settings does not list.
_UNLISTED: Final = frozenset({"common_metadata_mapping_path", "delete_archive", "support_presign_url"})
# Of a collection; every other key is a term of the search.
_OF_COLLECTION: Final = frozenset(
    {
        "_collection",
        "metadata_mapping",
        "metadata_mapping_from_product",
        "assets_mapping",
        "discover_metadata",
        "discover_queryables",
        "product:type",
        "processing:level",
        "instruments",
    }
)
_NEAR: Final = 0.8  # what is further from a known key is taken for one that a plugin of its own reads


def check_definition(provider: str, definition: Mapping[str, Any], described: Any) -> None:
    """Refuse a definition that cannot work or does not say what it was meant to. Nothing is asked of the provider.

    Parameters
    ----------
    definition : as given, in the form of eodag's user configuration.
    described : the provider with the definition laid over it (`eodag_provider.describe_provider`).

    Raises
    ------
    InputError : a type that no plugin of eodag has, a misspelt key, a collection without its name at the provider, a
        description that its search plugin does not take.
    """
    from eodag.api.provider import ProviderConfig
    from eodag.config import PluginConfig

    _check_keys(provider, "", definition, ProviderConfig.__annotations__)
    for topic in _SECTIONS:
        section = definition.get(topic)
        if isinstance(section, Mapping):
            _check_keys(provider, topic, section, _UNLISTED | set(PluginConfig.__annotations__))
        if (merged := getattr(described, topic, None)) is not None:
            _check_type(provider, topic, str(merged.type))
    products = definition.get("products") or {}
    for name, keys in products.items():
        place = f"products.{name}"
        if not isinstance(keys, Mapping):
            raise _refused(provider, f"does not say what {place} is", f"give {place} a _collection")
        _check_keys(provider, place, keys, _OF_COLLECTION)
    try:
        search_plugin(described)
    except Exception as error:
        # eodag raises whatever a wrong value leads to, AttributeError and TypeError among them
        raise _refused(
            provider,
            f"is not taken by eodag's plugin {described.search.type}: {error}",
            "compare its section search with a provider of the same type in eodag's list",
        ) from error


def _check_keys(provider: str, place: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    names = sorted(known)
    for key in sorted(str(key) for key in set(given) - set(names)):
        # eodag's own files keep what several products share under such names
        near = [] if key.startswith("anchor_") else get_close_matches(key, names, n=1, cutoff=_NEAR)
        if near:
            named = f"{place}.{key}" if place else key
            raise _refused(provider, f"has the key {named}, which eodag does not read", f"it is spelt {near[0]}")


def _check_type(provider: str, topic: str, kind: str) -> None:
    from eodag.plugins.authentication.base import Authentication
    from eodag.plugins.download.base import Download
    from eodag.plugins.search.base import Search

    family: Any = Authentication if topic in _LOGINS else {"search": Search, "download": Download}[topic]
    family.ensure_plugins_loaded()
    types = sorted(plugin.__name__ for plugin in family.plugins)
    if kind not in types:
        near = get_close_matches(kind, types, n=3, cutoff=0.5) or types
        raise _refused(provider, f"names the plugin {kind} in {topic}, which eodag has not", f"take {', '.join(near)}")


def _refused(provider: str, what: str, hint: str) -> InputError:
    return InputError(f"The definition of provider {provider} {what}.", hint=hint)

"""The registry of parameters, declared once, and how layers of values resolve.

Translating the configuration of a Sen4CAP installation is in :mod:`s4c_lib.parameters.sen4cap`; it is not imported
here, because every start of the command line and every parse of a DAG file imports this package.
"""

from s4c_lib.parameters.keys import REGISTRY
from s4c_lib.parameters.layers import Explanation, Layers, Snapshot, resolve
from s4c_lib.parameters.model import Kind, Parameter, Scope
from s4c_lib.parameters.reference import reference_page
from s4c_lib.parameters.registry import Registry

__all__ = [
    "REGISTRY",
    "Explanation",
    "Kind",
    "Layers",
    "Parameter",
    "Registry",
    "Scope",
    "Snapshot",
    "reference_page",
    "resolve",
]

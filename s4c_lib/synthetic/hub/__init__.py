"""A local provider of products that speaks as the real ones do, and fails as they do: see `Hub`."""

from s4c_lib.synthetic.hub.hub import Hub, HubLimits

__all__ = ["Hub", "HubLimits"]

"""What carries notices away, whoever implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from s4c_lib.errors import Sen4capError


class DeliveryError(Sen4capError, ConnectionError):
    """A mail server or web hook does not take a notice; it stays pending and is tried again in the next round."""

    code = "delivery"


class Post(Protocol):
    """Sends through a named connection, which keeps addresses and passwords."""

    def mail(
        self, connection_id: str, *, sender: str | None, recipients: Sequence[str], subject: str, page: str
    ) -> None:
        """Send one mail.

        Raises
        ------
        DeliveryError : it was not taken. InputError : the connection is missing or incomplete.
        """

    def webhook(self, connection_id: str, document: Mapping[str, Any]) -> None:
        """Post one document; raises as `mail` does."""

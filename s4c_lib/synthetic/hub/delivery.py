"""Handing out the bytes of a product: who may have them, whether they are online, how many transfers at once."""

from __future__ import annotations

import threading
from collections import Counter

from s4c_lib.errors import SourceRefusedError
from s4c_lib.synthetic.hub.byte_ranges import Sendable, file_answer
from s4c_lib.synthetic.hub.exchange import Answer, Call, FilePart, json_answer
from s4c_lib.synthetic.hub.identity import Identity
from s4c_lib.synthetic.hub.served_product import ServedProduct
from s4c_lib.synthetic.hub.shelf import Shelf

_GRACE_SECONDS = 0.2


class Delivery:
    """Checks who asks and gives the file; safe for threads.

    Parameters
    ----------
    connection_limit : transfers of one account at once; None for no limit.
    """

    def __init__(self, shelf: Shelf, identity: Identity, *, connection_limit: int | None) -> None:
        self._shelf = shelf
        self._identity = identity
        self.connection_limit = connection_limit
        self._lock = threading.Condition()
        self._running: Counter[str] = Counter()
        self._most = 0

    @property
    def most_downloads(self) -> int:
        """Most transfers that ran at once."""
        return self._most

    def begin(self, account: str) -> bool:
        """Take a place for a transfer; False where the account has too many already."""
        limit = self.connection_limit
        with self._lock:
            # A client that has the last byte may come back before that transfer is noted as ended.
            if limit is not None and not self._lock.wait_for(lambda: self._running[account] < limit, _GRACE_SECONDS):
                return False
            self._running[account] += 1
            self._most = max(self._most, self._running.total())
            return True

    def end(self, account: str) -> None:
        """Give the place back."""
        with self._lock:
            self._running[account] -= 1
            self._lock.notify_all()

    def to_bearer(self, call: Call, product_id: str) -> Answer:
        """Answer a request for a product's bytes that a token opens."""
        try:
            bearer = self._identity.check(call.token)
        except SourceRefusedError as error:
            return json_answer({"detail": error.message}, 401)
        product = self._shelf.sent_of_id(product_id)
        if product is None:
            return json_answer({"detail": "Product not found"}, 404)
        if not self._shelf.is_online(product, look=False):
            detail = {"message": "Product is offline and must be ordered", "request_id": f"{call.number:032x}"}
            return json_answer({"detail": detail}, 422)
        answer = self.file(product, call)
        return Answer(answer.status, answer.body, answer.headers, bearer.account, bearer.session)

    def file(self, product: ServedProduct, call: Call) -> Answer:
        """The bytes asked for, whoever asks."""
        file = Sendable(
            product.path,
            product.file_name,
            product.size_bytes,
            product.etag,
            product.published.timestamp(),
            "application/zip" if product.file_name.endswith(".zip") else "application/octet-stream",
        )
        return file_answer(file, call.headers)


def is_transfer(answer: Answer, method: str) -> bool:
    """Whether the answer carries bytes of a product, and so takes one of the account's places."""
    return method == "GET" and isinstance(answer.body, FilePart)


def too_many(call: Call, account: str, limit: int | None) -> Answer:
    """Say that the account has too many transfers, as the catalogue asked says it."""
    if call.path.startswith("/dhus/"):
        cause = (
            "An exception occured while creating a stream: "
            f'Maximum number of {limit} concurrent flows achieved by the user "{account}"'
        )
        return Answer(403, cause.encode(), {"Content-Type": "text/plain", "cause-message": cause})
    document = {"trace-id": f"{call.number:032x}", "code": "DAT-ZIP-100", "message": "Max session number exceeded"}
    return json_answer(document, 429)

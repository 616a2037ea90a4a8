"""What the hub lists and can send at this moment: online or on tape, ordered, withdrawn, published again."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s4c_lib.errors import NotFoundError
from s4c_lib.synthetic.hub.holdings import in_order, reprocessed
from s4c_lib.synthetic.hub.served_product import ServedProduct


@dataclass(frozen=True, slots=True)
class Order:
    """A product asked for from tape. ``at``: the hub's clock when it was ordered."""

    id: str
    product: ServedProduct
    account: str
    at: float


@dataclass(slots=True)
class _Tape:
    """A product that is offline: online ``polls`` looks at its state or ``seconds`` after it was ordered."""

    polls: int | None
    seconds: float | None
    order: Order | None = None
    looks: int = 0


class Shelf:
    """The products and their states; safe for threads.

    Parameters
    ----------
    clock : seconds; only differences count.
    cache : folder for products that are made later.
    """

    def __init__(self, products: Iterable[ServedProduct], *, clock: Callable[[], float], cache: Path) -> None:
        self._products = in_order(products)
        self._by_id = {product.id: product for product in self._products}
        self._clock = clock
        self._cache = cache
        self._lock = threading.RLock()
        self._tapes: dict[str, _Tape] = {}
        self._orders: dict[str, Order] = {}
        self._withdrawn: set[str] = set()
        self._unlisted: set[str] = set()
        self._wrong: set[str] = set()
        self._coming: list[tuple[int, ServedProduct]] = []
        self._searches = 0

    def products(self) -> tuple[ServedProduct, ...]:
        """Everything the hub can send, by sensing time and title."""
        with self._lock:
            return tuple(product for product in self._products if product.id not in self._withdrawn)

    def listed(self) -> tuple[ServedProduct, ...]:
        """Everything the catalogues list; a withdrawn product may still be among it."""
        with self._lock:
            return tuple(product for product in self._products if product.id not in self._unlisted)

    def of_name(self, name: str) -> ServedProduct:
        """A product by its title, id or file name.

        Raises
        ------
        NotFoundError : none is called so.
        """
        with self._lock:
            for product in self._products:
                if name in (product.title, product.id, product.file_name, product.name.name):
                    return product
        raise NotFoundError(f"the hub serves no product {name}", hint="GET /odata/v1/Products lists them")

    def listed_of_id(self, product_id: str) -> ServedProduct | None:
        """A product the catalogues list."""
        with self._lock:
            return None if product_id in self._unlisted else self._by_id.get(product_id)

    def sent_of_id(self, product_id: str) -> ServedProduct | None:
        """A product whose bytes are there."""
        with self._lock:
            return None if product_id in self._withdrawn else self._by_id.get(product_id)

    def title_of(self, product_id: str) -> str | None:
        """Title of a product, withdrawn or not."""
        product = self._by_id.get(product_id)
        return None if product is None else product.title

    def stated_md5(self, product: ServedProduct) -> str:
        """The checksum the catalogues state, which may be a wrong one."""
        with self._lock:
            return product.md5[::-1] if product.id in self._wrong else product.md5

    def is_online(self, product: ServedProduct, *, look: bool = True) -> bool:
        """Whether the bytes can be had now.

        Parameters
        ----------
        look : count this as one of the looks at its state that an ordered product becomes online after.
        """
        with self._lock:
            tape = self._tapes.get(product.id)
            if tape is None:
                return True
            if look and tape.order is not None:
                tape.looks += 1
            return self._is_up(tape)

    def order(self, product: ServedProduct, account: str, *, quota: int | None) -> Order | None:
        """Order a product from tape; a running order of it is returned again.

        Returns
        -------
        None where the account waits for ``quota`` products already.
        """
        with self._lock:
            tape = self._tapes.setdefault(product.id, _Tape(None, None))
            if tape.order is not None:
                return tape.order
            waiting = sum(
                other.order is not None and other.order.account == account and not self._is_up(other)
                for other in self._tapes.values()
            )
            if quota is not None and waiting >= quota:
                return None
            order_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"order of {product.title}"))
            order = Order(order_id, product, account, self._clock())
            tape.order = order
            self._orders[order.id] = order
            return order

    def order_of_id(self, order_id: str) -> Order | None:
        """An order that was taken."""
        with self._lock:
            return self._orders.get(order_id)

    def search_done(self) -> None:
        """Count a search: what is published after so many of them appears now."""
        with self._lock:
            self._searches += 1
            self._publish()

    def put_offline(self, name: str, *, polls: int | None = None, seconds: float | None = None) -> None:
        """Move a product to tape, see `Faults.offline`."""
        with self._lock:
            self._tapes[self.of_name(name).id] = _Tape(polls, seconds)

    def withdraw(self, name: str, *, listed: bool) -> None:
        """Take the bytes of a product away, see `Faults.withdraw`."""
        with self._lock:
            product_id = self.of_name(name).id
            self._withdrawn.add(product_id)
            (self._unlisted.discard if listed else self._unlisted.add)(product_id)

    def state_wrong_checksum(self, name: str) -> None:
        """State a checksum that is not that of the bytes."""
        with self._lock:
            self._wrong.add(self.of_name(name).id)

    def republish(self, name: str, *, after_searches: int) -> str:
        """Publish a product's next baseline, see `Faults.republish`."""
        product = reprocessed(self.of_name(name), self._cache)
        with self._lock:
            self._coming.append((self._searches + after_searches, product))
            self._publish()
        return product.title

    def restore(self) -> None:
        """Put everything online and list it; what was published again stays."""
        with self._lock:
            self._tapes.clear()
            self._orders.clear()
            self._withdrawn.clear()
            self._unlisted.clear()
            self._wrong.clear()

    def states(self) -> dict[str, Any]:
        """What differs from a hub in order, by title."""
        with self._lock:
            titles = {product.id: product.title for product in self._products}
            return {
                "offline": sorted(titles[key] for key, tape in self._tapes.items() if not self._is_up(tape)),
                "withdrawn": sorted(titles[key] for key in self._withdrawn),
                "wrong_checksum": sorted(titles[key] for key in self._wrong),
                "to_be_published": sorted(product.title for _, product in self._coming),
            }

    def _publish(self) -> None:
        due = [product for after, product in self._coming if after <= self._searches]
        if due:
            self._coming = [(after, product) for after, product in self._coming if after > self._searches]
            self._by_id.update((product.id, product) for product in due)
            self._products = in_order((*self._products, *due))

    def _is_up(self, tape: _Tape) -> bool:
        if tape.order is None:
            return False
        if tape.polls is not None:
            return tape.looks >= tape.polls
        return tape.seconds is None or self._clock() - tape.order.at >= tape.seconds

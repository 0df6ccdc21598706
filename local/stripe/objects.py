"""Keeps Stripe's objects as the JSON of Stripe's answers, and lists them newest first with Stripe's cursors."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated

from pydantic import Field

from local.stripe.errors import Json, StripeError, no_such
from local.stripe.parameters import Params, Text
from local.stripe.store import StripeStore


class Page(Params):
    """The parameters of every list. Source: Stripe's pagination, 1 to 100 objects, 10 unless told otherwise."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10
    starting_after: Text | None = None
    ending_before: Text | None = None


class Objects:
    """The objects of one mode: a test key never sees the objects of a live key."""

    def __init__(self, store: StripeStore, *, livemode: bool) -> None:
        self._sql = store.connection
        self._livemode = livemode

    def add(self, body: Json, *, owner: str = "") -> Json:
        """Keeps a new object. Lists of its kind can be filtered by `owner`.

        Raises:
            StripeError: 400 if its id is taken.
        """
        kind, identity = body["object"], body["id"]
        if self.find(kind, identity) is not None:
            message = f"{kind.capitalize()} already exists."
            raise StripeError(message, code="resource_already_exists", param="id", executed=True)
        self._sql.execute(
            "INSERT INTO objects (livemode, kind, id, owner, body) VALUES (?, ?, ?, ?, ?)",
            (self._livemode, kind, identity, owner, json.dumps(body)),
        )
        return body

    def find(self, kind: str, identity: str) -> Json | None:
        """Returns the object, even a deleted one; None if there is none."""
        row = self._sql.execute(
            "SELECT body FROM objects WHERE kind = ? AND id = ? AND livemode = ?", (kind, identity, self._livemode)
        ).fetchone()
        return None if row is None else _decoded(row[0])

    def exists(self, kind: str, identity: str) -> bool:
        """Returns whether the object exists and is not deleted."""
        row = self._sql.execute(
            "SELECT 1 FROM objects WHERE kind = ? AND id = ? AND livemode = ? AND NOT deleted",
            (kind, identity, self._livemode),
        ).fetchone()
        return row is not None

    def at_path(self, kind: str, identity: str) -> Json:
        """Returns the object that a path names.

        Raises:
            StripeError: 404 if it does not exist or is deleted.
        """
        return self._present(kind, identity, param="id", status=404)

    def referred(self, kind: str, identity: str, *, param: str) -> Json:
        """Returns the object that a parameter names.

        Raises:
            StripeError: 400 if it does not exist or is deleted.
        """
        return self._present(kind, identity, param=param, status=400)

    def replace(self, body: Json) -> Json:
        """Overwrites an object; an object with `deleted` true is no longer listed."""
        self._sql.execute(
            "UPDATE objects SET body = ?, deleted = ? WHERE kind = ? AND id = ? AND livemode = ?",
            (json.dumps(body), body.get("deleted", False), body["object"], body["id"], self._livemode),
        )
        return body

    def every(self, kind: str, *, owner: str | None = None) -> Iterator[Json]:
        """Yields all objects of a kind that are not deleted, newest first."""
        return self._walk(kind, owner)

    def page(
        self, kind: str, page: Page, url: str, *, owner: str | None = None, wanted: Callable[[Json], bool] | None = None
    ) -> Json:
        """Returns one page of a list, newest first.

        Raises:
            StripeError: 400 if the cursor names no object.
        """
        newest_first = page.ending_before is None
        cursor = page.starting_after or page.ending_before
        seq = None if cursor is None else self._seq(kind, cursor, newest_first=newest_first)
        walk = self._walk(kind, owner, seq, newest_first=newest_first)
        found = list(islice(filter(wanted, walk), page.limit + 1))
        data = found[: page.limit]
        return as_list(data if newest_first else data[::-1], url, has_more=len(found) > page.limit)

    def _present(self, kind: str, identity: str, *, param: str, status: int) -> Json:
        body = self.find(kind, identity)
        if body is None or body.get("deleted"):
            raise no_such(kind.rpartition(".")[2], identity, param=param, status=status)
        return body

    def _seq(self, kind: str, identity: str, *, newest_first: bool) -> int:
        row = self._sql.execute(
            "SELECT seq FROM objects WHERE kind = ? AND id = ? AND livemode = ?", (kind, identity, self._livemode)
        ).fetchone()
        if row is None:
            raise no_such(kind, identity, param="starting_after" if newest_first else "ending_before")
        return int(row[0])

    def _walk(
        self, kind: str, owner: str | None = None, cursor: int | None = None, *, newest_first: bool = True
    ) -> Iterator[Json]:
        conditions = ["kind = ?", "livemode = ?", "NOT deleted"]
        values: list[str | int] = [kind, self._livemode]
        if owner is not None:
            conditions.append("owner = ?")
            values.append(owner)
        if cursor is not None:
            conditions.append("seq < ?" if newest_first else "seq > ?")
            values.append(cursor)
        order = "seq DESC" if newest_first else "seq"
        query = f"SELECT body FROM objects WHERE {' AND '.join(conditions)} ORDER BY {order}"  # noqa: S608 - constants
        return (_decoded(body) for (body,) in self._sql.execute(query, values))


def as_list(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    """Returns Stripe's list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _decoded(body: str) -> Json:
    decoded: Json = json.loads(body)
    return decoded

"""The names of a shard's keys. All carry the hash tag `{pN}`, so that a shard lives in one cluster slot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Key names of one shard; `prefix` tells complete copies of the state apart."""

    prefix: str
    shard: int

    def _name(self, rest: str) -> str:
        return f"{self.prefix}{{p{self.shard}}}{rest}"

    @property
    def fences(self) -> str:
        """Hash: fences, highest append time, incarnation, ready, conservation counters."""
        return self._name("f")

    @property
    def due(self) -> str:
        """Hash: bucket → counted minus claimed, gone at 0."""
        return self._name("due")

    @property
    def due_order(self) -> str:
        """Sorted set: the buckets of `due` by their hour."""
        return self._name("due:order")

    @property
    def in_flight(self) -> str:
        """Hash: identifier → row that was accepted and not settled."""
        return self._name("fly")

    @property
    def parked(self) -> str:
        """Hash: identifier → row that waits for a person."""
        return self._name("park")

    @property
    def held(self) -> str:
        """Hash: bucket, and meter-minute-customer, of each unresolved row → its identifier."""
        return self._name("held")

    @property
    def accounts(self) -> str:
        """Hash: account → its record."""
        return self._name("a")

    @property
    def api_keys(self) -> str:
        """Hash: sha256 of a key → its record."""
        return self._name("k")

    def hours(self, account: str, day: int) -> str:
        """Hash: meter * 24 + hour → units counted in that bucket."""
        return self._name(f"u:{account}:{day}")

    def days(self, account: str, month: str) -> str:
        """Hash: meter * 31 + day of the month - 1 → units counted on that day; `fence` → as of the last change."""
        return self._name(f"t:{account}:{month}")

    def remembered(self, block: int, index: int) -> str:
        """Set: the members of one part of a dedupe block."""
        return self._name(f"d:{block}:{index}")

    @property
    def ended(self) -> str:
        """Set: identifiers of rows that were written off or replaced."""
        return self._name("ended")

    def closed_claims(self, account: str, day: int) -> str:
        """Hash: meter * 24 + hour → units claimed of a closed bucket."""
        return self._name(f"c:{account}:{day}")

    def accepted(self, account: str, day: int) -> str:
        """Hash: meter|minute|customer → units that Stripe has accepted; c|meter|minute → those carried forward."""
        return self._name(f"s:{account}:{day}")

    @property
    def last_used(self) -> str:
        """Hash: sha256 of a key → Unix seconds of its last use. What begins with `api:` may be lost at any time."""
        return self._name("api:used")

    def uses(self, window: int) -> str:
        """Hash: sha256 of a key → requests made with it in one window of the rate limit."""
        return self._name(f"api:uses:{window}")

    def session(self, session_hash: str) -> str:
        """String: the sha256 of the key that a session was opened with."""
        return self._name(f"api:session:{session_hash}")

    def attempts(self, address: str) -> str:
        """String: attempts to sign in from a client's address."""
        return self._name(f"api:attempts:{address}")

    @property
    def hints(self) -> str:
        """Set: the meters that Stripe has reported errors of."""
        return self._name("api:hints")

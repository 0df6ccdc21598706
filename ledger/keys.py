"""The names of a shard's keys. All carry the hash tag `{pN}`, so that a shard lives in one cluster slot."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Key names of one shard; `prefix` tells complete copies of the state apart."""

    prefix: str
    shard: int
    _head: str = field(init=False, repr=False, compare=False)  # of every name; made once: a batch has thousands

    def __post_init__(self) -> None:
        object.__setattr__(self, "_head", f"{self.prefix}{{p{self.shard}}}")

    @property
    def fences(self) -> str:
        """Hash: fences, highest append time, incarnation, ready, conservation counters."""
        return f"{self._head}f"

    @property
    def due(self) -> str:
        """Hash: bucket → counted minus claimed, gone at 0."""
        return f"{self._head}due"

    @property
    def due_order(self) -> str:
        """Sorted set: the buckets of `due` by their hour, but for those that are set aside."""
        return f"{self._head}due:order"

    @property
    def aside(self) -> str:
        """Sorted set, by name: the buckets of `due` of which no row can be made until the account's record changes."""
        return f"{self._head}due:aside"

    @property
    def aside_records(self) -> str:
        """Hash: account with buckets set aside → the record that they were judged by."""
        return f"{self._head}due:records"

    @property
    def in_flight(self) -> str:
        """Hash: identifier → row that was accepted and not settled."""
        return f"{self._head}fly"

    @property
    def parked(self) -> str:
        """Hash: identifier → row that waits for a person."""
        return f"{self._head}park"

    @property
    def held(self) -> str:
        """Hash: bucket, and meter-minute-customer, of each unresolved row → its identifier."""
        return f"{self._head}held"

    @property
    def accounts(self) -> str:
        """Hash: account → its record."""
        return f"{self._head}a"

    @property
    def api_keys(self) -> str:
        """Hash: sha256 of a key → its record."""
        return f"{self._head}k"

    def hours(self, account: str, day: int) -> str:
        """Hash: meter * 24 + hour → units counted in that bucket."""
        return f"{self._head}u:{account}:{day}"

    def days(self, account: str, month: str) -> str:
        """Hash: meter * 31 + day of the month - 1 → units counted on that day; `fence` → as of the last change."""
        return f"{self._head}t:{account}:{month}"

    def remembered(self, block: int, index: int) -> str:
        """Set: the members of one part of a dedupe block."""
        return f"{self._head}d:{block}:{index}"

    @property
    def ended(self) -> str:
        """Set: identifiers of rows that were written off or replaced."""
        return f"{self._head}ended"

    def closed_claims(self, account: str, day: int) -> str:
        """Hash: meter * 24 + hour → units claimed of a closed bucket."""
        return f"{self._head}c:{account}:{day}"

    def accepted(self, account: str, day: int) -> str:
        """Hash: meter|minute|customer → units that Stripe has accepted; c|meter|minute → those carried forward."""
        return f"{self._head}s:{account}:{day}"

    @property
    def last_used(self) -> str:
        """Hash: sha256 of a key → Unix seconds of its last use. What begins with `api:` may be lost at any time."""
        return f"{self._head}api:used"

    def uses(self, window: int) -> str:
        """Hash: sha256 of a key → requests made with it in one window of the rate limit."""
        return f"{self._head}api:uses:{window}"

    def session(self, session_hash: str) -> str:
        """String: the sha256 of the key that a session was opened with."""
        return f"{self._head}api:session:{session_hash}"

    def attempts(self, address: str) -> str:
        """String: attempts to sign in from a client's address."""
        return f"{self._head}api:attempts:{address}"

    def portal_links(self, account: str) -> str:
        """String: links to Stripe's portal that an account has asked for in the current window."""
        return f"{self._head}api:portal:{account}"

    @property
    def hints(self) -> str:
        """Set: the meters that Stripe has reported errors of."""
        return f"{self._head}api:hints"

    def notices(self, author: str) -> str:
        """Hash: what a service has to say of the shard: a trouble → the findings; may be lost at any time."""
        return f"{self._head}api:notices:{author}"

    @property
    def beats(self) -> str:
        """String: there while some API process is; may be lost at any time."""
        return f"{self._head}api:beats"

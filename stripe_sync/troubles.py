"""What can't be done about one bucket, row or account: an alarm, and never the end of all the others."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from ledger.reading import NotReadyError
from stripe_sync.errors import StripeStoppedError, WrongStripeError

log = logging.getLogger(__name__)

EVERYBODYS = (RedisError, KafkaError, OSError, TimeoutError, NotReadyError, StripeStoppedError, WrongStripeError)
"""What concerns a whole shard or process: a server that is away, a shard that is being folded, a refused key."""
MOST_NAMED = 3  # in a sentence; the log has them all


@dataclass(slots=True)
class Troubles:
    """Some buckets or rows that could not be handled, by name, each with why.

    `sentence` says what becomes of them and what to do.
    """

    sentence: str
    _found: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, error: Exception) -> None:
        """One more; it is logged when it is new or has another reason, with where it came from."""
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if self._found.get(name) != why:
            log.error("%s: %s: %s", name, self.sentence, why, exc_info=error)
        self._found[name] = why

    def forget(self, name: str) -> None:
        """It was handled."""
        self._found.pop(name, None)

    def keep(self, names: Collection[str]) -> None:
        """Forgets all others: they are gone."""
        for name in [name for name in self._found if name not in names]:
            del self._found[name]

    def __len__(self) -> int:
        return len(self._found)

    def __str__(self) -> str:
        named = "; ".join(f"{name} ({why})" for name, why in list(self._found.items())[:MOST_NAMED])
        more = f"; and {len(self) - MOST_NAMED} more" if len(self) > MOST_NAMED else ""
        return f"{self.sentence}: {named}{more}"

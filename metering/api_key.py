"""API keys: `tk_live_`, 32 random base62 characters, 6 of checksum; known to the platform by their sha256 only."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from metering.account import AccountId

PREFIX = "tk_live_"
RANDOM_CHARACTERS = 32  # 190 bits
CHECKSUM_CHARACTERS = 6  # a CRC-32 in base62: a mistyped or scanned key is recognised without a look-up
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}}")


class ApiKeyRecord(BaseModel):
    """What `billing.api-keys` says of a key hash. `created` is in Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    account: AccountId
    label: str = ""
    created: Annotated[int, Field(ge=0)]

    def to_json(self) -> bytes:
        """The record's value."""
        return self.model_dump_json().encode()


def make_api_key(choose: Callable[[str], str]) -> str:
    """A new key; `choose` picks one character of an alphabet and must be `secrets.choice` outside tests."""
    body = "".join(choose(_ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return PREFIX + body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """True if the key has the shape and its checksum fits."""
    if not _SHAPE.fullmatch(key):
        return False
    body = key[len(PREFIX) : -CHECKSUM_CHARACTERS]
    return key[-CHECKSUM_CHARACTERS:] == _checksum(body)


def key_hash(key: str) -> str:
    """The name under which a key is stored: the lower-case hexadecimal sha256 of the whole key."""
    return sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    value, digits = crc32(body.encode()), ""
    for _ in range(CHECKSUM_CHARACTERS):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits

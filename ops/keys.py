"""`billing keys`: the API keys with which accounts read their usage. The platform stores only their hashes."""

import asyncio
import os
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from redis.exceptions import RedisError

from ledger.callers import read_last_used
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log
from local.stack.settings import settings_of
from metering.api_key import ApiKeyRecord, is_well_formed, key_hash, make_api_key
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from ops.console.arguments import check_account_id
from ops.console.errors import OpsError
from ops.console.plain_table import columns
from ops.console.target import KAFKA, REDIS, StackDir, find_env
from ops.logs.account_log import warn_of_unset
from ops.logs.settings import TableSettings
from ops.logs.table_log import read_records, write_records
from ops.logs.wait_folded import wait_folded
from runtime.redis import connect
from runtime.topics import TopicNames

app = typer.Typer(no_args_is_help=True, add_completion=False)

SHOWN_DIGITS = 12  # hexadecimal digits of a hash: 48 bits
LEAST_DIGITS = 8  # hexadecimal digits that a person must type
HASHES_PER_CALL = 1000  # hashes: bounds the script's time, and the values that Lua unpacks at once
_HASH = re.compile(r"[0-9a-f]{64}")
_HASH_PREFIX = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")


@app.command("create")
def create_key(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whose usage the key may read.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    directory: StackDir = None,
) -> None:
    """Make a key and print it. It is shown only this once, and works as soon as the command returns."""
    check_account_id(account)
    settings, topic = _settings(directory)
    warn_of_unset(settings, account)
    key = make_api_key(secrets.choice)
    record = ApiKeyRecord(account=account, label=label, created=int(time.time()))
    places = write_records(settings, topic, {key_hash(key): record.to_json()})
    wait_folded(settings, Log.API_KEYS, topic, places)
    typer.echo(
        f"a key of {account}, shown this once; revoke it with: billing keys revoke {key_hash(key)[:SHOWN_DIGITS]}",
        err=True,
    )
    typer.echo(key)


@app.command("list")
def list_keys(
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Default: all accounts.")] = None,
    directory: StackDir = None,
) -> None:
    """Show the keys by the beginning of their hash, oldest first, with the time of their last use if it is known."""
    settings, topic = _settings(directory)
    keys = {
        name: record
        for name, record in _parse(read_records(settings, topic)).items()
        if account in {None, record.account}
    }
    used = last_uses(settings, keys)
    rows = [("SHA256", "ACCOUNT", "CREATED", "LAST USED", "LABEL")]
    for name, record in sorted(keys.items(), key=lambda item: (item[1].created, item[0])):
        last = from_unix(used[name]) if name in used else "-"
        rows.append((name[:SHOWN_DIGITS], record.account, from_unix(record.created), last, record.label))
    for line in columns(rows):
        typer.echo(line)


@app.command("revoke")
def revoke_key(
    key: Annotated[
        str, typer.Argument(metavar="HASH_OR_KEY", help="The key, or its sha256 as far as `list` shows it.")
    ],
    directory: StackDir = None,
) -> None:
    """Revoke a key, and the sessions that were opened with it. None of them works any more when the command returns.

    A whole key, or all 64 digits of its sha256, is revoked even if the log does not know it.
    """
    settings, topic = _settings(directory)
    name = whole_hash(key) or find_hash(key, read_records(settings, topic))
    places = write_records(settings, topic, {name: None})
    wait_folded(settings, Log.API_KEYS, topic, places)
    typer.echo(f"revoked {name}", err=True)


def whole_hash(key: str) -> str | None:
    """Returns the hash of a whole key, or a hash that is written in full; None for a shorter text.

    A whole hash is unambiguous. So a key that the log has lost can still be revoked.
    """
    if is_well_formed(key):
        return key_hash(key)
    return key.lower() if _HASH.fullmatch(key.lower()) else None


def find_hash(prefix: str, known: Collection[str]) -> str:
    """Returns the known hash with this beginning.

    Raises:
        OpsError: the text is not the beginning of a hash, or no known hash begins with it, or several do.
    """
    prefix = prefix.lower()
    if not _HASH_PREFIX.fullmatch(prefix):
        digits = f"at least {LEAST_DIGITS} hexadecimal digits"
        raise OpsError(f"that is neither a key (tk_live_...) nor the beginning of a key's sha256 ({digits})")
    found = [name for name in known if name.startswith(prefix)]
    if not found:
        raise OpsError(f"no key has the sha256 {prefix}: billing keys list shows those that there are")
    if len(found) > 1:
        raise OpsError(f"{len(found)} keys have a sha256 that begins with {prefix}: give more of its digits")
    return found[0]


def last_uses(settings: TableSettings, key_hashes: Iterable[str]) -> dict[str, int]:
    """Returns the times of the keys' last uses (Unix seconds) that Redis knows; none, with a message, if it is away."""
    try:
        return asyncio.run(_last_uses(settings, key_hashes))
    except RedisError as error:
        typer.echo(f"billing: when keys were last used is not known: Redis: {error}", err=True)
        return {}


async def _last_uses(settings: TableSettings, key_hashes: Iterable[str]) -> dict[str, int]:
    by_shard = defaultdict[int, list[str]](list)
    for name in key_hashes:
        by_shard[partition_of(name, settings.partitions)].append(name)
    used: dict[str, int] = {}
    client = connect(settings)
    ledger = Ledger(RedisStore(client), settings.redis_prefix, settings.partitions)
    try:
        for number, names in by_shard.items():
            for first in range(0, len(names), HASHES_PER_CALL):
                used |= await read_last_used(ledger.shard(number), names[first : first + HASHES_PER_CALL])
    finally:
        await client.aclose()
    return used


def _settings(directory: Path | None) -> tuple[TableSettings, str]:
    settings = settings_of(TableSettings, find_env(directory, os.environ, KAFKA, REDIS))
    return settings, TopicNames(settings.topic_prefix).api_keys


def _parse(records: dict[str, bytes]) -> dict[str, ApiKeyRecord]:
    """Returns the keys of the log. A record that can't be read has become a dead letter, and is no key."""
    keys = {}
    for name, value in records.items():
        try:
            keys[name] = ApiKeyRecord.model_validate_json(value)
        except ValidationError:
            continue
    return keys

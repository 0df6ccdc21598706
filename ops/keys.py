"""`billing keys`: the API keys by which accounts read their usage. The platform knows their hashes only."""

import os
import re
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from ledger.state import Log
from local.stack.settings import settings_of
from metering.api_key import ApiKeyRecord, is_well_formed, key_hash, make_api_key
from metering.rfc3339 import from_unix
from ops.account_change import check_account_id
from ops.errors import OpsError
from ops.folded import wait_folded
from ops.settings import TableSettings
from ops.stack_env import KAFKA, REDIS, StackDir, find_env
from ops.table_log import read_records, write_records
from ops.table_text import columns
from runtime.topics import TopicNames

app = typer.Typer(no_args_is_help=True, add_completion=False)

_HASH = re.compile(r"[0-9a-f]{64}")


@app.command("create")
def create_key(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whose usage the key may read.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    directory: StackDir = None,
) -> None:
    """Make a key and print it: once, and only here. It works when the command returns."""
    check_account_id(account)
    settings, topic = _settings(directory)
    key = make_api_key(secrets.choice)
    record = ApiKeyRecord(account=account, label=label, created=int(time.time()))
    places = write_records(settings, topic, {key_hash(key): record.to_json()})
    wait_folded(settings, Log.API_KEYS, topic, places)
    typer.echo(f"a key of {account}, shown this once; revoke it with: billing keys revoke {key_hash(key)}", err=True)
    typer.echo(key)


@app.command("list")
def list_keys(
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Default: all accounts.")] = None,
    directory: StackDir = None,
) -> None:
    """Show the keys' hashes, oldest first."""
    settings, topic = _settings(directory)
    keys = _parse(read_records(settings, topic))
    rows = [("SHA256", "ACCOUNT", "CREATED", "LABEL")]
    for name, record in sorted(keys.items(), key=lambda item: (item[1].created, item[0])):
        if account in {None, record.account}:
            rows.append((name, record.account, from_unix(record.created), record.label))
    for line in columns(rows):
        typer.echo(line)


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="HASH_OR_KEY", help="The key, or its sha256 as `list` shows it.")],
    directory: StackDir = None,
) -> None:
    """End a key. It no longer works when the command returns."""
    name = key_hash(key) if is_well_formed(key) else key.lower()
    if not _HASH.fullmatch(name):
        raise OpsError("that is neither a key (tk_live_...) nor a key's sha256 (64 hexadecimal digits)")
    settings, topic = _settings(directory)
    if name not in read_records(settings, topic):
        raise OpsError(f"no key has the sha256 {name}: billing keys list shows those that there are")
    places = write_records(settings, topic, {name: None})
    wait_folded(settings, Log.API_KEYS, topic, places)
    typer.echo(f"revoked {name}", err=True)


def _settings(directory: Path | None) -> tuple[TableSettings, str]:
    settings = settings_of(TableSettings, find_env(directory, os.environ, KAFKA, REDIS))
    return settings, TopicNames(settings.topic_prefix).api_keys


def _parse(records: dict[str, bytes]) -> dict[str, ApiKeyRecord]:
    """The keys of the log; a record that can't be read has become a dead letter and opens nothing."""
    keys = {}
    for name, value in records.items():
        try:
            keys[name] = ApiKeyRecord.model_validate_json(value)
        except ValidationError:
            continue
    return keys

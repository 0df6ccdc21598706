"""Every v1 request that the product makes, by its own code; and what of the kind is written in its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("aggregator", "api", "bench", "ledger", "local", "metering", "ops", "producers", "runtime", "stripe_sync")
ROOT = Path(__file__).parents[2]
DOUBLE = ROOT / "local" / "stripe"  # answers such requests, and makes none


def calls_in_source() -> set[str]:
    """Resource and method of each call of stripe-python's v1 services, such as `billing.meters.list`."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if DOUBLE not in path.parents]
    return {call for path in files for call in _calls(ast.parse(path.read_text()))}


def _calls(tree: ast.AST) -> Iterator[str]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    inner = {id(node.value) for node in nodes}
    for node in nodes:
        names = _chain(node)
        if "v1" in names and id(node) not in inner:
            yield ".".join(names[names.index("v1") + 1 :]).removesuffix("_async")


def _chain(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [*_chain(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else []

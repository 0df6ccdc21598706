"""One word, one meaning: in the glossary, and among the names of public classes."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
HALLS = ("aggregator", "api", "bench", "ledger", "local", "metering", "ops", "producers", "runtime", "stripe_sync")
SAME_MEANING = {
    "Settings",  # what a process is told from outside: each has its own
    "UsageEvent",  # of the producers' library, which imports nothing of the platform; a test holds both to one schema
}


def public_classes() -> dict[str, list[str]]:
    """Where each public class is defined."""
    places = defaultdict(list)
    for hall in HALLS:
        for path in sorted((ROOT / hall).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    return places


def test_a_class_name_has_one_meaning() -> None:
    """Whoever reads a name must not have to look where it was imported from."""
    twice = {name: places for name, places in public_classes().items() if len(places) > 1}
    assert {name: places for name, places in twice.items() if name not in SAME_MEANING} == {}
    assert twice.keys() >= SAME_MEANING  # nothing is excused that needs no excuse


def test_the_glossary_explains_each_word_once_and_in_order() -> None:
    """Two entries for a word would be two meanings."""
    rows = [line for line in (ROOT / "docs/glossary.md").read_text().splitlines() if line.startswith("| ")][1:]
    words = [row.split("|")[1].strip() for row in rows]
    assert words == sorted(words, key=str.casefold)
    assert len(words) == len(set(words))

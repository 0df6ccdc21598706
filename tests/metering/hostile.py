"""Records as nobody should write them: near to valid ones, so that every rule is reached."""

import json
from base64 import b64encode

from hypothesis import strategies as st

from metering.limits import MAX_RECORD_BYTES
from tests.metering.events import attributes

NAMES = [*attributes(), "data", "data_base64", "datacontenttype", "quantity", "Quantity", "extra", "", "\x00", "ce_id"]
TIMES = ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+01:00", "2026-06-20T12:00:60Z", "2026-02-30T00:00:00Z"]
TEXTS = st.one_of(
    st.text(st.characters(), max_size=12),  # surrogates among them
    st.sampled_from(["\ud800", "a\udfff", "\x00", "", "x" * 256, "x" * 257, "NaN", "Infinity", "e\u0301\U0001f4de"]),
    st.sampled_from([*TIMES, '{"quantity": 5}', "[]", "eyJxdWFudGl0eSI6NX0=", "=", b64encode(b"[" * 300).decode()]),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**63, 2**64, 10**9, 10**9 + 1, 5.0, -0.0, 1e300]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
DEEP = st.integers(150, 30_000).map(lambda depth: f"{'[' * depth}{']' * depth}")
LONG = st.sampled_from(["9" * 4299, "-" + "9" * 4301, "1e400", "-1e400", "1e-400", "1e2", "0." + "9" * 5000])


def _object(members: list[tuple[str, str]]) -> str:
    """Members as they come, twice the same name too."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"


MEMBERS = st.sampled_from(NAMES) | st.text(st.characters(), max_size=5)
VALUES = st.recursive(
    LEAVES.map(json.dumps) | DEEP | LONG,
    lambda inner: (
        st.lists(st.tuples(MEMBERS, inner), max_size=4).map(_object)
        | st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
    ),
    max_leaves=6,
)


@st.composite
def near_events(draw: st.DrawFn) -> bytes:
    """A valid event with some members changed, doubled or taken away, in some encoding."""
    members = [(name, json.dumps(text)) for name, text in attributes().items()]
    members += draw(st.lists(st.tuples(MEMBERS, VALUES), max_size=4))
    kept = draw(st.lists(st.sampled_from(members), min_size=len(members) - 2, max_size=len(members), unique=True))
    text = _object(draw(st.permutations(kept)))
    wrap = draw(st.sampled_from(["{}", "{}", "{}", "[{}]", " {}\n", "{}{}"]))
    text = draw(st.sampled_from([wrap.replace("{}", text), json.dumps(text)]))
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-be"])))


@st.composite
def at_the_size_limit(draw: st.DrawFn) -> bytes:
    """A valid event of 64 KiB, or a byte more or less."""
    empty = json.dumps(attributes(pad="")).encode()
    size = MAX_RECORD_BYTES + draw(st.integers(-2, 2))
    return empty.replace(b'"pad": "', b'"pad": "' + b"x" * (size - len(empty)))


RECORD_VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    near_events(),
    VALUES.map(lambda text: text.encode(errors="surrogatepass")),
    at_the_size_limit(),
    st.sampled_from([b"\0\0\0\0\1{}", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"{\0"]),
)

TEXT_BYTES = st.one_of(
    st.none(),
    st.binary(max_size=12),
    TEXTS.map(lambda text: text.encode(errors="surrogatepass")),
    st.just(b"x" * MAX_RECORD_BYTES),
)
CONTENT_TYPES = st.sampled_from(
    [b"application/json", b"application/cloudevents+json", b"APPLICATION/CLOUDEVENTS-batch+json", b"a/b", b"\xff", b""]
)
HEADER_NAMES = st.one_of(
    st.text(st.characters(), max_size=5),
    st.sampled_from([f"ce_{name}" for name in NAMES]),
    st.sampled_from(["origin.topic", "origin.partition", "origin.offset", "origin.time", "ce_", "CE_id"]),
)
VALID_HEADERS = [(f"ce_{name}", text.encode()) for name, text in attributes().items()]


@st.composite
def headers(draw: st.DrawFn) -> list[tuple[str, bytes | None]]:
    """None, a valid event's attributes with a few changes, or anything."""
    found: list[tuple[str, bytes | None]] = list(draw(st.sampled_from([[], VALID_HEADERS, VALID_HEADERS[:-1]])))
    found += draw(st.lists(st.tuples(HEADER_NAMES, TEXT_BYTES), max_size=3))
    found += draw(st.lists(st.tuples(st.just("content-type"), CONTENT_TYPES | st.none()), max_size=2))
    return draw(st.permutations(found))

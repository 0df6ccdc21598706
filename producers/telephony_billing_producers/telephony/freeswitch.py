"""FreeSWITCH: the JSON records of mod_json_cdr.

Source: developer.signalwire.com/freeswitch, mod_json_cdr and "Channel Variables Catalog". Log both legs
(`log-b-leg` is true): an outgoing call is billed by its B leg.
"""

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import InvalidEventError
from .usage import Usage, epoch, present, whole


def call(cdr: Mapping[str, Any], *, trunk_profiles: Collection[str] = ("external",)) -> tuple[Usage, ...]:
    """Returns the usage of one leg's record: it counts if it was answered and used a trunk.

    A leg's direction is seen from the switch: an `inbound` leg came to it. If a customer's phone dials out, there is an
    inbound leg from the phone and an outbound leg to the carrier. Only the carrier's side is billed; otherwise such a
    call would count twice. So only legs of the carriers' SIP profiles count. A call that comes from a carrier and is
    forwarded to a carrier is both inbound and outbound.

    Args:
        cdr: the record.
        trunk_profiles: names of the SIP profiles that carriers are on (`sofia_profile_name`).

    Raises:
        InvalidEventError: it is no such record.
    """
    variables = cdr.get("variables")
    if not isinstance(variables, Mapping):
        raise InvalidEventError("the record has no variables: is it one of mod_json_cdr?")
    uuid = present(variables.get("uuid"), "variables.uuid")
    answered = epoch(variables.get("answer_epoch"), "answer_epoch")
    if answered is None or variables.get("sofia_profile_name") not in trunk_profiles:
        return ()
    inbound = present(variables.get("direction"), "variables.direction") == "inbound"
    return (
        Usage(
            meter="voice.inbound" if inbound else "voice.outbound",
            id=uuid,
            number=_number(cdr, inbound=inbound),
            time=answered,
            duration=whole(variables.get("billsec"), "billsec"),
            account=str(variables.get("accountcode") or ""),
        ),
    )


def _number(cdr: Mapping[str, Any], *, inbound: bool) -> str:
    """The customer's side, of the last call flow in the record, which is the first one in time."""
    flows = cdr.get("callflow")
    profile = flows[-1].get("caller_profile") if isinstance(flows, list) and flows else None
    if not isinstance(profile, Mapping):
        raise InvalidEventError("the record has no callflow with a caller_profile")
    return present(profile.get("destination_number" if inbound else "caller_id_number"), "caller_profile's numbers")

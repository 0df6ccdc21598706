"""The list itself: every trouble, and the ones that a stop of a log is."""

from collections.abc import Mapping

from metering.stop import StopReason
from metering.troubles.billing import BILLING
from metering.troubles.counting import COUNTING
from metering.troubles.entry import TroubleEntry
from metering.troubles.names import Trouble
from metering.troubles.system import SYSTEM

_ENTRIES = {**SYSTEM, **COUNTING, **BILLING}

TROUBLES: Mapping[Trouble, TroubleEntry] = {trouble: _ENTRIES[trouble] for trouble in Trouble}

BY_STOP: Mapping[str, Trouble] = {reason.value: Trouble(reason.value) for reason in StopReason}
"""What a stop of a log is called: the reasons are troubles of the same names."""

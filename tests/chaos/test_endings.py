"""What a stack's log says of processes that ended."""

from pathlib import Path

from tests.chaos.endings import endings


def test_every_end_is_told(tmp_path: Path) -> None:
    """Given a log with other lines among them, each end of a process is found, and no start."""
    log = tmp_path / "up.log"
    log.write_text(
        "everything runs\n"
        "aggregator-1 ended with exit code 1: KeyError; starting it again in 0.5 s\n"
        "aggregator-1 runs again, as process 7\n"
        "redis was killed by SIGKILL; starting it again in 1 s\n"
    )

    assert endings(log) == [
        "aggregator-1 ended with exit code 1: KeyError; starting it again",
        "redis was killed by SIGKILL; starting it again",
    ]

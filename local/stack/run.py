"""The embedded stack, wired: plan, boot, keep running, stop."""

import secrets
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local.demo.accounts import DOCS_ACCOUNT
from local.servers.kafka_files import fetch_progress, kafka_files
from local.stack.boot import Boot, in_background
from local.stack.description import StackFile, remove_stack_file
from local.stack.directory import Kept, StackDirectory
from local.stack.display import Display
from local.stack.orphans import end_orphans, note_children
from local.stack.plan import DEFAULT_PARTITIONS, StackOptions, StackPlan, check_options, plan_stack
from local.stack.port_choice import choose_ports
from local.stack.services import StackServices
from local.stack.settings import settings_of
from local.stack.steps import StackSteps, WriteRecords
from local.stack.supervisor import Ended, Happening, Started, Supervisor
from runtime.settings import KafkaSettings, StripeSettings

POLL_SECONDS = 0.05
DASHBOARD = "/dashboard/billing"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """How often the stack was asked to stop: once means cleanly, twice at once."""

    def __init__(self) -> None:
        self.count = 0
        for number in SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish
                signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.count += 1

    def stop(self) -> bool:
        """Whether to stop."""
        return self.count > 0

    def at_once(self) -> bool:
        """Whether not to wait for anything."""
        return self.count > 1


def run_stack(
    options: StackOptions,
    environ: Mapping[str, str],
    *,
    display: Display,
    write: WriteRecords,
    cache: Path,
    hint: Callable[[Path], list[str]],
) -> None:
    """Runs a stack in the foreground until SIGINT, SIGTERM or SIGHUP.

    Args:
        options: what was asked for.
        environ: this process's environment.
        display: where progress goes.
        write: how records get into the compacted topics.
        cache: where downloads are kept.
        hint: the commands that make an account and a key in a directory's stack: what is shown without a demo.

    Raises:
        StackError, PortTakenError, ServerError, JarError: it can't come up; everything was stopped again.
    """
    check_options(options, environ)
    signals = Signals()
    directory = StackDirectory(options.directory)
    with directory.locked():
        remove_stack_file(directory.root)
        orphans = end_orphans(directory.children)
        if orphans:
            display.line(f"ended {len(orphans)} processes that an earlier stack left behind")
        if options.fresh:
            directory.clear()
        plan = _plan(options, environ, directory)
        if plan.kafka and not _fetch(cache, display, signals.stop):
            return
        _Stack(plan, directory, environ, display, cache).run(write, signals, hint)


def _plan(options: StackOptions, environ: Mapping[str, str], directory: StackDirectory) -> StackPlan:
    kept = directory.read_kept() or Kept(
        namespace=secrets.token_hex(8), partitions=int(environ.get("BILLING_PARTITIONS") or DEFAULT_PARTITIONS)
    )
    ports = choose_ports(environ, kept.ports)
    directory.keep(Kept(kept.namespace, kept.partitions, ports))
    return plan_stack(options, environ, kept, ports)


def _fetch(cache: Path, display: Display, stopping: Callable[[], bool]) -> bool:
    """Downloads what Kafka lacks, before anything is started; False when it was given up."""
    progress = fetch_progress(cache)
    if not progress():
        return True
    display.line(f"Kafka is downloaded to {cache}, once")
    fetching = in_background(lambda: str(kafka_files(cache)))
    while not fetching.done() and not stopping():
        display.status(progress())
        time.sleep(POLL_SECONDS)
    display.status("")
    if fetching.done():
        fetching.result()
    return fetching.done()


class _Stack:
    """One run."""

    def __init__(
        self, plan: StackPlan, directory: StackDirectory, environ: Mapping[str, str], display: Display, cache: Path
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._display = display
        self._up = False
        self._supervisor = Supervisor(self._happened)
        self._services = StackServices(plan, directory, environ)
        kafka, stripe = settings_of(KafkaSettings, plan.env), settings_of(StripeSettings, plan.env)
        self._steps = StackSteps(self._services, kafka, stripe, cache)

    def run(self, write: WriteRecords, signals: Signals, hint: Callable[[Path], list[str]]) -> None:
        began = time.monotonic()
        try:
            starts = self._services.starts()
            steps = self._steps.steps(starts, write)
            boot = Boot([*starts, *steps], self._supervisor, self._display)
            if boot.run(signals.stop):
                self._announce(time.monotonic() - began, hint(self._directory.root))
                while not signals.stop():
                    self._supervisor.tend()
                    time.sleep(POLL_SECONDS)
        finally:
            self._steps.given_up.set()
            self._stop(signals.at_once)

    def _stop(self, at_once: Callable[[], bool]) -> None:
        self._up = False
        self._display.line("stopping")
        self._supervisor.stop(at_once)
        remove_stack_file(self._directory.root)
        self._directory.children.unlink(missing_ok=True)
        self._display.line("stopped")

    def _announce(self, seconds: float, hint: list[str]) -> None:
        self._up = True
        self._write_file()
        self._display.line(
            f"\nEverything runs, after {seconds:.1f} s. Logs: {self._directory.logs}. Ctrl-C stops it.\n"
        )
        for line in banner(self._plan.api_url, self._keys(), hint):
            self._display.line(line)

    def _happened(self, happening: Happening) -> None:
        if isinstance(happening, Started):
            note_children(self._directory.children, (each.pid for each in self._supervisor.processes()))
        if self._up:
            self._write_file()
        match happening:
            case Ended(name, reason, delay):
                self._display.line(f"{name} {reason}; starting it again in {delay:g} s")
            case Started(name, pid, again=True):
                self._display.line(f"{name} runs again, as process {pid}")

    def _write_file(self) -> None:
        StackFile(self._plan.env, self._keys(), self._supervisor.processes()).write(self._directory.root)

    def _keys(self) -> Mapping[str, str]:
        return self._steps.accounts.keys if self._steps.accounts else {}


def banner(api_url: str, keys: Mapping[str, str], hint: list[str]) -> list[str]:
    """How to use what runs now."""
    lines = [f"  API        {api_url}", f"  Dashboard  {api_url}{DASHBOARD}"]
    if not keys:
        return [*lines, "", "These make an account and a key:", "", *(f"  {line}" for line in hint), ""]
    key = keys[DOCS_ACCOUNT]
    lines.append(f"  Key        {key}  ({DOCS_ACCOUNT}): for the API, and to sign in to the dashboard")
    return [*lines, "", f'  curl -H "Authorization: Bearer {key}" {api_url}/api/billing/usage', ""]

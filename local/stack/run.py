"""Runs the embedded stack: plans, boots, keeps it running, stops it."""

import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from local.servers.kafka_files import fetch_progress, kafka_files
from local.stack.banner import banner
from local.stack.boot import Boot, in_background
from local.stack.description import StackFile, remove_stack_file
from local.stack.directory import Kept, StackDirectory
from local.stack.display import Display
from local.stack.errors import StackError
from local.stack.held_ports import HeldPorts
from local.stack.orphans import end_orphans, note_children
from local.stack.plan import StackOptions, StackPlan, asked_partitions, check_options, plan_stack
from local.stack.port_choice import choose_ports
from local.stack.services import StackServices
from local.stack.settings import settings_of
from local.stack.steps import StackSteps, WriteRecords
from local.stack.supervisor import Ended, Happening, Started, Supervisor
from runtime.settings import KafkaSettings, RedisSettings, StripeSettings

# Makes a `billing` command line from the stack's directory and the command's words.
CommandLine = Callable[..., str]

POLL_SECONDS = 0.05  # seconds between two turns
LEAST_FREE_BYTES = 16 * 2**20  # bytes: with less, servers fail with many different messages
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Counts the signals to stop: after one the stack stops cleanly, after two at once."""

    def __init__(self) -> None:
        self.count = 0
        for number in SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
                signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.count += 1

    def stop(self) -> bool:
        """Returns whether to stop."""
        return self.count > 0

    def at_once(self) -> bool:
        """Returns whether to stop without waiting."""
        return self.count > 1


def run_stack(
    options: StackOptions,
    environ: Mapping[str, str],
    *,
    display: Display,
    write: WriteRecords,
    cache: Path,
    command: CommandLine,
) -> None:
    """Runs a stack in the foreground until SIGINT, SIGTERM or SIGHUP.

    Args:
        options: the options of the command.
        environ: this process's environment.
        display: shows progress.
        write: writes records to the compacted topics.
        cache: the directory for downloads.
        command: makes a `billing` command line for a directory's stack, for a person to copy.

    Raises:
        StackError, PortTakenError, ServerError, JarError: the stack can't start; everything was stopped again.
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
        directory.make_private()
        held = HeldPorts()  # holds ports until this process ends
        plan = _plan(options, environ, directory, held)
        if plan.kafka and not _fetch(cache, display, signals.stop):
            return
        with _a_full_disk_is_named(directory.root):
            _Stack(plan, directory, environ, display, cache).run(write, signals, command)


@contextmanager
def _a_full_disk_is_named(root: Path) -> Iterator[None]:
    """Turns any error into one about the full disk if there is no room: the servers' own errors do not name it."""
    try:
        yield
    except Exception as error:
        free = shutil.disk_usage(root).free
        if free >= LEAST_FREE_BYTES:
            raise
        raise StackError(
            f"there is no room in {root} ({free // 2**20} MB are free): make some, or choose another directory with "
            f"--dir; {error}"
        ) from error


def _plan(options: StackOptions, environ: Mapping[str, str], directory: StackDirectory, held: HeldPorts) -> StackPlan:
    kept = directory.read_kept() or Kept(secrets.token_hex(8), asked_partitions(environ))
    ports = choose_ports(environ, kept.ports, options.workers, held.take)
    plan = plan_stack(options, environ, kept, ports)
    for kind in (KafkaSettings, RedisSettings, StripeSettings):
        settings_of(kind, plan.env)
    directory.keep(Kept(kept.namespace, kept.partitions, ports))  # kept only after all checks
    return plan


def _fetch(cache: Path, display: Display, stopping: Callable[[], bool]) -> bool:
    """Downloads Kafka's missing files before anything is started. Returns False if a signal stopped it."""
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
    """One run of a stack."""

    def __init__(
        self, plan: StackPlan, directory: StackDirectory, environ: Mapping[str, str], display: Display, cache: Path
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._display = display
        self._up = False
        self._unwritten = False
        self._supervisor = Supervisor(self._happened)
        self._services = StackServices(plan, directory, environ)
        kafka, stripe = settings_of(KafkaSettings, plan.env), settings_of(StripeSettings, plan.env)
        self._steps = StackSteps(self._services, kafka, stripe, cache)

    def run(self, write: WriteRecords, signals: Signals, command: CommandLine) -> None:
        began = time.monotonic()
        try:
            starts = self._services.starts()
            steps = self._steps.steps(starts, write)
            boot = Boot([*starts, *steps], self._supervisor, self._display)
            if boot.run(signals.stop):
                self._announce(time.monotonic() - began, command)
                while not signals.stop():
                    self._supervisor.tend()
                    if self._unwritten:
                        self._write_files()
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

    def _announce(self, seconds: float, command: CommandLine) -> None:
        self._up = True
        self._write_files()
        self._display.line(
            f"\nEverything runs, after {seconds:.1f} s. Logs: {self._directory.logs}. Ctrl-C stops it.\n"
        )
        for line in banner(self._plan.env, self._keys(), partial(command, self._directory.root)):
            self._display.line(line)

    def _happened(self, happening: Happening) -> None:
        self._write_files()
        match happening:
            case Ended(name, reason, delay):
                self._display.line(f"{name} {reason}; starting it again in {delay:g} s")
            case Started(name, pid, again=True):
                self._display.line(f"{name} runs again, as process {pid}")

    def _write_files(self) -> None:
        """Writes the running processes to the files. If the disk is full, warns once and tries again later."""
        processes = self._supervisor.processes()
        try:
            note_children(self._directory.children, (each.pid for each in processes))
            if self._up:
                StackFile(self._plan.env, self._keys(), processes).write(self._directory.root)
        except OSError as error:
            if not self._unwritten:
                self._display.line(f"{self._directory.root} can't be written ({error.strerror}): make room there")
            self._unwritten = True
        else:
            self._unwritten = False

    def _keys(self) -> Mapping[str, str]:
        return self._steps.accounts.keys if self._steps.accounts else {}

"""Make a child process: by exec, or by calling `main()` of a module that is loaded already. Knows no table of them.

Every child has a session of its own, its output in a file, no descriptor of ours, and dies with us (on Linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from swell.local.host.wire import Ended

IS_LINUX: Final = sys.platform.startswith("linux")
LOG_MODE: Final = 0o600
NOT_RUNNABLE: Final = 126
NOT_FOUND: Final = 127
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_DESCRIPTORS_MAX: Final = 65_536
_TASKS: Final = "/proc/self/task"
_LOOK_S: Final = 0.005
_OURS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
# Python ignores these; a program expects them to be as they are by default.
_IGNORED: Final = (signal.SIGPIPE, signal.SIGXFSZ)
# Loaded once here, so that a fork finds it.
_libc: Final = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None


def adopt_orphans() -> None:
    """Children of children become ours when their parent dies, rather than strangers (Linux)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def launch(argv: Sequence[str], *, env: Mapping[str, str], cwd: str, log_path: str) -> int:
    """Run a program; returns its process id. One that cannot be run ends with 126 or 127 and says why in its log."""
    return _fork(log_path, lambda: _execute(argv, env, cwd))


def launch_main(module: str, *, env: Mapping[str, str], log_path: str) -> int:
    """Call `main()` of a loaded module in a fork of this process; what it returns is the exit code."""
    return _fork(log_path, lambda: _call_main(module, env))


def exits(wall: Callable[[], float]) -> Iterator[tuple[int, Ended]]:
    """The children that have ended and were not told of yet; what they left in their groups is killed."""
    while (pid := _next_ended()) is not None:
        _kill_left_behind(pid)
        try:
            _, status = os.waitpid(pid, 0)
        except OSError:
            return
        code = os.waitstatus_to_exitcode(status)
        yield pid, Ended(code if code >= 0 else 128 - code, max(0, -code), wall())


def end_children(within_s: float) -> None:
    """Kill and reap all that is left: what children left behind in sessions of their own, and what these leave in turn.

    Only where the system tells who our children are (Linux).
    """
    deadline = time.monotonic() + within_s
    while (found := _children()) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(_LOOK_S)


def send_group(pid: int, number: int) -> None:
    """Signal a child that was not reaped yet, and all of its group."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # Just forked: it has not made its group yet.
        os.kill(pid, number)


def _kill_left_behind(pid: int) -> None:
    """End what an ended child left in its group, if it led one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Our children, dead ones too (Linux)."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(_TASKS):
            with contextlib.suppress(OSError), open(f"{_TASKS}/{task}/children") as pids:
                found += map(int, pids.read().split())
    return found


def _next_ended() -> int | None:
    """A child that has ended but stays a zombie, so that nobody else can have its number yet."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return None
    return None if found is None else found.si_pid


def _fork(log_path: str, body: Callable[[], int]) -> int:
    log = _open_log(log_path)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    # A signal that arrives in the child before it has dropped our handlers would be taken for one of ours.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    try:
        pid = os.fork()
        if pid == 0:
            _be_child(parent, log, before, body)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(log)


def _open_log(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, LOG_MODE)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, flags, LOG_MODE)


def _be_child(parent: int, log: int, mask: set[signal.Signals] | set[int], body: Callable[[], int]) -> None:
    """Never returns: frames above belong to the parent."""
    code = 1
    try:
        _detach(parent, log)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = body()
    except SystemExit as exc:
        code = _exit_code(exc)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _exit_code(exit_: SystemExit) -> int:
    """As the interpreter does it: a number, or a text for stderr and 1."""
    if exit_.code is None or isinstance(exit_.code, int):
        return exit_.code or 0
    print(exit_.code, file=sys.stderr)
    return 1


def _detach(parent: int, log: int) -> None:
    os.setsid()
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (*_OURS, *_IGNORED):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(log, 1)
    os.dup2(log, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, _DESCRIPTORS_MAX)


def _execute(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> int:
    try:
        os.chdir(cwd)
        os.execvpe(argv[0], list(argv), env)
    except OSError as exc:
        where = cwd if exc.filename == cwd else argv[0]
        os.write(2, f"cannot start {argv[0]!r}: {exc.strerror}: {where!r}\n".encode())
        return NOT_FOUND if isinstance(exc, FileNotFoundError) else NOT_RUNNABLE


def _call_main(module: str, env: Mapping[str, str]) -> int:
    os.chdir("/")
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [module]
    # Our own output may be a pipe; a log is read line by line.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # As Python starts every program; the parent's own defaults do not count here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, module.removesuffix(".__main__").rpartition(".")[2].encode()[:15], 0, 0, 0)
    return int(sys.modules[module].main() or 0)

"""The host: parent of every process of the cluster. Runs programs, starts what the kubelet asks for, ends it all."""

from __future__ import annotations

import contextlib
import gc
import importlib
import signal
import time
from typing import Any, Final

from swell.local.host import launcher
from swell.local.host.config import HostConfig
from swell.local.host.loop import Loop, Timer
from swell.local.host.processes import Processes, TooManyProcesses
from swell.local.host.programs import Programs
from swell.local.host.rotation import rotate
from swell.local.host.server import Server
from swell.local.host.wire import Message, ProcessInfo, ended_to_obj, info_to_obj

ROTATE_EVERY_S: Final = 10.0
STOP_TOLD_AFTER_S: Final = 2.0
LEFT_BEHIND_S: Final = 2.0


def run(config: HostConfig) -> int:
    """Run the programs until SIGTERM or SIGINT, then end all in order; returns the exit code.

    0 after an orderly stop; 1 if something had to be killed because its grace ran out. A second signal kills all that
    is left, at once, and gives 1.
    """
    return _Host(config).run()


class _Host:
    def __init__(self, config: HostConfig) -> None:
        self._config = config
        self._loop = Loop()
        self._processes = Processes(self._on_process_ended)
        self._programs = Programs(config.programs, self._loop, self._go_on)
        self._server: Server | None = None
        self._deadline: Timer | None = None
        self._stopping = False
        self._ending_pods = False
        self._code = 0

    def run(self) -> int:
        launcher.adopt_orphans()
        self._loop.on_signals((signal.SIGCHLD, signal.SIGTERM, signal.SIGINT), self._on_signal)
        self._server = Server(self._loop, self._config.socket_path, self._answer)
        try:
            self._programs.start()
            # While the programs load their own modules; nothing is forked before they ask for it.
            self._preload()
            self._rotate_later()
            # A child that ended before we listened to signals.
            self._reap()
            self._loop.run()
        finally:
            self._kill()
            launcher.end_children(LEFT_BEHIND_S)
            self._server.close()
            self._loop.close()
        return self._code

    def _preload(self) -> None:
        for module in self._config.preload:
            importlib.import_module(module)
        # What is here now stays: collections in a fork would otherwise touch, and so copy, all of it.
        gc.collect()
        gc.freeze()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif self._stopping:
            self._code = 1
            self._kill()
        else:
            self._stop()

    def _reap(self) -> None:
        for pid, ended in launcher.exits(time.time):
            if not self._programs.ended(pid, ended):
                self._processes.ended(pid, ended)

    def _on_process_ended(self, info: ProcessInfo) -> None:
        if self._server is not None and info.ended is not None:
            self._server.tell({"exit": info.id, "ended": ended_to_obj(info.ended)})
        if self._ending_pods:
            self._finish()

    # --- calls

    def _answer(self, call: Message) -> Message:
        try:
            return {"id": call["id"], **self._CALLS[call["op"]](self, call)}
        except (OSError, ValueError, TooManyProcesses) as exc:
            return {"id": call["id"], "error": str(exc)}
        except KeyError as exc:
            return {"id": call.get("id"), "error": f"a call without {exc}, or one that the host does not have"}

    def _spawn(self, call: Message) -> Message:
        self._require_open()
        pid = launcher.launch(call["argv"], env=call["env"], cwd=call["cwd"], log_path=call["log"])
        return self._started(pid, call)

    def _fork(self, call: Message) -> Message:
        self._require_open()
        if call["module"] not in self._config.preload:
            raise KeyError(f"a preloaded module {call['module']}")
        pid = launcher.launch_main(call["module"], env=call["env"], log_path=call["log"])
        return self._started(pid, call, helper=True)

    def _signal(self, call: Message) -> Message:
        self._processes.send(call["process"], call["signal"], group=call["group"])
        return {"result": None}

    def _list(self, _: Message) -> Message:
        return {"result": [info_to_obj(info) for info in self._processes.all()]}

    def _forget(self, call: Message) -> Message:
        self._processes.forget(call["process"])
        return {"result": None}

    _CALLS: Final[dict[str, Any]] = {
        "spawn": _spawn,
        "fork": _fork,
        "signal": _signal,
        "list": _list,
        "forget": _forget,
    }

    def _require_open(self) -> None:
        if self._ending_pods:
            raise TooManyProcesses("the host is stopping; nothing is started any more")
        self._processes.require_room()

    def _started(self, pid: int, call: Message, *, helper: bool = False) -> Message:
        info = self._processes.add(pid, call["labels"], call["log"], time.time(), helper=helper)
        return {"started": True, "result": info_to_obj(info)}

    # --- the end

    def _stop(self) -> None:
        self._stopping = True
        self._loop.call_later(STOP_TOLD_AFTER_S, lambda: _say("draining; Ctrl-C again stops at once"))
        self._go_on()

    def _go_on(self) -> None:
        """The next programs in the order, or, when all have ended, everything else."""
        if not self._programs.may_go_on():
            return
        if self._deadline is not None:
            self._deadline.cancel()
        if self._programs.stop_next():
            self._deadline = self._loop.call_later(self._config.programs_grace_s, self._kill_programs)
        else:
            self._end_pods()

    def _kill_programs(self) -> None:
        self._code = 1
        _say(f"a program did not end within {self._config.programs_grace_s:g} s and is killed")
        self._programs.kill_asked()

    def _end_pods(self) -> None:
        self._ending_pods = True
        self._processes.send_all(signal.SIGTERM)
        self._loop.call_later(self._config.pods_grace_s, self._kill_pods)
        self._finish()

    def _kill_pods(self) -> None:
        self._code = 1
        _say(f"{self._processes.count} processes of pods did not end within {self._config.pods_grace_s:g} s; killed")
        self._processes.send_all(signal.SIGKILL)

    def _finish(self) -> None:
        if self._processes.only_helpers:
            self._processes.send_all(signal.SIGKILL)
        if not self._processes.count:
            self._loop.stop()

    def _kill(self) -> None:
        self._programs.kill()
        self._processes.send_all(signal.SIGKILL)

    def _rotate_later(self) -> None:
        self._loop.call_later(ROTATE_EVERY_S, self._rotate)

    def _rotate(self) -> None:
        for path in {*self._programs.logs, *self._processes.logs}:
            rotate(path)
        self._rotate_later()


def _say(text: str) -> None:
    """To whoever stops us; it may have closed its terminal already."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)

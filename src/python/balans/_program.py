"""Finding the program `balans` and running it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._errors import Error
from ._progress import bar

LAUNCHER = ("mpirun", "-n")
_SHARE = re.compile(r"(?P<text>.*?)(?P<percent>\d+(\.\d+)?) ?%")
# What a launcher around this Python says about its ranks is not for ours.
_FOREIGN = ("OMPI_COMM_", "PMIX_", "PMI_")


def find_program(program: str | os.PathLike[str] | None = None) -> str:
    """The path of the program: `program` itself, else what the environment
    variable BALANS names, else the one installed with this package, else the
    one on PATH.  Fails with an Error of code 127."""
    given = program or os.environ.get("BALANS")
    if given:
        found = shutil.which(given)
        if found is None:
            raise Error(f"cannot run '{given}': there is no such program", 127)
        return found
    for folder in _beside():
        if os.access(folder / "balans", os.X_OK):
            return str(folder / "balans")
    found = shutil.which("balans")
    if found is None:
        raise Error("cannot find the program 'balans'; install it, put its "
                    "folder on PATH, or name it in the variable BALANS", 127)
    return found


def _beside() -> Iterator[Path]:
    """Where the program is that was installed with this package: by 'meson
    install', by pip."""
    package = Path(__file__).resolve().parent
    if package.parts[-4:-1] == ("share", "balans", "python"):
        yield package.parents[3] / "bin"
    for scheme in sysconfig.get_scheme_names():
        place = sysconfig.get_path("purelib", scheme)
        if package.parent == Path(place).resolve():
            yield Path(sysconfig.get_path("scripts", scheme))


def arguments(options: Mapping[str, object]) -> list[str]:
    """Options as the command line takes them: max_landmarks=500 becomes
    --max-landmarks 500; True is a flag, False and None are left out, a list
    repeats the option."""
    out: list[str] = []
    for key, value in options.items():
        name = "--" + key.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            out.append(name)
            continue
        many = (value if isinstance(value, Iterable)
                and not isinstance(value, str) else [value])
        for one in many:
            out += [f"{name}={one}"]
    return out


def _environment(threads: int | None) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    if threads is not None:
        env["OMP_NUM_THREADS"] = str(threads)
    return env


class _Listener(threading.Thread):
    """Reads what the program says, moves the bar, keeps what may tell why it
    ended."""

    def __init__(self, stream: Any, shown: Any) -> None:
        super().__init__(daemon=True)
        self.warnings: list[str] = []
        self._own = ""
        self._others: list[str] = []  # the first: the launcher's matter
        self._stream, self._bar = stream, shown

    def run(self) -> None:
        for line in self._stream:
            line = line.strip()
            if line.startswith("balans: "):
                self._take(line.removeprefix("balans: "))
            elif line.strip("- ") and len(self._others) < 3:
                self._others.append(line)

    def _take(self, line: str) -> None:
        if line.startswith("warning: "):
            self.warnings.append(line.removeprefix("warning: "))
            return
        self._own = line
        m = _SHARE.match(line)
        if m is not None:
            self._bar.set_description_str(m["text"].rstrip(" :,"), False)
            self._bar.n = min(100.0, float(m["percent"]))
            self._bar.refresh()

    def reason(self, ended_by: str, code: int) -> str:
        """The program's last line; without one, what its launcher says."""
        if code < 0:
            return (f"{ended_by} was ended by signal {-code}"
                    + f", after '{self._own}'" * bool(self._own))
        return self._own or f"{ended_by}: " + (" ".join(self._others)
                                               or "ended without a word")


def run(args: Sequence[str], *, ranks: int = 1, threads: int | None = None,
        progress: bool | None = None,
        program: str | os.PathLike[str] | None = None,
        launcher: Sequence[str] = LAUNCHER,
        names: Mapping[str, str] | None = None,
        stacklevel: int = 3) -> None:
    """Runs the program to its end.

    What the program warns of becomes a UserWarning.  Fails with an Error: what
    the program says, with its exit code; `names` has better ones for temporary
    files in it, `stacklevel` is that of the warnings.
    """
    if ranks < 1:
        raise Error(f"cannot run on {ranks} ranks", 2)
    command = [find_program(program), *args]
    if ranks > 1:
        command = [*launcher, str(ranks), *command]
    shown = bar(progress, args[0], 100,
                bar_format="{desc}: {percentage:3.0f} %|{bar}| {elapsed}")
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
            env=_environment(threads))
    except OSError as e:
        shown.close()
        raise Error(f"cannot run '{command[0]}': {e.strerror}", 127) from None
    listener = _Listener(process.stderr, shown)
    listener.start()
    try:
        code = process.wait()
        listener.join()
    except BaseException:  # Ctrl-C: do not leave it running
        process.terminate()
        process.wait()
        raise
    finally:
        shown.close()
    for text in listener.warnings:
        warnings.warn(text, stacklevel=stacklevel)
    if code != 0:
        reason = listener.reason(Path(command[0]).name, code)
        for path, name in (names or {}).items():
            reason = reason.replace(f"'{path}'", name)
        raise Error(reason, code)

"""The machine: what it is, and the cores that all methods share."""
import datetime
import os
import platform
import re


def field(path, name):
    with open(path) as f:
        found = re.search(rf"^{name}\s*:\s*(.*)$", f.read(), re.M)
    return found[1] if found else platform.machine()


def keep_to(cores):
    """This process and those it starts use no others."""
    mine = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, mine[:cores])


def found(cores):
    memory = int(field("/proc/meminfo", "MemTotal").split()[0]) / 2**20
    return {"date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
            "machine": f"{field('/proc/cpuinfo', 'model name')}, "
                       f"{cores} of its cores, {memory:.1f} GiB",
            "system": f"{platform.system()} {platform.release()}, "
                      f"Python {platform.python_version()}"}

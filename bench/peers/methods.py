"""The methods: an adapter each, the environment it asks for, and one run of it."""
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

import kept

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = pathlib.Path(os.environ.get("PEERS_BUILD", ROOT / "build/peers"))
BASE = FOLDER / "env/base/bin/python"


@dataclasses.dataclass
class Run:
    """seconds of the method alone, and of its process from start to end."""
    status: str
    alone: float = None
    whole: float = None
    peak_mib: float = None
    version: str = None


def tidy(text):
    """The last line of what a program said, or the last that R calls an error, without
    folders of this machine."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if line.startswith("Error ")] or lines
    line = lines[-1] if lines else "it said nothing"
    return re.sub(r"(?<![\w.])/\S*/", "", line)[:160]


def environment(name, needs):
    """(Python that has this, None), or (None, why there is none).  Made once."""
    if set(needs) <= {"numpy", "h5py"}:
        return BASE, None
    to = FOLDER / "env" / name
    said = to / "installed.json"
    if said.exists():
        was = json.loads(said.read_text())
        if was["needs"] == needs:
            return (None if was["why"] else to / "bin/python"), was["why"]
    kept.say(f"installing {' '.join(needs)}")
    shutil.rmtree(to, ignore_errors=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["python3", "-m", "venv", to], check=True)
    ran = subprocess.run([to / "bin/python", "-m", "pip", "install", "--quiet",
                          "--prefer-binary", *needs], capture_output=True, text=True)
    errors = [line for line in ran.stderr.splitlines() if "ERROR" in line]
    why = None if ran.returncode == 0 else tidy("\n".join(errors) or ran.stderr)
    said.write_text(json.dumps({"needs": needs, "why": why}))
    return (None if why else to / "bin/python"), why


def needs_of(path):
    return re.search(r"^\W*needs: (.*)$", path.read_text(), re.M)[1].split()


class Method:
    def __init__(self, key, title, adapter, **options):
        self.key, self.title, self.options = key, title, options
        self.path = HERE / "methods" / adapter
        self.interpreter, self.why = None, None

    def prepare(self):
        """What it runs with; else why it cannot run."""
        if self.path.suffix == ".R":
            self.interpreter, self.why = prepare_r(needs_of(self.path))
        else:
            self.interpreter, self.why = environment(
                self.path.stem.removeprefix("correct_"), needs_of(self.path))

    def run(self, source, out, seed, cores, limit):
        if self.interpreter is None:
            return Run(f"not installed: {self.why}")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        command = [self.interpreter, self.path, source, out, "--seed", str(seed),
                   "--cores", str(cores)]
        for name, value in self.options.items():
            command += ["--set", f"{name}={value}"]
        return timed(command, cores, limit)


def prepare_r(packages):
    """R and its packages are those of Debian and Ubuntu, installed where we may."""
    def there():
        names = [p.removeprefix("r-cran-").replace("seurat", "Seurat")
                 for p in packages]
        code = ";".join(f"stopifnot(requireNamespace('{n}'))" for n in names)
        return shutil.which("Rscript") and subprocess.run(
            ["Rscript", "-e", code], capture_output=True).returncode == 0
    if not there():
        kept.say(f"installing {' '.join(packages)}")
        install = f". '{ROOT}/jobs/install.sh'; apt_install {' '.join(packages)}"
        subprocess.run(["bash", "-c", install], capture_output=True)
    if there():
        return shutil.which("Rscript"), None
    return None, f"there is no R with {' '.join(packages)}"


def limits():
    """What would take the memory of the whole machine fails by itself."""
    free = re.search(r"MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    most = int(free[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def timed(command, cores, limit):
    """One run of an adapter, stopped at the limit with all that it started."""
    env = dict(os.environ)
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR", "VECLIB"):
        env[f"{name}_NUM_THREADS"] = str(cores)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, env=env, start_new_session=True,
                                   preexec_fn=limits)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            return Run(f"over the limit of {limit:g} s")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        whole = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        if process.returncode < 0:
            return Run(f"failed: ended by signal {-process.returncode}")
        if process.returncode:
            return Run(f"failed: {tidy(err.read())}")
        said = json.loads(out.read().strip().splitlines()[-1])
    return Run("ok", said["seconds"], whole, said["peak_mib"], said["version"])


METHODS = {m.key: m for m in [
    Method("raw", "raw", "correct_raw.py"),
    Method("balans", "balans, default", "correct_balans.py"),
    Method("balans_paper", "balans, `--config paper`", "correct_balans.py",
           config="paper"),
    Method("harmony", "Harmony", "correct_harmony.py"),
    Method("scanorama", "Scanorama", "correct_scanorama.py"),
    Method("fastmnn", "fastMNN (own reference)", "correct_fastmnn.py"),
    Method("seurat_cca", "Seurat CCA", "correct_seurat.R", reduction="cca"),
    Method("seurat_rpca", "Seurat RPCA", "correct_seurat.R", reduction="rpca"),
    Method("combat", "ComBat", "correct_combat.py"),
    Method("sphering", "Sphering, epsilon 1e-6", "correct_sphering.py", epsilon=1e-6),
    Method("sphering_1", "Sphering, epsilon 1", "correct_sphering.py", epsilon=1),
    Method("scvi", "scVI", "correct_scvi.py"),
    Method("desc", "DESC", "correct_desc.py"),
    Method("magic", "MAGIC", "correct_magic.py"),
    Method("bbknn", "BBKNN", "correct_bbknn.py"),
]}

"""This program, by the launcher, one rank for each core.  --set config=paper: with the
installed configuration of that name.  The environment's BALANS is the program.

needs: h5py
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import adapter


def main():
    job = adapter.arguments()
    program, options = os.environ["BALANS"], ["--seed", str(job.seed)]
    if "config" in job.options:
        options += ["--config", job.options["config"]]
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        ran = subprocess.run(
            [*os.environ.get("BENCH_MPIEXEC", "mpirun -n").split(), str(job.cores),
             program, "correct", job.source, job.result, "--batch", "batch",
             "--threads", "1", "--report", report, "-q", *options],
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
        if ran.returncode:
            sys.exit(ran.returncode)
        said = json.loads(report.read_text())
    seconds = sum(said["phases"][p]["seconds_max"]
                  for p in ("space", "sample", "correct") if p in said["phases"])
    # Of all ranks, no more than this.
    peak = said["memory"]["rss_peak_max"] / 2**20 * job.cores
    version = subprocess.run([program, "--version"], capture_output=True, text=True)
    adapter.say(seconds, peak, version.stdout.splitlines()[0])


if __name__ == "__main__":
    main()

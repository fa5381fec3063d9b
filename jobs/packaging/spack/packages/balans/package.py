"""Spack package of balans, for Spack 1.0 and later."""

import os

from spack_repo.builtin.build_systems.meson import MesonPackage

from spack.package import *

CLONE = os.path.realpath(os.path.join(os.path.dirname(__file__), *[".."] * 5))


class Balans(MesonPackage):
    """Batch correction of Cell Painting profiles by batch-dependent kernels
    and adaptive sampling, on a laptop or a cluster."""

    git = "file://" + CLONE

    license("BSD-3-Clause")

    version("main", branch="main")

    variant("python", default=True,
            description="Python package and balans-convert")

    depends_on("c", type="build")
    depends_on("meson@1.0:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("hdf5+mpi@1.10:")
    depends_on("openblas threads=none")
    depends_on("scalapack")
    depends_on("igraph@0.10:+shared")
    depends_on("cairo+png")
    depends_on("libyaml")
    depends_on("jansson")
    depends_on("check", type="test")

    with when("+python"):
        depends_on("python@3.9:", type="run")
        depends_on("py-anndata@0.8:", type="run")
        depends_on("py-h5py", type="run")
        depends_on("py-pyarrow", type="run")
        depends_on("py-tqdm", type="run")

    def meson_args(self):
        return ["-Dtests=" + ("enabled" if self.run_tests else "disabled")]

    def setup_run_environment(self, env):
        if self.spec.satisfies("+python"):
            env.prepend_path("PYTHONPATH",
                             self.prefix.share.balans.python)

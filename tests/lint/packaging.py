"""Whether jobs/packaging fits the program: version, libraries, syntax.

usage: packaging.py SOURCE_ROOT
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Library in meson.build: its name in Spack and in conda.
LIBRARIES = {
    "mpi": ("mpi", "openmpi"), "hdf5": ("hdf5", "hdf5"),
    "openblas": ("openblas", "openblas"),
    "scalapack": ("scalapack", "scalapack"), "igraph": ("igraph", "igraph"),
    "yaml-0.1": ("libyaml", "yaml"), "jansson": ("jansson", "jansson"),
    "cairo": ("cairo", "cairo"),
}
# Not packages of their own there: part of the compiler, of OpenBLAS, of libc.
ELSEWHERE = {"threads", "openmp", "lapacke", "check"}

root = pathlib.Path(sys.argv[1])
folder = root / "jobs/packaging"
bad = []


def check(ok, what):
    if not ok:
        bad.append(what)


def libraries():
    text = (root / "meson.build").read_text()
    return {re.sub("-(open)?mpi$", "", m) for m in
            re.findall(r"dependency\('([\w.-]+)'", text)} - ELSEWHERE


def check_libraries(wanted):
    unknown = wanted - set(LIBRARIES)
    check(not unknown, f"meson.build asks for {unknown}: add it to "
                       "jobs/packaging and to this test")
    spack = (folder / "spack/packages/balans/package.py").read_text()
    conda = (folder / "conda/recipe.yaml").read_text()
    for name in wanted & set(LIBRARIES):
        in_spack, in_conda = LIBRARIES[name]
        check(re.search(rf'depends_on\("{in_spack}\b', spack),
              f"the Spack package lacks {in_spack}")
        check(re.search(rf"^    - {in_conda}\b", conda, re.M),
              f"the conda recipe lacks {in_conda}")


def check_version():
    version = re.search(r"version: '([\d.]+)'",
                        (root / "meson.build").read_text())[1]
    for name in "balans.def", "modulefile", "conda/recipe.yaml", "README.md":
        found = set(re.findall(r"(?:Version |version:? |balans/)(\d+\.\d+\.\d+)",
                               (folder / name).read_text()))
        check(found == {version}, f"{name} is of version {found}")


def check_python():
    path = folder / "spack/packages/balans/package.py"
    compile(path.read_text(), str(path), "exec")
    places = {}
    source = path.read_text()
    exec(compile(source[source.index("CLONE ="):source.index("\n\nclass")],
                 "clone", "exec"), {"os": __import__("os"),
                                    "__file__": str(path)}, places)
    check(pathlib.Path(places["CLONE"]) == root.resolve(),
          f"the Spack package takes {places['CLONE']} for the clone")


def check_yaml():
    try:
        import yaml
    except ImportError:
        print("not checked as YAML: Python has no yaml")
        return
    for name in "conda/recipe.yaml", "spack/repo.yaml":
        check(isinstance(yaml.safe_load((folder / name).read_text()), dict),
              f"{name} is no mapping")


def check_container():
    text = (folder / "balans.def").read_text()
    sections = re.split(r"^%(\w+)\n", text, flags=re.M)
    bodies = dict(zip(sections[1::2], sections[2::2]))
    for name in "files", "post", "environment", "runscript", "test":
        check(name in bodies, f"balans.def has no %{name}")
    for name in "post", "environment", "runscript", "test":
        run = subprocess.run(["bash", "-n"], input=bodies.get(name, ""),
                             text=True, capture_output=True)
        check(run.returncode == 0, f"balans.def, %{name}: {run.stderr}")


def check_modulefile():
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        print("not tried: the modulefile, without tclsh")
        return
    stubs = "".join(f"proc {name} args {{ puts \"{name} $args\" }}\n" for name
                    in ("module-whatis", "conflict", "module", "prepend-path"))
    with tempfile.TemporaryDirectory() as place:
        script = pathlib.Path(place) / "module.tcl"
        script.write_text(stubs + (folder / "modulefile").read_text())
        run = subprocess.run([tclsh, script], capture_output=True, text=True)
    check(run.returncode == 0 and "prepend-path PATH /opt" in run.stdout,
          f"the modulefile: {run.stdout}{run.stderr}")


def check_wheel():
    """A wheel has no place for what is installed anywhere else."""
    meson = shutil.which("meson")
    if meson is None:
        print("not tried: what a wheel holds, without meson")
        return
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([meson, "setup", place, root, "-Dwheel=true",
                        "-Dtests=disabled"], check=True, capture_output=True)
        plan = json.loads(subprocess.run(
            [meson, "introspect", "--install-plan", place], check=True,
            capture_output=True, text=True).stdout)
    there = {what["destination"].split("/")[0] for kind in plan.values()
             for what in kind.values()}
    check(there == {"{bindir}", "{datadir}", "{py_platlib}"},
          f"a wheel has no place for all of {sorted(there)}")


check_libraries(libraries())
check_version()
check_python()
check_yaml()
check_container()
check_modulefile()
check_wheel()
print("\n".join(bad) or "nothing to object to")
sys.exit(1 if bad else 0)

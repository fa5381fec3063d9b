"""Rules of the house that a compiler does not know.

usage: lint.py SOURCE_ROOT

Include direction, one door for each foreign library, contracts against return
types, lengths, verdicts made by hand, assertions that could hang, and words
and paths that have no place in a source tree.
"""
import pathlib
import re
import sys

LAYERS = ["base", "kernel", "par", "data", "linalg", "algo", "metric", "io",
          "forecast", "page", "app", "cli"]
DOORS = {
    "mpi.h": set(LAYERS) - {"base", "kernel"},
    "omp.h": {"kernel", "algo", "metric"},
    "cblas.h": {"kernel"},
    "lapacke.h": {"linalg"},
    "igraph.h": {"metric"},
    "igraph/igraph.h": {"metric"},
    "cairo.h": {"page"},
    "hdf5.h": {"io"},
    "yaml.h": {"io"},
    "jansson.h": {"io", "app"},
}
PRAGMA_DOORS = {"kernel", "data", "algo", "metric"}
FILE_MOST, FUNCTION_MOST, LINE_MOST = 500, 60, 80
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK|WIP|for now|temporarily|"
                   r"not yet implemented|issue #?\d+)\b", re.I)
PATHS = re.compile(r"(?<![\w.])/(work|root|home|tmp/w|Users)/\w")

bad = []


def report(path, line, text):
    bad.append(f"{path}:{line}: {text}")


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def code_of(text):
    """The text with comments and strings blanked, line by line as it was."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text,
                  flags=re.S)


def check_includes(path, layer, text):
    for m in re.finditer(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M):
        name, line = m[1], line_of(text, m.start())
        other = re.match(r"balans/(\w+)/", name)
        if other and LAYERS.index(other[1]) > LAYERS.index(layer):
            report(path, line, f"'{layer}' must not include '{name}'")
        if name in DOORS and layer not in DOORS[name]:
            report(path, line, f"'{name}' belongs to "
                               f"{' and '.join(sorted(DOORS[name]))}")
    if layer not in PRAGMA_DOORS and re.search(r"#pragma omp", text):
        report(path, 1, f"OpenMP has no place in '{layer}'")


def check_code(path, layer, text):
    code = code_of(text)
    if path.name != "agree.c":
        for m in re.finditer(r"\(\s*bal_verdict\s*\)\s*\{", code):
            report(path, line_of(code, m.start()),
                   "a verdict made by hand; only bal_agree() makes one")
    if str(path).endswith("cli/main.c"):
        return
    for m in re.finditer(r"\bMPI_COMM_WORLD\b", code):
        report(path, line_of(code, m.start()),
               "MPI_COMM_WORLD belongs to cli/main.c")


def check_lengths(path, text):
    lines = text.split("\n")
    if len(lines) - 1 > FILE_MOST:
        report(path, FILE_MOST, f"{len(lines) - 1} lines, more than "
                                f"{FILE_MOST}")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_MOST:
                report(path, start, f"a function of {number - start + 1} "
                                    f"lines, more than {FUNCTION_MOST}")
            start = None


def check_widths(path, text):
    """Only what cannot be broken, as an address, may go on."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LINE_MOST and len(max(line.split(), key=len)) < 60:
            report(path, number, f"{len(line)} columns, more than {LINE_MOST}")


def check_contracts(path, text):
    """A verdict is for collective functions, a status for local ones, and the
    comment in front of a declaration (or of its group) says which it is."""
    opening = re.match(r"/\*\*.*?\*/", text, re.S)
    if opening is None:
        report(path, 1, "no comment says what the file is for")
        return
    pattern = re.compile(r"/\*\*(?P<doc>.*?)\*/|"
                         r"^(?:__attribute__\(.*?\)\)\)?\s+)?"
                         r"(?P<type>[a-z][\w ]*?[ *]+)(?P<name>bal_\w+)\(",
                         re.S | re.M)
    general, doc = re.sub(r"\s*\n \* ?", " ", opening[0]), ""
    for m in pattern.finditer(text):
        if m["doc"] is not None:
            doc = m["doc"]
            continue
        kind = m["type"].strip()
        says = re.findall(r"\b(Collective|Local)\b", doc)
        says = says or re.findall(r"\b[aA]ll (?:functions )?(?:of it )?(?:is|are) "
                                  r"(collective|local)", general)
        wanted = {"bal_verdict": "collective", "bal_status": "local"}.get(kind)
        said = says[0].lower() if says else None
        line = line_of(text, m.start("name"))
        if said is None and wanted is not None:
            report(path, line, f"the contract of {m['name']} does not say "
                               "whether it is Local or Collective")
        elif wanted is not None and said != wanted:
            report(path, line, f"{m['name']} returns {kind}, but its contract "
                               f"says {said}")


def check_words(path, text):
    for pattern, what in ((WORDS, "word"), (PATHS, "path")):
        for m in pattern.finditer(text):
            report(path, line_of(text, m.start()),
                   f"the {what} '{m[0]}' has no place here")


def check_tests(root):
    """In a test on several ranks, an assertion that fails on one rank alone
    leaves the others waiting."""
    table = (root / "tests/meson.build").read_text()
    for name, ranks in re.findall(r"^  '(\w+/\w+)': (\w+|\[.*\]),$", table,
                                  re.M):
        layer, module = name.split("/")
        path = root / f"tests/unit/{layer}/test_{module}.c"
        text = path.read_text() if path.exists() else ""
        if ranks == "[1]":
            continue
        for m in re.finditer(r"\bck_assert\w*|\bck_abort\w*", code_of(text)):
            report(path, line_of(text, m.start()),
                   f"{m[0]} on several ranks; use all_assert")


def main():
    root = pathlib.Path(sys.argv[1])
    sources = sorted([*root.glob("include/balans/*/*.h"),
                      *root.glob("src/**/*.[ch]")])
    for path in sources:
        text = path.read_text()
        layer = next(p for p in path.relative_to(root).parts if p in LAYERS)
        check_includes(path, layer, text)
        check_code(path, layer, text)
        check_lengths(path, text)
        if path.suffix == ".h" and "include" in path.parts:
            check_contracts(path, text)
    for path in sorted(root.glob("tests/**/*.[ch]")):
        check_lengths(path, path.read_text())
    texts = [*sources, *root.glob("*.md"), *root.glob("docs/**/*.md"),
             *root.glob("jobs/*"), *root.glob("configs/*"),
             *root.glob("bench/**/*"), *root.glob("tests/**/*.[ch]"),
             *root.glob("tests/**/*.py"), *root.glob("src/python/**/*.py"),
             *root.glob("jobs/packaging/*"), *root.glob("meson.build"),
             *root.glob("*/meson.build")]
    for path in sorted(set(texts)):
        if path.is_file() and path.suffix != ".pyc" and (
                path.resolve() != pathlib.Path(__file__).resolve()):
            check_words(path, path.read_text(errors="replace"))
    for path in sorted([*sources, *root.glob("tests/**/*.[ch]"),
                        *root.glob("bench/*.c"), *root.glob("jobs/*.sbatch"),
                        *root.glob("jobs/*.sh"), *root.glob("bench/*.sh"),
                        *root.glob("src/python/**/*.py"),
                        *root.glob("tests/python/*.py"),
                        *root.glob("tests/**/*.sh")]):
        check_widths(path, path.read_text())
    check_tests(root)
    print("\n".join(bad) or f"{len(sources)} sources, nothing to object to")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

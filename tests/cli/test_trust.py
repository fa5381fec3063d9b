"""--correction residual from file to file, with trust and without, against a
prototype in numpy; the same bytes on any number of ranks and threads, streamed
or not, in little memory; and nothing that is not finite.

usage: test_trust.py PROGRAM ROOT LAUNCHER...     ROOT: of the sources
"""
import importlib.util
import pathlib
import sys
import tempfile

from common import SKIP, Tests, need_h5py

need_h5py()
import h5py  # noqa: E402

try:
    import numpy as np
    import scipy.sparse as sp
except ImportError as e:
    print("skipped:", e)
    sys.exit(SKIP)

NEIGHBORS, SHARE = 20, 0.01
# Coordinates, distances and affinities are float32 numbers, off by some units of
# 2^-24 = 6e-8; a move is a mean over many, and less than a feature's range.
NEAR = 1e-6
# Distances nearer to one another than this may change places in float32: then a
# neighbour is another one, and moves are off by 1e-3.
GAP = 2e-6
FORMS = "on", "strict", "off"

t = Tests(sys.argv[1], sys.argv[3:])


def load_prototype():
    path = pathlib.Path(sys.argv[2]) / "../shared/proto/trust.py"
    if not path.exists():
        print("skipped: no prototype to compare with")
        sys.exit(SKIP)
    spec = importlib.util.spec_from_file_location("trust", path)
    proto = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(proto)
    return proto


proto = load_prototype()
plain_rows = proto.rows


class Exact:
    """The prototype's rows by differences, so that equal points are at equal
    distances; with a gate; and how close a decision was."""

    def __init__(self, gate=0):
        self.gate, self.gap = gate, np.inf

    def note(self, d, s):
        """The smallest relative distance between the scale and a neighbour
        that is not just as far."""
        off = np.abs(d - s)[(d != s) & np.isfinite(d)]
        if s > 0 and len(off):
            self.gap = min(self.gap, off.min() / s)

    def __call__(self, z, b, landmarks, k):
        m, a = len(landmarks), np.zeros((len(landmarks), len(z)))
        s2 = np.zeros((m, len(k)))
        for i, l in enumerate(landmarks):
            d = ((z - z[l]) ** 2).sum(1)
            d[l] = np.inf
            for t_, kk in enumerate(k):
                at = np.flatnonzero(b == t_)
                near = np.sort(d[at])
                near = near[np.isfinite(near)]
                s = near[min(kk, len(near)) - 1] if len(near) else -1
                s2[i, t_] = s
                self.note(d[at], s)
                kept = at[d[at] <= s]
                a[i, kept] = np.exp(-d[kept] / s) if s > 0 else 1
            own = s2[i, b[l]]
            if self.gate and own > 0:
                wide = s2[i] > self.gate * own
                wide[b[l]] = False
                a[i, wide[b]] = 0
            a[i, l] = 1
        return sp.csr_matrix(a), s2


def make(sizes, d, seed, kinds=4):
    """Profiles of some kinds in batches that are shifted, in mixed order."""
    r = np.random.default_rng(seed)
    b = r.permutation(np.repeat(np.arange(len(sizes)), sizes))
    kind = r.integers(0, kinds, len(b))
    x = (3 * r.normal(size=(kinds, d)))[kind] + r.normal(size=(len(b), d))
    x += r.normal(size=(len(sizes), d))[b]
    return (100 * x + 50).astype("f4"), b


def write(path, x, b):
    n, d = x.shape
    with h5py.File(path, "w") as f:
        f["X"] = x
        for name, size in ("obs", n), ("var", d):
            g = f.create_group(name)
            g.attrs["_index"] = "_index"
            g["_index"] = np.array([f"{name}{i}" for i in range(size)],
                                   dtype=h5py.string_dtype())
        f["obs/batch"] = b


def space(x, pca):
    """The distance space: algorithm.md, section 2."""
    z = x - x.mean(0)
    s = x.std(0)
    s[x.max(0) == x.min(0)] = 0
    z = np.clip(np.where(s > 0, z / np.where(s > 0, s, 1), 0), -10, 10)
    z -= z.mean(0)
    if pca:
        z = z @ np.linalg.eigh(z.T @ z)[1][:, ::-1][:, :pca]
    return z


def read(path, name="X"):
    with h5py.File(path, "r") as f:
        return f[name][()]


def options(form, passes, pca=0, landmarks=100000, neighbors="20,1%"):
    return ["--batch", "batch", "--correction", "residual", "--sparsify",
            "scale", "--neighbors", neighbors, "--landmarks", landmarks,
            "--trust", form, "--passes", passes, "--pca", pca]


def median_move(new, old):
    """The lower one of an even number."""
    return np.sort(((new - old) ** 2).sum(1))[(len(old) - 1) // 2] ** 0.5


def expected(x, b, z, landmarks, form, passes, keep=False):
    """As proto.correct(); with `keep` uncovered points stay."""
    size = np.bincount(b)
    k = np.maximum(NEIGHBORS, np.ceil(SHARE * size - 1e-9)).astype(int)
    told = []
    for _ in range(passes):
        znew, xnew, f = proto.one_pass(z, x, b, landmarks, k, form)
        if keep:
            left = np.asarray(proto.rows(z, b, landmarks, k)[0]
                              .sum(0)).ravel() == 0
            moved = median_move(znew, z)
            znew[left], xnew[left] = z[left], x[left]
            f["ratio"] *= median_move(znew, z) / moved
        z, x = znew, xnew
        told.append(f)
    return z, x, told


def check_told(out, told, form, where):
    """What the run says about itself."""
    with h5py.File(out, "r") as f:
        said = f["uns/balans"]
        move = said["passes/median_move"][()]
        scale = said["passes/scale"][()]
        unseen, left = said["unseen"][()], said["passes/uncovered"][()]
    wanted = [one["ratio"] for one in told]
    ratio = np.where(scale < 0, 0, move / scale)
    # Without trust and with --passes 1 or 2 moves are not measured.
    t.check(form == "off" or np.allclose(ratio, wanted, rtol=1e-4, atol=1e-6),
            f"{where}: moves of {ratio} scales, not {wanted}")
    t.check(abs(unseen - told[0]["unseen"]) < 1e-9,
            f"{where}: unseen {unseen}, not {told[0]['unseen']}")
    wanted = [one["uncovered"] for one in told]
    t.check(list(left) == wanted,
            f"{where}: {left} points uncovered, not {wanted}")


def off_by(got, want, x):
    width = x.max(0) - x.min(0)
    return (np.abs(got - want) / np.where(width > 0, width, 1)).max()


def compare(folder, name, x, b, form, passes, ranks, pca=0, gate=0,
            landmarks=100000, uncovered=None):
    where = f"{name}, {form}, {passes} passes, pca {pca}, {ranks} ranks"
    source, out = folder / f"{name}.h5ad", folder / "out.h5ad"
    if not source.exists():
        write(source, x, b)
    more = ["--gate", gate] if gate else []
    more += ["--uncovered", uncovered] if uncovered else []
    run = t.works("correct", source, out, "--force", "-q", *more,
                  *options(form, passes, pca, landmarks), ranks=ranks)
    if run.returncode != 0:
        return None
    x, got = x.astype(float), read(out)
    proto.rows = rows = Exact(gate)
    chosen = read(out, "uns/balans/landmarks")
    z, want, told = expected(x, b, space(x, pca), chosen, form, passes,
                             uncovered == "keep")
    if rows.gap < GAP:
        return rows.gap
    off = off_by(got, want, x)
    t.check(np.isfinite(got).all() and off < NEAR, f"{where}: off by {off}")
    if pca:
        off = np.abs(np.abs(read(out, "obsm/X_balans")) - np.abs(z)).max()
        t.check(off < 30 * NEAR, f"{where}: coordinates off by {off}")
    check_told(out, told, form, where)
    return rows.gap


CASES = {
    "five": dict(sizes=(80, 60, 40, 1, 20), pca=(0, 5)),
    "two": dict(sizes=(90, 70)),
    "one": dict(sizes=(90,)),
    # Landmarks alone in their batches: none has a scale there.
    "alone": dict(sizes=(1,) * 850 + (2,), landmarks=3, passes=(1,)),
    "gate": dict(sizes=(60, 70, 50), gate=1.2),
    "duplicates": dict(sizes=(60, 70, 50), change="repeat"),
    "constant": dict(sizes=(60, 70, 50), change="constant"),
    "few": dict(sizes=(200, 60, 140), landmarks=8, passes=(1,)),
    "kept": dict(sizes=(200, 60, 140), landmarks=8, passes=(1,),
                 uncovered="keep"),
    "many": dict(sizes=(2,) * 850, landmarks=10, passes=(1,)),
    "single": dict(sizes=(2,) * 850, landmarks=1, passes=(1,)),
}


def change_profiles(x, b, how):
    """Copies of one profile, more than there are neighbours, or features that
    do not vary, in all or in one batch."""
    if how == "repeat":
        for which in 0, 1:
            at = np.flatnonzero(b == which)
            x[at[:30]] = x[at[0]]
            x[at[30:40]] = x[at[30]]
    elif how == "constant":
        x[:, 3] = 7.25
        x[:, 5] = 0
        x[b == 1, 4] = 2


def check_case(folder, name, sizes, d=9, pca=(0,), passes=(1, 2), change=None,
               **more):
    """All forms; data in which rounding might decide are drawn again."""
    ranks = 0
    for form in FORMS:
        for count in passes:
            for components in pca:
                ranks = ranks % 4 + 1
                for seed in range(20):
                    x, b = make(sizes, d, seed)
                    change_profiles(x, b, change)
                    gap = compare(folder, f"{name}{seed}", x, b, form, count,
                                  ranks, components, **more)
                    if gap is None or gap >= GAP:
                        break
                else:
                    t.check(False, f"{name}: no data without close calls")


def check_auto(folder):
    """--passes auto ends after the pass that the prototype ends after."""
    for seed in range(3):
        x, b = make((80, 60, 40), 9, seed)
        source, out = folder / f"auto{seed}.h5ad", folder / "out.h5ad"
        write(source, x, b)
        t.works("correct", source, out, "--force", "-q",
                *options("on", "auto"))
        proto.rows = Exact()
        told = proto.correct(space(x.astype(float), 0), x.astype(float), b,
                             lambda _: read(out, "uns/balans/landmarks"))[2]
        passes = len(read(out, "uns/balans/passes/landmarks"))
        t.check(passes == len(told),
                f"auto, {seed}: {passes} passes, not {len(told)}")


def check_blend(folder):
    """The smoothed profile of the moved coordinates takes its share."""
    for form, seed, pca in ("on", 1, 0), ("off", 2, 5):
        x, b = make((80, 60, 40, 1), 9, seed)
        source, out = folder / f"blend{seed}.h5ad", folder / "out.h5ad"
        write(source, x, b)
        t.works("correct", source, out, "--force", "-q", "--blend", 0.25,
                *options(form, 2, pca), ranks=2)
        proto.rows = rows = Exact()
        x = x.astype(float)
        chosen = read(out, "uns/balans/landmarks")
        z, want, _ = expected(x, b, space(x, pca), chosen, form, 2)
        a = rows(z, b, chosen, np.full(4, NEIGHBORS))[0].toarray()
        r = a / a.sum(1, keepdims=True)
        share = r.T / r.T.sum(1, keepdims=True)
        off = off_by(read(out), 0.75 * want + 0.25 * share @ (r @ want), x)
        t.check(rows.gap < GAP or off < NEAR, f"blend, {form}: off by {off}")


def bytes_of(path):
    with h5py.File(path, "r") as f:
        return (f["X"][()].tobytes(), f["obsm/X_balans"][()].tobytes(),
                f["uns/balans/landmarks"][()].tobytes(),
                f["uns/balans/unseen"][()],
                f["uns/balans/passes/median_move"][()].tobytes())


WAYS = (
    (1, ["--threads", 2]),
    (2, ["--threads", 2, "--stream", "on"]),
    (3, ["--memory-per-rank", "1M"]),  # two panels of features
    (4, ["--stream", "on", "--memory-per-rank", "1M"]),
)


def check_same_bytes(folder):
    x, b = make((150, 1, 130, 69), 70, 3)
    source = folder / "wide.h5ad"
    write(source, x, b)
    for name, more in {
            "on": options("on", 2, 8), "strict": options("strict", 2, 8),
            "off": options("off", 2, 8), "few": options("on", 2, 8, 60),
            "blend": [*options("on", "auto", 8, 200), "--blend", 0.5],
            }.items():
        first = None
        for ranks, way in ((1, []), *WAYS):
            out = folder / "same.h5ad"
            run = t.works("correct", source, out, "--force", "-q", *more, *way,
                          ranks=ranks)
            if run.returncode != 0:
                continue
            first = first or bytes_of(out)
            t.check(bytes_of(out) == first,
                    f"{name}: other bytes on {ranks} ranks with {way}")


def check_advice(folder):
    """Batches of other kinds are noticed; strict is advised where it is not in
    force, and told off where it has few landmarks."""
    x, b = make((200, 200), 9, 4, kinds=2)
    x[b == 1] = 400 - 3 * x[b == 1]
    source, out = folder / "apart.h5ad", folder / "out.h5ad"
    write(source, x, b)
    for form, landmarks, words, others in (
            ("off", 400, ["'0' and '1'", "use --trust strict\n"], []),
            ("on", 20, ["use --trust strict --landmarks 267\n"], []),
            ("strict", 400, ["share few kinds"], ["use --trust"]),
            ("strict", 20, ["'--trust strict' with", "'--landmarks 267'"],
             ["use --trust"])):
        run = t.works("correct", source, out, "--force",
                      *options(form, 1, 0, landmarks))
        t.check(all(w in run.stderr for w in words)
                and not any(w in run.stderr for w in others),
                f"{form}, {landmarks}: {run.stderr!r}")


def check_finite(folder):
    """What would leave float32 is an error that names the feature, and there is
    no output; what comes out is finite."""
    r = np.random.default_rng(3)
    huge = np.finfo("f4").max
    b, out = np.arange(90) % 3, folder / "finite.h5ad"
    x = (np.sign(r.normal(size=(90, 5))) * huge).astype("f4")
    part = np.where(np.arange(5) == 3, x, r.normal(size=(90, 5))).astype("f4")
    failed = 0
    for name, profiles in ("all", x), ("one", part):
        source = folder / f"wild-{name}.h5ad"
        write(source, profiles, b)
        for form in FORMS:
            for scale in "standard", "none":
                for ranks, pca in (1, 0), (3, 2):
                    run = t.run("correct", source, out, "-q", "--scale", scale,
                                *options(form, 2, pca), ranks=ranks)
                    where = f"{name}, {form}, {scale}, pca {pca}"
                    if run.returncode == 0:
                        t.check(np.isfinite(read(out)).all(),
                                f"{where}: not finite")
                        out.unlink()
                        continue
                    failed += 1
                    t.check(run.returncode == 1 and "feature" in run.stderr
                            and not out.exists(),
                            f"{where}: {run.returncode}, {run.stderr!r}")
    t.check(failed > 0, "no profile left the range of float32")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for name, case in CASES.items():
            check_case(folder, name, **case)
        check_auto(folder)
        check_blend(folder)
        check_same_bytes(folder)
        check_advice(folder)
        check_finite(folder)
    t.end()


main()

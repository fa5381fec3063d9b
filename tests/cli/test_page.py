"""The command `report`: a page of its own that shows all of its figures, says why
where it cannot, and takes no name for more than text.

usage: test_page.py PROGRAM LAUNCHER...
"""
import base64
import html.parser
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
IMAGES = ["before-batch", "after-batch", "before-label", "after-label",
          "affinity-batch", "affinity-label"]
PLOTS = ["sizes", "shift", "trust", "coverage", "lengths"]
VOID = {"meta", "link", "img", "path", "circle", "br"}
HOSTILE = ["<script>alert('x')</script>", "\" onload=\"x", "a & b <b>bold",
           "</title></svg>", "ä€😀" * 20]


class Page(html.parser.HTMLParser):
    """Figures by their ids, all text, and what must not be there."""

    def __init__(self, text):
        super().__init__()
        self.open, self.figures, self.text = [], {}, ""
        self.bad, self.figure = [], None
        self.feed(text)
        self.close()
        if self.open:
            self.bad.append(f"open at the end: {self.open}")

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "figure":
            self.figure = self.figures[attrs["id"]] = {
                "class": attrs.get("class"), "img": [], "svg": [], "data": [],
                "text": ""}
        if self.figure is not None and tag in ("img", "svg"):
            self.figure[tag].append(attrs)
        if self.figure is not None and attrs.get("class") == "data":
            self.figure["data"].append(attrs["d"])
        if tag in ("script", "iframe", "object", "base") or any(
                k.startswith("on") for k in attrs):
            self.bad.append(f"<{tag} {attrs}>")
        for key in ("src", "href"):
            if not attrs.get(key, "data:").startswith("data:"):
                self.bad.append(f"{tag} {key}={attrs[key][:60]}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append(f"</{tag}> out of place")
        if tag == "figure":
            self.figure = None

    def handle_data(self, data):
        if "style" in self.open:
            if re.search(r"url\(|@import", data):
                self.bad.append("a style that loads")
            return
        self.text += data
        if self.figure is not None:
            self.figure["text"] += data


def png_size(uri):
    """Width and height of a whole PNG that is not of one colour."""
    data = base64.b64decode(uri.split(",", 1)[1], validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels, size = 8, b"", None
    while at < len(data):
        count, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + count]
        assert zlib.crc32(kind + body) == struct.unpack(
            ">I", data[at + 8 + count:at + 12 + count])[0]
        size = struct.unpack(">II", body[:8]) if kind == b"IHDR" else size
        pixels += body if kind == b"IDAT" else b""
        at += 12 + count
    raw = zlib.decompress(pixels)
    assert len(raw) == size[1] * (1 + 3 * size[0])
    assert len(raw) - raw.count(0) > 500
    return size


def check_image(figure, what):
    images = figure["img"]
    if not t.check(len(images) == 1 and len(images[0]["alt"]) > 30,
                   f"{what}: images {len(images)}"):
        return
    try:
        size = png_size(images[0]["src"])
        t.check(size == (int(images[0]["width"]), int(images[0]["height"])),
                f"{what}: {size}")
    except (AssertionError, ValueError, zlib.error) as e:
        t.check(False, f"{what}: no good PNG: {e!r}")


def check_plot(figure, what):
    marks = [len(re.findall(r"-?\d+(?:\.\d+)?", d)) for d in figure["data"]]
    t.check(len(figure["svg"]) == 1
            and len(figure["svg"][0]["aria-label"]) > 30
            and marks and min(marks) >= 2, f"{what}: marks {marks}")
    t.check("nan" not in " ".join(figure["data"]), f"{what}: not a number")


def check_page(path, missing=()):
    """All figures are there, or say why they are not."""
    page = Page(path.read_text(encoding="utf-8"))
    t.check(not page.bad, f"{path.name}: {page.bad[:3]}")
    t.check(set(IMAGES + PLOTS) <= set(page.figures),
            f"{path.name}: figures {list(page.figures)}")
    gone = {i for i, f in page.figures.items() if f["class"] == "none"}
    t.check(gone == set(missing), f"{path.name}: missing {gone}")
    for name, figure in page.figures.items():
        what = f"{path.name}, {name}"
        if name in missing:
            t.check(len(figure["text"]) > 40, f"{what}: no reason")
        elif name in IMAGES:
            check_image(figure, what)
        else:
            check_plot(figure, what)
    return page


def rename(path, column, names):
    """Gives the first categories of a column other names."""
    with h5py.File(path, "r+") as f:
        old = f[f"obs/{column}/categories"]
        new = names + [n.decode() for n in old[len(names):]]
        attrs = dict(old.attrs)
        del f[f"obs/{column}/categories"]
        d = f.create_dataset(f"obs/{column}/categories", data=new,
                             dtype=h5py.string_dtype())
        d.attrs.update(attrs)


def make_input(folder):
    path = folder / "a<i>&\"'.h5ad"
    t.works("simulate", path, "--points", 360, "--dims", 60, "--batches", 3,
            "--clusters", 6)
    rename(path, "batch", HOSTILE[:2])
    rename(path, "label", HOSTILE)
    return path


def report(out, *args, ranks=1):
    page = out.with_suffix(".html")
    t.works("report", out, "-o", page, "--force", "-q", *args, ranks=ranks)
    return page


def check_shift(path, column):
    """How far batches came, by the definition."""
    with h5py.File(path, "r") as f:
        own, codes = f["uns/balans"], f[f"obs/{column}/codes"][:]
        scale = {k: own[f"scaling/{k}"][()] for k in own["scaling"]}
        z = (f["layers/original"][:] - scale["mean"]) / scale["sd"]
        z = np.clip(z, -scale["clip"], scale["clip"]) - scale["centre"]
        moved = f["obsm/X_balans"][:] - z @ f["varm/balans_PCs"][:]
        names = f[f"obs/{column}/categories"][:].tolist()
        want = {n: np.linalg.norm(moved[codes == i].mean(0))
                for i, n in enumerate(names)}
        told = dict(zip(own["shift/batches"][:].tolist(),
                        own["shift/length"][:]))
    t.check(told.keys() == want.keys() and all(
        abs(told[n] - want[n]) < 1e-4 * want[n] for n in want),
        f"{column}: shifts {told}, not {want}")


def check_nested(folder):
    """Of several batch columns the page shows the first."""
    path, out = folder / "nested.h5ad", folder / "nested_out.h5ad"
    t.works("simulate", path, "--points", 400, "--dims", 60, "--batches", 4,
            "--nested")
    t.works("correct", path, out, "--batch", "source,batch", "-q",
            "--keep-original", ranks=2)
    check_shift(out, "source")
    page = check_page(report(out, "--label", "label", "--layout", "pca"),
                      missing=["no-scores"])
    t.check("('source')" in page.text, "the column is not named")


def check_complete(folder, path):
    """With what the output can hold, nothing is missing; ranks do not
    matter."""
    out, scores = folder / "whole.h5ad", folder / "scores.json"
    t.works("correct", path, out, "--batch", "batch", "--keep-original",
            "--save-affinity", "-q", ranks=2)
    t.works("evaluate", out, "--batch", "batch", "--label", "label",
            "--matrix", "X", "--matrix", "layers/original", "--json", scores)
    check_shift(out, "batch")
    page = report(out, "--label", "label", "--scores", scores)
    first = page.read_bytes()
    text = check_page(page).text
    for name in [*HOSTILE[:4], path.name, "kBET", "--neighbors", "checksum"]:
        t.check(name in text, f"{name} is not on the page")
    t.check(re.search(r"All 360 profiles", text)
            and "as the run stored them" in text, "what the figures show")
    t.check(not re.search(r"\b(nan|inf)\b", text), "a number that is none")
    with h5py.File(out, "r") as f:
        for name in ("checksum", "version", "commit"):
            value = f[f"uns/balans/{name}"][()].decode()
            t.check(value in text, f"{name} {value} is not on the page")
    again = report(out, "--label", "label", "--scores", scores, "--threads",
                   2, ranks=3)
    t.check(again.read_bytes() == first, "three ranks make another page")
    return page, scores


def check_beside(folder, path):
    """The input beside the output is found; else the page says what to do."""
    out = folder / "plain.h5ad"
    t.works("correct", path, out, "--batch", "batch", "-q")
    page = check_page(report(out, "--layout", "pca"),
                      missing=["before-label", "after-label",
                               "affinity-label", "no-scores"])
    t.check("made again from the corrected coordinates" in page.text,
            "affinities: where they are from")
    before = {"before-batch", "before-label"}
    away = folder / "elsewhere"
    away.mkdir()
    moved = away / path.name
    path.rename(moved)
    page = check_page(report(out, "--label", "label", "--layout", "pca"),
                      missing=before | {"no-scores"})
    t.check("--original" in page.figures["before-batch"]["text"],
            "no way to the original")
    page = report(out, "--label", "label", "--layout", "pca", "--original",
                  moved)
    check_page(page, missing=["no-scores"])
    size = moved.stat().st_size
    os.truncate(moved, size + 8)
    t.fails(1, ["as the original", f"{size} bytes"], "report", out, "-o", page,
            "--force", "--original", moved)
    os.truncate(moved, size)
    moved.rename(path)


def check_others(folder, path):
    """Outputs without trust, without components, of a model, of one batch."""
    out, model = folder / "other.h5ad", folder / "model.h5"
    run = ["--batch", "batch", "-q", "--force"]
    t.works("correct", path, out, *run, "--trust", "off", "--pca", 0,
            "--passes", 1)
    check_page(report(out, "--label", "label", "--layout", "pca"),
               missing=["trust", "no-scores"])
    t.works("correct", path, out, *run, "--config", "paper", "--save-model",
            model, "--correction", "residual", "--max-landmarks", 200)
    t.works("apply", model, path, out, "-q", "--force")
    page = check_page(report(out, "--label", "label", "--layout", "pca"),
                      missing=["trust", "coverage", "no-scores"])
    t.check("from a model" in page.text, "landmarks of a model")
    t.works("correct", path, out, "--batch", "label", "-q", "--force")
    page = check_page(report(out, "--label", "batch", "--layout", "pca"),
                      missing=["no-scores"])
    t.check("share few kinds" in page.text, "no warning of foreign batches")


def check_sample(folder):
    """More points than are drawn."""
    path, out = folder / "many.h5ad", folder / "many_out.h5ad"
    t.works("simulate", path, "--points", 21000, "--dims", 6, "--batches", 3)
    t.works("correct", path, out, "--batch", "batch", "-q", "--landmarks", 700,
            "--passes", 1)
    page = check_page(report(out, "--label", "label", "--layout", "pca"),
                      missing=["no-scores"])
    said = page.text.replace("\u202f", "")
    t.check("20000 of 21000 profiles, sampled batch by batch" in said
            and "600 of 700 landmarks" in said, "the sample is not stated")


def check_failures(folder, path, scores):
    out, page = folder / "whole.h5ad", folder / "new.html"
    few = folder / "few.h5ad"
    t.works("simulate", few, "--points", 50, "--batches", 2)
    t.fails(1, ["label column 'lable'", "is 'label' meant"], "report", out,
            "-o", page, "--label", "lable", ranks=2)
    t.fails(1, ["not an output"], "report", few, "-o", page, ranks=2)
    with h5py.File(few, "r+") as f:
        del f["uns/balans"]
    t.fails(1, ["not an output", "missing"], "report", few, "-o", page)
    t.fails(1, ["no such file"], "report", folder / "none.h5ad", "-o", page)
    t.fails(2, ["'--output'", "FILE.html"], "report", out)
    t.fails(2, ["one file"], "report", out, "-o", out, "--force")
    t.fails(2, ["is 'umap' meant"], "report", out, "-o", page, "--layout",
            "umpa")
    t.fails(1, ["cannot read", "none.json"], "report", out, "-o", page,
            "--scores", folder / "none.json")
    wrong = folder / "wrong.json"
    wrong.write_text("{\"a\": 1}")
    t.fails(1, ["balans evaluate"], "report", out, "-o", page, "--scores",
            wrong)
    other = json.loads(scores.read_text())
    other["points"] = 7
    wrong.write_text(json.dumps(other))
    t.fails(1, ["about 7 points", "has 360"], "report", out, "-o", page,
            "--scores", wrong)
    page.write_text("old")
    t.fails(1, ["exists", "--force"], "report", out, "-o", page)
    t.check(page.read_text() == "old", "a page was overwritten")
    left = [p.name for p in folder.iterdir() if "partial" in p.name]
    t.check(not left, f"leftovers {left}")


PROBE = """<script>
const bad = [];
for (const i of document.images)
  if (!(i.complete && i.naturalWidth > 0)) bad.push(i.alt);
for (const s of document.querySelectorAll("svg")) {
  const b = s.getBBox();
  if (!(b.width > 0 && b.height > 0)) bad.push(s.outerHTML.slice(0, 200));
}
for (const f of document.querySelectorAll("figure"))
  if (!(f.getBoundingClientRect().height > 40)) bad.push(f.id);
document.title = "probe " + document.images.length + " " +
  document.querySelectorAll("figure").length + " " + JSON.stringify(bad);
</script></body>"""


def check_browser(folder, page):
    """A browser finds content in all figures, and nothing to complain of."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("skipped: no chromium to look at the page")
        return
    call = [chromium, "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={folder}/browser", "--window-size=1120,4600"]
    shot = folder / "page.png"
    run = subprocess.run([*call, f"--screenshot={shot}", page.as_uri()],
                         capture_output=True, text=True, timeout=300)
    said = [s for s in run.stderr.split("\n") if "CONSOLE" in s]
    t.check(run.returncode == 0 and not said, f"the browser says {said}")
    t.check(shot.exists() and shot.stat().st_size > 50000, "no screenshot")
    probe = folder / "probe.html"
    text, policies = re.subn(r"<meta http-equiv=.*?>", "", page.read_text())
    t.check(policies == 1, "a policy forbids to load anything")
    probe.write_text(text.replace("</body>", PROBE))
    run = subprocess.run([*call, "--dump-dom", probe.as_uri()],
                         capture_output=True, text=True, timeout=300)
    title = re.search("<title>(.*?)</title>", run.stdout, re.S)
    t.check(title and title[1] == f"probe {len(IMAGES)} "
            f"{len(IMAGES + PLOTS)} []", f"the browser finds {title}")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    given = make_input(where)
    whole, numbers = check_complete(where, given)
    check_beside(where, given)
    check_others(where, given)
    check_nested(where)
    check_sample(where)
    check_failures(where, given, numbers)
    check_browser(where, whole)
t.end()

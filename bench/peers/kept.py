"""Results that are kept: tables as CSV, and what they were made with as JSON.  A run that
is stopped loses nothing of what it had."""
import csv
import json
import sys


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def read(path):
    if not path.exists():
        return []
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def read_json(path):
    return json.loads(path.read_text()) if path.exists() else {}


def shown(value):
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def replace(path, fill):
    """The file has the new content or the old, whenever a run is stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".partial")
    with open(aside, "w", newline="") as f:
        fill(f)
    aside.replace(path)


class Table:
    """Rows by key; a new row takes the place of one with its key."""

    def __init__(self, path, keys):
        self.path, self.keys = path, keys
        self.rows = {tuple(r[k] for k in keys): r for r in read(path)}

    def status(self, *key):
        return self.rows.get(tuple(map(str, key)), {}).get("status", "failed")

    def has(self, *key):
        """What failed is tried again; what took too long is not."""
        return not self.status(*key).startswith(("failed", "not installed"))

    def put(self, key, values):
        key = tuple(map(str, key))
        self.rows[key] = dict(zip(self.keys, key)) | {
            k: shown(v) for k, v in values.items()}
        self.write()

    def write(self):
        names = list(dict.fromkeys(k for r in self.rows.values() for k in r))

        def fill(f):
            out = csv.DictWriter(f, names, restval="", lineterminator="\n")
            out.writeheader()
            out.writerows(self.rows.values())
        replace(self.path, fill)


class About:
    """Machine, date and versions of one part."""

    def __init__(self, path, part):
        self.path, self.part = path, part

    def add(self, found):
        every = read_json(self.path)
        mine = every.setdefault(self.part, {})
        for key, value in found.items():
            if isinstance(value, dict):
                mine.setdefault(key, {}).update(value)
            else:
                mine[key] = value
        text = json.dumps(every, indent=1, sort_keys=True) + "\n"
        replace(self.path, lambda f: f.write(text))

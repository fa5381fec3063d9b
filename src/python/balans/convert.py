"""balans-convert: profile tables to .h5ad and back."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from ._errors import Error, need_pyarrow

_NOTES = """\
To .h5ad:
    balans-convert profiles.parquet profiles.h5ad
    balans-convert plates/ profiles.h5ad --nonfinite drop-features \\
        --normalize mad --by Metadata_Plate --controls Metadata_pert_type=negcon
    balans-convert profiles.parquet profiles.h5ad \\
        --join plate.csv.gz --on Metadata_Source,Metadata_Plate
and back, under the features' names or as balans_0, balans_1...:
    balans-convert corrected.h5ad corrected.parquet
    balans-convert corrected.h5ad coordinates.csv.gz --obsm X_balans

Tables are .parquet, .csv and .csv.gz.  Columns whose names begin with Metadata_
become obs, all other numeric ones features.  Exit codes: 0 done, 1 failed, 2
wrong usage."""


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="balans-convert", epilog=_NOTES, allow_abbrev=False,
        description="Profile tables to .h5ad and back.",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("input", nargs="+", type=Path, metavar="INPUT",
                   help="tables, folders of tables, or one .h5ad")
    p.add_argument("output", type=Path, metavar="OUTPUT",
                   help=".h5ad, or a table")
    p.add_argument("--force", action="store_true",
                   help="overwrite OUTPUT")
    p.add_argument("-q", "--quiet", action="store_true",
                   help="say nothing but why it failed")
    t = p.add_argument_group("to .h5ad")
    t.add_argument("--metadata", type=_names, action="extend", default=[],
                   metavar="COLUMN,...",
                   help="columns of obs besides those with Metadata_")
    t.add_argument("--join", type=Path, action="append", default=[],
                   metavar="TABLE",
                   help="add the columns of a table; may be repeated, each "
                        "with its --on")
    t.add_argument("--on", type=_names, action="append", default=[],
                   metavar="COLUMN,...",
                   help="columns in which profiles and TABLE agree")
    t.add_argument("--batch-from", type=_names, default=[],
                   metavar="COLUMN,...",
                   help="make a column 'batch' of several, such as 'a:b'")
    t.add_argument("--nonfinite", default="error", metavar="WHAT",
                   help="missing and infinite values: error (default), "
                        "drop-features, drop-features:SHARE (more than this "
                        "share of the profiles), drop-rows, median (of the "
                        "feature); several with commas, one after the other")
    t.add_argument("--normalize", choices=("mad", "standard"),
                   help="first, as pycytominer does: by median and MAD, or "
                        "mean and standard deviation")
    t.add_argument("--by", type=_names, default=[], metavar="COLUMN,...",
                   help="normalise each plate by itself: its column")
    t.add_argument("--controls", metavar="COLUMN=VALUE",
                   help="normalise by these profiles; default: by all")
    b = p.add_argument_group("from .h5ad")
    b.add_argument("--matrix", default="X", metavar="X|layers/NAME",
                   help="which matrix; default: X")
    b.add_argument("--obsm", metavar="NAME",
                   help="coordinates instead, such as X_balans")
    return p


def _run(a: argparse.Namespace) -> str:
    need_pyarrow()
    progress = False if a.quiet else None
    if a.output.name.lower().endswith(".h5ad"):
        if a.matrix != "X" or a.obsm:
            raise Error("cannot use --matrix or --obsm on the way to .h5ad", 2)
        if len(a.join) != len(a.on):
            raise Error("cannot join without --on; give one for each --join",
                        2)
        from ._convert import Plan, to_h5ad
        plan = Plan(a.metadata, list(zip(a.join, a.on)), a.batch_from,
                    a.nonfinite, a.normalize, a.by, a.controls, a.force,
                    progress)
        n, d = to_h5ad(a.input, a.output, plan)
        for text in plan.said if not a.quiet else ():
            print(f"balans-convert: {text}", file=sys.stderr)
    else:
        if (a.metadata or a.join or a.on or a.batch_from or a.normalize
                or a.by or a.controls or a.nonfinite != "error"):
            raise Error("cannot use options of the way to .h5ad: OUTPUT "
                        f"'{a.output}' is a table", 2)
        if len(a.input) != 1:
            raise Error("cannot write several .h5ad files to one table", 2)
        from ._export import to_table
        n, d = to_table(a.input[0], a.output, matrix=a.matrix, obsm=a.obsm,
                        force=a.force, progress=progress)
    return f"wrote '{a.output}': {n} profiles x {d} features"


def main(argv: list[str] | None = None) -> int:
    """The program; returns its exit code."""
    a = _parser().parse_args(argv)
    warnings.simplefilter("ignore")  # libraries' own, of no use here
    try:
        done = _run(a)
    except Error as e:
        print(f"balans-convert: {e}", file=sys.stderr)
        return e.code
    except (OSError, MemoryError) as e:
        text = " ".join(str(e).split()) or "not enough memory"
        print(f"balans-convert: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("balans-convert: interrupted", file=sys.stderr)
        return 130
    if not a.quiet:
        print(f"balans-convert: {done}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Batch correction of Cell Painting profiles.

>>> import balans
>>> adata = balans.read_profiles("profiles.parquet", nonfinite="drop-features")
>>> balans.correct(adata, batch="Metadata_Plate")
>>> balans.evaluate(adata, batch="Metadata_Plate", label="Metadata_JCP2022")
>>> balans.write_profiles(adata, "corrected.parquet")

Of plates that come one after the other:

>>> balans.fit(first, "model.h5", batch="Metadata_Plate")
>>> balans.apply("model.h5", plate)

The work is done by the program ``balans``, which is installed with this
package; profiles travel through files in a temporary folder.
"""

from ._api import apply, correct, evaluate, fit
from ._errors import Error
from ._profiles import read_profiles, write_profiles
from ._program import find_program

__all__ = ["Error", "apply", "correct", "evaluate", "find_program", "fit",
           "read_profiles", "write_profiles"]
__version__ = "0.1.0"

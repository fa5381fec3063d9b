"""ComBat (Johnson et al., Biostatistics 8, 2007) by inmoose.

needs: inmoose==0.9.1 h5py
"""
import adapter
import pandas as pd
from inmoose.pycombat import pycombat_norm


def correct(x, batch, job):
    return pycombat_norm(pd.DataFrame(x.T.astype(float)), list(batch)).to_numpy().T


if __name__ == "__main__":
    adapter.main(correct, "inmoose")

"""DESC (Li et al., Nature Communications 11, 2020), with its defaults.  Seeded.

needs: desc==2.1.1 tensorflow<2.16 numpy<2 pandas<2 h5py
"""
import tempfile

import adapter
import anndata
import desc
from desc.models import SAE

SAE.plot_model = lambda *args, **kwargs: None   # draws the network by graphviz


def correct(x, batch, job):
    data = anndata.AnnData(x)
    data.obs["batch"] = batch.astype(str)
    with tempfile.TemporaryDirectory() as folder:
        data = desc.train(data, dims=[x.shape[1], 64, 32], louvain_resolution=[0.8],
                          save_dir=folder, do_tsne=False, do_umap=False, use_GPU=False,
                          num_Cores=job.cores, random_seed=job.seed)
    return data.obsm["X_Embeded_z0.8"]


if __name__ == "__main__":
    adapter.main(correct, "desc")

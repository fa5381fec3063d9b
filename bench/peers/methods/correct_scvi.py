"""scVI (Lopez et al., Nature Methods 15, 2018) by scvi-tools on the processor, with the
layers, the width and the shift to values from 0 of Arevalo et al.  Seeded.

needs: scvi-tools>=1.4.2 h5py
"""
import adapter
import anndata
import scvi


def correct(x, batch, job):
    scvi.settings.seed = job.seed
    scvi.settings.num_threads = job.cores
    data = anndata.AnnData(x - x.min())
    data.obs["batch"] = batch.astype(str)
    scvi.model.SCVI.setup_anndata(data, batch_key="batch")
    model = scvi.model.SCVI(data, n_layers=2, n_latent=30)
    model.train(accelerator="cpu", enable_progress_bar=False)
    return model.get_latent_representation()


if __name__ == "__main__":
    adapter.main(correct, "scvi-tools")

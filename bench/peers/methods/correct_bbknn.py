"""BBKNN (Polanski et al., Bioinformatics 36, 2020), on 50 principal components: a graph
of the profiles, which has graph metrics only.

needs: bbknn==1.6.0 h5py igraph==1.0.0
"""
import adapter
from bbknn.matrix import bbknn


def correct(x, batch, job):
    most = 3 if len(x) < 1e5 else 25
    return bbknn(adapter.components(x), batch.astype(str),
                 neighbors_within_batch=most, pynndescent_random_state=job.seed)[1]


if __name__ == "__main__":
    adapter.main(correct, "bbknn")

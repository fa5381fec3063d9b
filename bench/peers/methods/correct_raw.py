"""The profiles as they are.

needs: numpy h5py
"""
import adapter


def correct(x, batch, job):
    return x


if __name__ == "__main__":
    adapter.main(correct, None)

"Pack the four files in which MNIST is published for the package: `pack_mnist.py FOLDER`"
import gzip
import sys
import zipfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np

from digit_under_hood.files import read_idx

FILES = {'train': 'train', 'valid': 't10k'}
OUT = Path(__file__).parents[1]/'digit_under_hood'/'data'/'mnist.npz'


def read(folder, name):
    "The array in one of the published files, gzipped or not"
    packed = folder/f'{name}-ubyte.gz'
    if packed.exists(): return read_idx(gzip.decompress(packed.read_bytes()))
    return read_idx(folder/f'{name}-ubyte')


def pack(folder, out=OUT, level=9):
    "Write one array for each split and digit, and each split's labels in their published order"
    arrays = {}
    for split, name in FILES.items():
        images, labels = read(folder, f'{name}-images-idx3'), read(folder, f'{name}-labels-idx1')
        arrays[f'{split}_labels'] = labels
        arrays |= {f'{split}_{digit}': images[labels == digit] for digit in range(10)}
    with zipfile.ZipFile(out, 'w') as archive:
        for name, array in arrays.items():
            member = BytesIO()
            np.save(member, array)
            info = zipfile.ZipInfo(f'{name}.npy')   # a fixed date and system, so that the same
            info.create_system = 3                  # input gives the same bytes everywhere
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, level)
    return out


if __name__ == '__main__':
    if len(sys.argv) != 2: sys.exit(__doc__)
    out = pack(Path(sys.argv[1]))
    print(out, '\nARCHIVE_SHA256 in nbs/a_files.ipynb:', sha256(out.read_bytes()).hexdigest())

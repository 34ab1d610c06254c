"Pack MNIST's four published files into the one archive that the package ships: `pack_mnist.py FOLDER`."
import gzip
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

FILES = {'train': 'train', 'valid': 't10k'}
OUT = Path(__file__).parents[1]/'digit_under_hood'/'data'/'mnist.npz'


def read_idx(path):
    "The array in a gzipped idx file: magic (two zeros, type, rank), a big-endian size an axis, bytes"
    raw = gzip.decompress(path.read_bytes())
    rank = raw[3]
    shape = np.frombuffer(raw, '>u4', rank, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4*rank).reshape(shape)


def pack(folder, out=OUT):
    "Write one array for each split and digit, and each split's labels in their published order"
    arrays = {}
    for split, name in FILES.items():
        images = read_idx(folder/f'{name}-images-idx3-ubyte.gz')
        labels = read_idx(folder/f'{name}-labels-idx1-ubyte.gz')
        arrays[f'{split}_labels'] = labels
        arrays |= {f'{split}_{digit}': images[labels == digit] for digit in range(10)}
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = BytesIO()
            np.save(buffer, array)
            info = zipfile.ZipInfo(f'{name}.npy')   # a fixed date: the same input gives the same bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, buffer.getvalue(), compresslevel=9)
    return out


if __name__ == '__main__':
    if len(sys.argv) != 2: sys.exit(__doc__)
    print(pack(Path(sys.argv[1])))

"MNIST to the last byte, and a folder of files that survives what can happen to it."
import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import digit_under_hood.files as files
from digit_under_hood.data import image_numbers, load_digits
from digit_under_hood.files import mnist_sample, read_arrays

ROOT = Path(__file__).parents[1]
FILES = {'train': 'train', 'valid': 't10k'}
PUBLISHED = {
    't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
    'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
}
COUNTS = {'train/3': 6131, 'train/7': 6265, 'valid/3': 1010, 'valid/7': 1028}


@pytest.fixture(scope='module')
def sample():
    "What every file of the folder must hold"
    return files._sample()


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    "A `FASTAI_HOME` in which the sample was written"
    home = tmp_path_factory.mktemp('home')/'.fastai'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('FASTAI_HOME', str(home))
        mnist_sample()
    return home


@pytest.fixture
def written(home, monkeypatch):
    "The folder of the sample, in the home that is now in force"
    monkeypatch.setenv('FASTAI_HOME', str(home))
    return home/'data'/'mnist_sample'


@pytest.fixture
def small(sample, tmp_path, monkeypatch):
    "A sample of some 40 files, for tests of how it is written, and an empty home"
    chosen = {name: sample[name] for name in [*list(sample)[:-1:400], 'labels.csv']}
    monkeypatch.setattr(files, '_sample', lambda: chosen)
    monkeypatch.setenv('FASTAI_HOME', str(tmp_path/'home'))
    return chosen


def assert_whole(folder, sample):
    "All files of the sample and no other, each with the right pixels, and nothing left beside it"
    found = {p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file()}
    assert found == sample.keys()
    for name, content in sample.items():
        if name == 'labels.csv':
            assert (folder/name).read_bytes() == content.encode()
            continue
        with Image.open(folder/name) as png: png.verify()
        with Image.open(folder/name) as png:
            assert png.mode == 'L' and np.array_equal(np.asarray(png), content), name
    assert not (folder.parent/'.mnist_sample.part').exists()


def python(code, *args):
    "Start a fresh Python on `code`"
    return subprocess.Popen([sys.executable, '-c', code, *args], text=True, cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def output(process):
    "What `process` printed; fails if it did"
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def obstacle(kind, path):
    "Put something that is no file at `path`"
    if kind == 'folder': (path/'full').mkdir(parents=True)
    if kind == 'loop': path.symlink_to(path.name)
    if kind == 'link to nothing': path.symlink_to('gone')
    if kind == 'fifo':
        if not hasattr(os, 'mkfifo'): pytest.skip('no pipes in the file system')
        os.mkfifo(path)


def in_time(function, *args):
    "The result of `function`, which must not wait for ever, as for somebody to fill a pipe"
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)), daemon=True)
    thread.start()
    thread.join(60)
    assert results, 'failed or hangs'
    return results[0]


# The archive

@pytest.fixture(scope='module')
def published(tmp_path_factory):
    "The four files as MNIST was published, rebuilt from the archive"
    folder = tmp_path_factory.mktemp('published')
    for split, name in FILES.items():
        labels, *blocks = read_arrays([f'{split}_labels', *(f'{split}_{d}' for d in range(10))])
        images = np.empty((len(labels), 28, 28), np.uint8)
        for digit, block in enumerate(blocks): images[labels == digit] = block
        files.write_idx(images, folder/f'{name}-images-idx3-ubyte')
        files.write_idx(labels, folder/f'{name}-labels-idx1-ubyte')
    return folder


@pytest.mark.parametrize('name', PUBLISHED)
def test_published_file_is_rebuilt_to_the_byte(name, published):
    assert sha256((published/name).read_bytes()).hexdigest() == PUBLISHED[name]


@pytest.mark.skipif(not (ROOT/'tools').exists(), reason='only in the repository')
def test_archive_is_what_the_tool_packs(published, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT/'tools')
    import pack_mnist
    again = pack_mnist.pack(published, tmp_path/'mnist.npz', level=1)
    with np.load(again) as new, np.load(files.ARCHIVE) as old:
        assert new.files == old.files
        for name in old.files: assert np.array_equal(new[name], old[name])


def test_checksum_in_the_library_is_that_of_the_archive():
    assert sha256(files.ARCHIVE.read_bytes()).hexdigest() == files.ARCHIVE_SHA256


def damage(kind, raw):
    if kind == 'one bit': raw[5_000_000] ^= 1
    if kind == 'truncated': del raw[6_000_000:]
    if kind == 'empty': raw.clear()
    if kind == 'not a zip': raw[:] = b'<!doctype html><title>Sign in</title>'
    return raw


@pytest.mark.parametrize('kind', ['one bit', 'truncated', 'empty', 'not a zip'])
def test_damaged_archive_is_named(kind, tmp_path):
    broken = tmp_path/'mnist.npz'
    broken.write_bytes(damage(kind, bytearray(files.ARCHIVE.read_bytes())))
    with pytest.raises(OSError) as error:
        read_arrays([f'{split}_{digit}' for split in FILES for digit in range(10)], broken)
    message = str(error.value)
    found = 'missing or empty' if kind == 'empty' else sha256(broken.read_bytes()).hexdigest()
    for part in (str(broken), found, files.ARCHIVE_SHA256):
        assert part in message
    assert 'install the course again' in message and ': got SHA-256' in message


def flip(path, place):
    "Change one bit of the byte of `path` at `place`"
    with open(path, 'r+b') as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 16]))


def test_no_damage_goes_unnoticed(tmp_path):
    "A bit of the pixels, of a checksum, of a name or of the table of contents"
    broken = Path(shutil.copy(files.ARCHIVE, tmp_path))
    for place in np.linspace(0, broken.stat().st_size - 1, 40, dtype=int):
        flip(broken, int(place))
        with pytest.raises(OSError, match='got SHA-256'): read_arrays(['valid_labels'], broken)
        flip(broken, int(place))
    assert len(*read_arrays(['valid_labels'], broken)) == 10_000


def test_another_archive_is_not_taken_for_ours(tmp_path):
    "A valid one, with arrays of the same names"
    other = tmp_path/'mnist.npz'
    np.savez_compressed(other, train_3=np.zeros((6131, 28, 28), np.uint8))
    with pytest.raises(OSError, match='got SHA-256'): read_arrays(['train_3'], other)
    assert read_arrays(['train_3'], other, sha256(other.read_bytes()).hexdigest())[0].max() == 0


@pytest.mark.parametrize('kind', ['nothing', 'folder', 'fifo', 'loop'])
def test_missing_archive_is_named(kind, tmp_path):
    obstacle(kind, tmp_path/'gone.npz')
    with pytest.raises(OSError, match='missing'): read_arrays(['train_3'], tmp_path/'gone.npz')


@pytest.mark.parametrize('names', ['train_3', ['train_12'], ['train_3', 3], None, 3, [None], [[]],
                                   np.zeros(3)])
def test_unknown_names(names):
    with pytest.raises(ValueError, match='names: got .*, wants'): read_arrays(names)


# idx

@pytest.mark.parametrize('shape', [(0,), (5,), (0, 28, 28), (2, 3, 4), (1, 1, 1)])
def test_idx_round_trip(shape, tmp_path):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    files.write_idx(array, tmp_path/'idx')
    raw = (tmp_path/'idx').read_bytes()
    assert len(raw) == 4 + 4*len(shape) + array.size
    for source in (tmp_path/'idx', str(tmp_path/'idx'), raw):
        back = files.read_idx(source)
        assert back.shape == shape and back.dtype == np.uint8 and np.array_equal(back, array)
    for end in range(len(raw)):    # broken off anywhere
        with pytest.raises(ValueError, match='source: '): files.read_idx(raw[:end])
    with pytest.raises(ValueError, match='source: '): files.read_idx(raw + b'1')


@pytest.mark.parametrize('source', [None, 3, [1, 2], np.zeros(4), bytearray(8), b'', b'GIF89a',
                                    bytes([0, 0, 8, 2] + [0]*8), bytes([0, 0, 8, 3] + [255]*12)])
def test_idx_of_something_else(source):
    "The last one promises (2**32 - 1)**3 bytes, more than 64 bits can count"
    with pytest.raises(ValueError, match='source: got .*, wants'): files.read_idx(source)


@pytest.mark.parametrize('array', [
    None, 3, [[0, 1]], 'abc', np.zeros(3), np.zeros((2, 2), np.uint8), np.uint8(3),
    np.zeros((1, 2, 2, 2), np.uint8), torch.zeros(3, dtype=torch.uint8), np.zeros(3, bool)])
def test_idx_holds_only_bytes(array, tmp_path):
    with pytest.raises(ValueError, match='array: got .*, wants'):
        files.write_idx(array, tmp_path/'idx')
    assert not (tmp_path/'idx').exists()


def test_idx_agrees_with_torchvision(published):
    mnist = pytest.importorskip('torchvision.datasets.mnist')
    theirs = mnist.read_image_file(str(published/'t10k-images-idx3-ubyte'))
    assert np.array_equal(files.read_idx(published/'t10k-images-idx3-ubyte'), theirs)


# The folder of files

def test_names_and_pixels_of_all_files(written):
    names = []
    for folder, count in COUNTS.items():
        split, digit = folder.split('/')
        names += [f'{folder}/{number}.png' for number in image_numbers(int(digit), split)]
        assert len(list((written/folder).iterdir())) == count
    assert sorted(item.name for item in written.iterdir()) == ['labels.csv', 'train', 'valid']
    images = torch.cat([load_digits([3, 7], split, scaled=False)[0] for split in FILES]).numpy()
    for name, image in zip(names, images, strict=True):
        with Image.open(written/name) as png:
            assert (png.format, png.mode, png.size) == ('PNG', 'L', (28, 28))
            assert np.array_equal(np.asarray(png), image), name


def test_table_of_labels(written):
    header, *rows = (written/'labels.csv').read_text().splitlines()
    assert header == 'name,label'
    pairs = [row.split(',') for row in rows]
    assert 'train/3/10.png,0' in rows and 'valid/7/0.png,1' in rows
    assert all((written/name).exists() for name, _ in pairs)
    assert len(pairs) == sum(COUNTS.values())
    assert all((name.split('/')[1] == '7') == (label == '1') for name, label in pairs)


def test_a_good_folder_is_left_alone(small):
    "Also without the stamp, and nothing but the stamp is written"
    written = mnist_sample()
    times = lambda: [(p.stat().st_mtime_ns, p.stat().st_ino) for p in sorted(written.rglob('*'))]
    before, stamp = times(), written.with_name('.mnist_sample.stamp')
    assert mnist_sample() == written
    kept = stamp.read_bytes()
    stamp.write_bytes(b'\xff')
    assert mnist_sample() == written
    assert stamp.read_bytes() == kept and times() == before


def test_a_good_folder_is_not_read(written, monkeypatch):
    "Once it is stamped, no file of it is opened: that would take seconds"
    monkeypatch.setattr(files, '_holds', lambda *args: pytest.fail('a file was read'))
    assert mnist_sample() == written


HOMES = {'': 'data', 'model = models': 'data', 'data = sets': 'sets', 'data = ../up': '../up',
         'data = {there}/big': '{there}/big'}


@pytest.mark.parametrize('config', HOMES)
@pytest.mark.parametrize('fastai_home', [None, 'other', '{there}/mine', '~/mine'])
def test_home_and_config(config, fastai_home, tmp_path, monkeypatch):
    "`FASTAI_HOME`, or ~/.fastai; in it config.ini, from where relative paths count"
    me = tmp_path/'me'
    monkeypatch.setenv('HOME', str(me))
    monkeypatch.setenv('USERPROFILE', str(me))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('FASTAI_HOME', raising=False)
    home = {None: me/'.fastai', '~/mine': me/'mine', 'other': tmp_path/'other'}.get(
        fastai_home, tmp_path/'mine')
    if fastai_home: monkeypatch.setenv('FASTAI_HOME', fastai_home.format(there=tmp_path))
    home.mkdir(parents=True)
    text = config.format(there=tmp_path)
    if config: (home/'config.ini').write_text(f'[DEFAULT]\n{text}\n')
    assert files._fastai_data() == home/HOMES[config].format(there=tmp_path)


@pytest.mark.long
def test_fastai_finds_the_folder(home):
    "`untar_data` returns our folder and touches no network, whatever the home and its config.ini"
    code = '''
import os, socket, sys
from fastai.data.external import fastai_cfg, fastai_path, untar_data, URLs
from digit_under_hood.files import _fastai_data, mnist_sample
def closed(*args, **kwargs): raise OSError("the network is closed")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = closed
for home in sys.argv[1:]:
    os.environ["FASTAI_HOME"] = home
    fastai_cfg.cache_clear()
    assert fastai_path("data") == _fastai_data(), home
    if "only" not in home: print(untar_data(URLs.MNIST_SAMPLE) == mnist_sample(), mnist_sample())
'''
    other, relative = home.with_name('other'), home.with_name('only named')
    for folder, place in ((other, home/'data'), (relative, '../up')):
        folder.mkdir()
        (folder/'config.ini').write_text(f'[DEFAULT]\ndata = {place}\narchive = archive\n')
    homes = [home, other, relative, home.with_name('only new')]
    assert output(python(code, *map(str, homes))).splitlines() == [
        f'True {home/"data"/"mnist_sample"}']*2


def test_progress_bar_leaves_nothing_in_a_notebook():
    nbclient, nbformat = pytest.importorskip('nbclient'), pytest.importorskip('nbformat.v4')
    code = ['import digit_under_hood.files as files', 'sum(files._progress(list(range(2000))))']
    notebook = nbformat.new_notebook(cells=list(map(nbformat.new_code_cell, code)))
    nbclient.NotebookClient(notebook, timeout=60, kernel_name='python3').execute()
    result, = notebook.cells[1].outputs
    assert result.output_type == 'execute_result' and result.data['text/plain'] == '1999000'


# Accidents

def test_damage_is_repaired_and_your_files_stay(small):
    "Every kind of damage at once; of all the rest, no file is written again"
    written, names = mnist_sample(), list(small)
    kinds = ('truncated flipped checksum empty other colour palette size restored jpeg '
             'missing').split()
    path = {kind: written/name for kind, name in zip(kinds, names)}
    raw = {kind: bytearray(path[kind].read_bytes()) for kind in kinds}
    path['truncated'].write_bytes(raw['truncated'][:100])
    raw['flipped'][len(raw['flipped'])//2] ^= 1
    path['flipped'].write_bytes(raw['flipped'])
    raw['checksum'][-14] ^= 1                        # the pixels are right, their checksum is not
    path['checksum'].write_bytes(raw['checksum'])
    path['empty'].write_bytes(b'')
    shutil.copy(written/names[14], path['other'])    # a whole file, with another 3
    Image.open(path['colour']).convert('RGB').save(path['colour'])
    painted = Image.open(path['palette'])            # the same numbers, but they stand for colours
    painted.putpalette(range(256))
    painted.save(path['palette'])
    Image.fromarray(np.zeros((27, 28), np.uint8)).save(path['size'])
    Image.open(path['jpeg']).save(path['jpeg'], format='JPEG', quality=100)
    stat = path['restored'].stat()                   # same size, and the old times put back
    raw['restored'][-20] ^= 255
    path['restored'].write_bytes(raw['restored'])
    os.utime(path['restored'], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path['missing'].unlink()
    (written/'labels.csv').write_text('name,label\n')
    shutil.rmtree(written/'valid'/'3')
    mine = {written/'models'/'best.pth': b'weights', written/'train'/'3'/'note.txt': b'mine'}
    for file, content in mine.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    rest = [file for name in names if (file := written/name).exists() and name != 'labels.csv'
            and file not in path.values()]
    before = {file: file.stat().st_mtime_ns for file in rest}
    assert len(rest) > 20

    old = {kind: file.read_bytes() for kind, file in path.items() if file.exists()}
    with pytest.warns(UserWarning, match='was damaged') as warned: assert mnist_sample() == written

    aside, = written.parent.glob('mnist_sample-damaged-*')
    assert str(aside) in str(warned[0].message)
    assert warned[0].filename == __file__
    moved = {p.relative_to(aside).as_posix(): p.read_bytes() for p in aside.rglob('*.*')}
    assert moved == {path[kind].relative_to(written).as_posix(): old[kind] for kind in old} | {
        'labels.csv': b'name,label\n'}   # nothing is lost
    shutil.rmtree(aside)
    for file, content in mine.items():
        assert file.read_bytes() == content
        file.unlink()
    (written/'models').rmdir()
    assert_whole(written, small)
    assert {file: file.stat().st_mtime_ns for file in rest} == before


@pytest.mark.skipif(sys.platform == 'win32', reason='Windows keeps no time of the last change')
def test_damage_with_the_old_times_put_back(small):
    "Alone, so that only the time of the last change can tell"
    written = mnist_sample()
    file = written/list(small)[5]
    raw, stat = bytearray(file.read_bytes()), file.stat()
    raw[-20] ^= 255
    time.sleep(.02)
    file.write_bytes(raw)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.warns(UserWarning, match='was damaged'): assert mnist_sample() == written
    shutil.rmtree(next(written.parent.glob('*-damaged-*')))
    assert_whole(written, small)


OBSTACLES = ['folder', 'fifo', 'loop', 'link to nothing']


@pytest.mark.skipif(sys.platform == 'win32', reason='links need a privilege')
@pytest.mark.parametrize('place', ['.', 'train', 'train/3', 'train/3/7.png', 'labels.csv'])
@pytest.mark.parametrize('kind', OBSTACLES)
@pytest.mark.filterwarnings('ignore:.*was damaged')
def test_what_is_no_file_is_moved_aside(kind, place, small):
    written = mnist_sample()
    if (written/place).is_dir(): shutil.rmtree(written/place)
    else: (written/place).unlink()
    obstacle(kind, written/place)
    assert in_time(mnist_sample) == written
    asides = list(written.parent.glob('mnist_sample-damaged-*'))
    kept = kind == 'folder' and place in ('.', 'train', 'train/3')   # one is wanted there
    target = written.parent/'gone' if (kind, place) == ('link to nothing', '.') else None
    assert len(asides) == (not kept and not target)
    for aside in asides: assert os.path.lexists(aside/place)
    if kept: shutil.rmtree(written/place/'full')
    assert_whole(written, small)


@pytest.mark.parametrize('kind', ['folder', 'fifo', 'loop'])
def test_a_stamp_that_is_none(kind, small):
    written = mnist_sample()
    stamp = written.with_name('.mnist_sample.stamp')
    stamp.unlink()
    obstacle(kind, stamp)
    assert in_time(mnist_sample) == written
    assert_whole(written, small)


@pytest.mark.parametrize('kind', ['doubled', 'reordered', 'longer', 'without a header'])
def test_another_table_is_replaced(kind, small):
    table = mnist_sample()/'labels.csv'
    header, *rows = table.read_text().splitlines()
    other = {'doubled': [header, *rows, *rows], 'reordered': [header, *rows[::-1]],
             'longer': [header, *rows, 'mine.png,0'], 'without a header': rows}[kind]
    table.write_text('\n'.join(other))
    with pytest.warns(UserWarning, match='was damaged'): mnist_sample()
    aside, = table.parents[1].glob('mnist_sample-damaged-*')
    assert os.listdir(aside) == ['labels.csv']
    assert (aside/'labels.csv').read_text().splitlines() == other
    assert_whole(table.parent, small)


def test_an_empty_folder_is_filled_at_once(small, tmp_path, monkeypatch):
    folder, rename = tmp_path/'home'/'data'/'mnist_sample', os.rename
    folder.mkdir(parents=True)
    renamed = []
    monkeypatch.setattr(os, 'rename', lambda *paths: (renamed.append(paths), rename(*paths)))
    assert mnist_sample() == folder
    assert renamed == [(folder.with_name('.mnist_sample.part'), folder)]
    assert_whole(folder, small)


def test_files_of_the_original_download_are_accepted(small):
    "Other bytes of the same pixels are no damage"
    written = mnist_sample()
    file = written/list(small)[7]
    Image.open(file).save(file, compress_level=0)
    time = file.stat().st_mtime_ns
    mnist_sample()
    assert file.stat().st_mtime_ns == time


WRITER = '''
import sys, time
from pathlib import Path
from digit_under_hood.files import mnist_sample
import fastprogress.fastprogress, filelock
print("ready", flush=True)
while not Path(sys.argv[1]).exists(): time.sleep(.005)
print(mnist_sample(), flush=True)
'''


def writers(home, n, monkeypatch):
    "`n` processes that begin at once to write the sample in `home`"
    monkeypatch.setenv('FASTAI_HOME', str(home))
    started = [python(WRITER, str(home/'go')) for _ in range(n)]
    for process in started: assert process.stdout.readline() == 'ready\n'
    (home/'go').touch()
    return started


def test_a_killed_writer_leaves_no_half_folder(tmp_path, sample, monkeypatch):
    folder, part = tmp_path/'data'/'mnist_sample', tmp_path/'data'/'.mnist_sample.part'/'train'/'3'
    process, = writers(tmp_path, 1, monkeypatch)
    deadline = time.monotonic() + 60
    while not part.exists() or len(os.listdir(part)) < 1000:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(.005)
    process.kill()
    process.communicate()
    assert len(os.listdir(part)) >= 1000 and not folder.exists()   # it was killed midway
    assert mnist_sample() == folder
    assert_whole(folder, sample)


def test_what_a_killed_repair_left_is_not_used(small):
    written = mnist_sample()
    part = written.with_name('.mnist_sample.part')
    for name in (list(small)[3], 'train/3/other.png'):
        (part/name).parent.mkdir(parents=True, exist_ok=True)
        (part/name).write_bytes(b'half')
    (written/list(small)[8]).unlink()
    assert mnist_sample() == written
    assert_whole(written, small)


def test_a_second_writer_waits(small, tmp_path):
    from filelock import FileLock
    lock = tmp_path/'home'/'data'/'.mnist_sample.lock'
    lock.parent.mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        with FileLock(lock):
            waiting = pool.submit(mnist_sample)
            time.sleep(.3)
            assert not waiting.done() and os.listdir(lock.parent) == [lock.name]
        assert_whole(waiting.result(timeout=30), small)


def test_those_who_waited_do_not_read_it_again(small, monkeypatch):
    looked, holds = [], files._holds
    monkeypatch.setattr(files, '_holds', lambda *args: looked.append(args) or holds(*args))
    lock = mnist_sample().with_name('.mnist_sample.lock')
    shutil.rmtree(lock.with_name('mnist_sample'))
    from filelock import FileLock
    with ThreadPoolExecutor() as pool:
        with FileLock(lock):
            waiting = [pool.submit(mnist_sample) for _ in range(3)]
            deadline = time.monotonic() + 30
            while len(looked) < 5*len(small): assert time.monotonic() < deadline
        for result in waiting: result.result(timeout=30)
    # before: once to begin with, once by each when it was missing; then by the one who wrote it
    assert len(looked) == (2 + 3 + 1)*len(small)


@pytest.mark.long
def test_two_writers_at_once(tmp_path, sample, monkeypatch):
    folder = tmp_path/'data'/'mnist_sample'
    assert [output(process) for process in writers(tmp_path, 2, monkeypatch)] == [str(folder)]*2
    assert_whole(folder, sample)


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT])
def test_no_space_left(code, small, tmp_path, monkeypatch):
    save, seen = Image.Image.save, []
    def full(self, path):
        seen.append(path)
        if len(seen) == 9: raise OSError(code, os.strerror(code), str(path))
        save(self, path)
    monkeypatch.setattr(Image.Image, 'save', full)
    with pytest.raises(OSError, match='disk: got no space, wants 60 MB') as error: mnist_sample()
    folder = tmp_path/'home'/'data'/'mnist_sample'
    assert error.value.errno == code
    assert not seen[0].exists()
    assert os.listdir(folder.parent) in ([], ['.mnist_sample.lock'])   # nothing half written
    assert mnist_sample() == folder      # there is space again
    assert_whole(folder, small)


@pytest.mark.parametrize('stale', ['stale', None])
def test_a_whole_folder_on_a_full_disk_is_used(stale, small, monkeypatch):
    "Nothing can be written, not even the stamp"
    written = mnist_sample()
    stamp = written.with_name('.mnist_sample.stamp')
    stamp.unlink()
    if stale: stamp.write_text(stale)
    def full(self, *args): raise OSError(errno.ENOSPC, 'No space left on device', str(self))
    for name in ('write_bytes', 'write_text', 'mkdir'): monkeypatch.setattr(Path, name, full)
    assert mnist_sample() == written


def test_other_errors_are_not_hidden(small, tmp_path, monkeypatch):
    def broken(self, path): raise OSError(errno.EIO, 'Input/output error', str(path))
    monkeypatch.setattr(Image.Image, 'save', broken)
    monkeypatch.setattr(files.tempfile, 'tempdir', str(tmp_path))
    with (pytest.raises(OSError, match='Input/output error'),
          pytest.warns(UserWarning, match='Input/output error')): mnist_sample()


def test_a_damaged_archive_is_no_reason_to_look_elsewhere(tmp_path, monkeypatch, recwarn):
    monkeypatch.setenv('FASTAI_HOME', str(tmp_path))
    def damaged(*args): raise OSError('mnist.npz: got SHA-256 0, wants 1')
    monkeypatch.setattr(files, 'read_arrays', damaged)
    with pytest.raises(OSError, match='got SHA-256'): mnist_sample()
    assert not recwarn.list


def unwritable(kind, tmp_path):
    "A home in which nothing can be written, for root either"
    if kind == 'below a file':
        (tmp_path/'file').write_text('')
        return tmp_path/'file'/'home'
    if kind == 'a loop': (tmp_path/'home').symlink_to('home')
    if kind == 'read-only file system':
        if sys.platform != 'linux': pytest.skip('needs /sys')
        return Path('/sys/fastai')
    if kind == 'read-only folder':
        if sys.platform == 'win32' or os.geteuid() == 0: pytest.skip('root may write anywhere')
        (tmp_path/'home').mkdir(mode=0o555)
    return tmp_path/'home'


@pytest.mark.parametrize('kind', ['below a file', 'a loop', 'read-only file system',
                                  'read-only folder'])
def test_a_home_that_cannot_be_written(kind, small, tmp_path, monkeypatch):
    home = unwritable(kind, tmp_path)
    monkeypatch.setenv('FASTAI_HOME', str(home))
    monkeypatch.setattr(files.tempfile, 'tempdir', str(tmp_path))
    with pytest.warns(UserWarning, match='FASTAI_HOME: got .*, wants') as warned:
        folder = mnist_sample()
    assert folder.parents[1] == tmp_path and str(folder) in str(warned[0].message)
    assert warned[0].filename == __file__
    assert 'FASTAI_HOME=' not in str(warned[0].message)   # no settings in a shared place
    assert_whole(folder, small)
    if os.name == 'posix':                               # the next one finds it
        with pytest.warns(UserWarning): assert mnist_sample() == folder


@pytest.mark.skipif(os.name != 'posix', reason='other systems keep these folders apart by user')
@pytest.mark.parametrize('kind', [
    'own', "a stranger's", 'open to others', 'readable', 'link', 'file', 'fifo', 'loop'])
def test_only_a_private_folder_is_used_among_temporary_files(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(files.tempfile, 'tempdir', str(tmp_path))
    own = files._own_folder()
    assert own.parent == tmp_path and own.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(own)
    if kind == 'own': own.mkdir(mode=0o700)
    if kind == "a stranger's":
        own.mkdir(mode=0o700)
        real = Path.lstat                      # as if another user had made it
        def strange(self):
            facts = list(real(self))
            facts[4] += self == own
            return os.stat_result(facts)
        monkeypatch.setattr(Path, 'lstat', strange)
    if kind == 'open to others':
        own.mkdir()
        own.chmod(0o777)
    if kind == 'readable':
        own.mkdir()
        own.chmod(0o755)
    if kind == 'link':
        (tmp_path/'other').mkdir(mode=0o700)
        own.symlink_to('other')
    if kind == 'file': own.write_text('')
    obstacle(kind, own)
    found = files._own_folder()
    assert (found == own) == (kind == 'own')
    assert found.is_dir() and not found.is_symlink()
    assert found.stat().st_mode & 0o777 == 0o700 and found.stat().st_uid == os.getuid()


@pytest.mark.parametrize('error', [RuntimeError('Could not determine home directory.')])
def test_no_home_at_all(error, small, tmp_path, monkeypatch):
    "As where the user has no entry among the system's users, and HOME is not set"
    monkeypatch.delenv('FASTAI_HOME')
    def unknown(self): raise error
    monkeypatch.setattr(Path, 'expanduser', unknown)
    monkeypatch.setattr(files.tempfile, 'tempdir', str(tmp_path))
    with pytest.warns(UserWarning, match='home directory'): folder = mnist_sample()
    assert folder.parents[1] == tmp_path
    assert_whole(folder, small)


@pytest.mark.parametrize('text', ['no section', '[DEFAULT]\ndata = %(gone)s', '[DEFAULT'])
def test_a_config_that_cannot_be_read(text, small, tmp_path, monkeypatch):
    (tmp_path/'home').mkdir()
    (tmp_path/'home'/'config.ini').write_text(text)
    monkeypatch.setattr(files.tempfile, 'tempdir', str(tmp_path))
    with pytest.warns(UserWarning, match='FASTAI_HOME: got'): folder = mnist_sample()
    assert_whole(folder, small)


def test_a_whole_folder_in_a_read_only_home_is_used(small, tmp_path, monkeypatch):
    folder = mnist_sample()
    folder.with_name('.mnist_sample.stamp').unlink()
    import filelock
    def read_only(*args, **kwargs): raise PermissionError(errno.EACCES, 'Permission denied')
    monkeypatch.setattr(filelock, 'FileLock', read_only)
    assert mnist_sample() == folder
    (folder/next(iter(small))).unlink()               # but not a damaged one
    monkeypatch.setattr(files.tempfile, 'tempdir', str(tmp_path))
    with pytest.raises(PermissionError), pytest.warns(UserWarning): mnist_sample()


@pytest.mark.skipif(sys.platform == 'win32', reason='links need a privilege')
def test_a_linked_folder_stays_a_link(small, tmp_path):
    (tmp_path/'disk'/'mnist').mkdir(parents=True)
    (tmp_path/'home'/'data').mkdir(parents=True)
    link = tmp_path/'home'/'data'/'mnist_sample'
    link.symlink_to(tmp_path/'disk'/'mnist')
    assert mnist_sample() == link and link.is_symlink()
    assert_whole(link.resolve(), small)
    # what is renamed was written on the same disk
    assert (tmp_path/'disk'/'.mnist.stamp').exists() and os.listdir(link.parent) == [link.name]

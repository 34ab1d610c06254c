"The data: MNIST to the last byte, and a folder of files that survives what can happen to it."
import errno
import os
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import digit_under_hood.data as data
from digit_under_hood.data import image_numbers, load_digits, mnist_sample, read_arrays

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
    return data._sample()


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
    monkeypatch.setattr(data, '_sample', lambda: chosen)
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


# The archive

@pytest.fixture(scope='module')
def published(tmp_path_factory):
    "The four files as MNIST was published, rebuilt from the archive"
    folder = tmp_path_factory.mktemp('published')
    for split, name in FILES.items():
        labels, *blocks = read_arrays([f'{split}_labels', *(f'{split}_{d}' for d in range(10))])
        images = np.empty((len(labels), 28, 28), np.uint8)
        for digit, block in enumerate(blocks): images[labels == digit] = block
        data.write_idx(images, folder/f'{name}-images-idx3-ubyte')
        data.write_idx(labels, folder/f'{name}-labels-idx1-ubyte')
    return folder


@pytest.mark.parametrize('name', PUBLISHED)
def test_published_file_is_rebuilt_to_the_byte(name, published):
    assert sha256((published/name).read_bytes()).hexdigest() == PUBLISHED[name]


@pytest.mark.skipif(not (ROOT/'tools').exists(), reason='only in the repository')
def test_archive_is_what_the_tool_packs(published, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT/'tools')
    import pack_mnist
    again = pack_mnist.pack(published, tmp_path/'mnist.npz', level=1)
    with np.load(again) as new, np.load(data.ARCHIVE) as old:
        assert new.files == old.files
        for name in old.files: assert np.array_equal(new[name], old[name])


def test_checksum_in_the_library_is_that_of_the_archive():
    assert sha256(data.ARCHIVE.read_bytes()).hexdigest() == data.ARCHIVE_SHA256


def damage(kind, raw):
    if kind == 'one bit': raw[5_000_000] ^= 1
    if kind == 'truncated': del raw[6_000_000:]
    if kind == 'empty': raw.clear()
    if kind == 'not a zip': raw[:] = b'<!doctype html><title>Sign in</title>'
    return raw


@pytest.mark.parametrize('kind', ['one bit', 'truncated', 'empty', 'not a zip'])
def test_damaged_archive_is_named(kind, tmp_path):
    broken = tmp_path/'mnist.npz'
    broken.write_bytes(damage(kind, bytearray(data.ARCHIVE.read_bytes())))
    with pytest.raises(OSError) as error:
        read_arrays([f'{split}_{digit}' for split in FILES for digit in range(10)], broken)
    message = str(error.value)
    for part in (str(broken), sha256(broken.read_bytes()).hexdigest(), data.ARCHIVE_SHA256):
        assert part in message
    assert 'Install digit_under_hood again' in message


def flip(path, place):
    "Change one bit of the byte of `path` at `place`"
    with open(path, 'r+b') as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 16]))


def test_no_damage_gives_wrong_pixels(tmp_path):
    "A flipped bit is noticed; only of a member's last bytes some hold nothing that is needed"
    broken, noticed = Path(shutil.copy(data.ARCHIVE, tmp_path)), 0
    with zipfile.ZipFile(data.ARCHIVE) as archive: members = archive.infolist()
    for member in members:
        name, start = member.filename.removesuffix('.npy'), member.header_offset + 30
        end = start + len(member.filename) + member.compress_size
        for place in ((start + end)//2, end - 3, end - 1):
            flip(broken, place)
            try: assert np.array_equal(*read_arrays([name], broken), *read_arrays([name])), place
            except OSError as error:
                assert 'is damaged' in str(error)
                noticed += place < end - 3
            flip(broken, place)
    assert noticed == len(members)


def test_missing_archive_is_named(tmp_path):
    with pytest.raises(OSError, match='missing'): read_arrays(['train_3'], tmp_path/'gone.npz')


def test_other_faults_do_not_blame_the_archive():
    with pytest.raises(KeyError, match='train_12'): read_arrays(['train_12'])


# Tensors

def test_all_digits_in_both_splits():
    for split, n in (('train', 60_000), ('valid', 10_000)):
        images, labels = load_digits(split=split, scaled=False)
        published, = read_arrays([f'{split}_labels'])
        assert images.shape == (n, 28, 28) and images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert labels.bincount().tolist() == np.bincount(published).tolist()


def test_scaled_is_a_255th():
    whole, scaled = load_digits([7, 3], 'valid', scaled=False), load_digits([7, 3], 'valid')
    assert scaled[0].dtype == torch.float32
    assert torch.equal(scaled[0], whole[0].float()/255)
    assert scaled[0].min() == 0 and scaled[0].max() == 1
    assert torch.equal(whole[1], scaled[1])
    assert scaled[1].tolist() == [7]*1028 + [3]*1010


def test_tensors_are_the_callers_own():
    "Changed in place, they do not change what the next call returns"
    for scaled in (True, False):
        first = load_digits(3, 'valid', scaled)[0]
        before = first.clone()
        first.zero_()
        assert torch.equal(load_digits(3, 'valid', scaled)[0], before)


@pytest.mark.parametrize('digits', [3, [3], (3,), iter([3]), range(3, 4), np.int64(3),
                                    np.array([3]), torch.tensor([3])])
def test_digits_may_come_as_any_numbers(digits):
    assert load_digits(digits, 'valid')[0].shape == (1010, 28, 28)


@pytest.mark.parametrize('digits, named', [
    ([3, 10], '10'), ([-1], '-1'), ('37', "'3'"), ([3.5], '3.5'), (None, 'None'), ([], 'some of')])
def test_unknown_digit(digits, named):
    with pytest.raises(ValueError, match='digits: got') as error: load_digits(digits)
    assert named in str(error.value)


@pytest.mark.parametrize('split', ['test', 'Train', '', None, 0])
def test_unknown_split(split):
    for function in (load_digits, image_numbers):
        with pytest.raises(ValueError, match='wants train or valid') as error: function(3, split)
        assert repr(split) in str(error.value)


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory():
    "All 3s and 7s take at most 150 MB over what torch takes, at their peak"
    code = '''
import re, torch
import digit_under_hood.data as data
def kib(key): return int(re.search(key + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")    # the peak starts anew
before = kib("VmRSS")
pixels = [data.load_digits([3, 7], split) for split in ("train", "valid")]
print((kib("VmHWM") - before)/1024)
'''
    assert 40 < float(output(python(code))) < 150   # the pixels alone, as floats, are 43 MB


# idx

@pytest.mark.parametrize('shape', [(0,), (5,), (0, 28, 28), (2, 3, 4), (1, 1, 1)])
def test_idx_round_trip(shape, tmp_path):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    data.write_idx(array, tmp_path/'idx')
    raw = (tmp_path/'idx').read_bytes()
    assert len(raw) == 4 + 4*len(shape) + array.size
    for source in (tmp_path/'idx', str(tmp_path/'idx'), raw):
        back = data.read_idx(source)
        assert back.shape == shape and back.dtype == np.uint8 and np.array_equal(back, array)
    for end in range(len(raw)):    # broken off anywhere
        with pytest.raises(ValueError, match='source: '): data.read_idx(raw[:end])
    with pytest.raises(ValueError, match='source: '): data.read_idx(raw + b'1')


def test_idx_agrees_with_torchvision(published):
    mnist = pytest.importorskip('torchvision.datasets.mnist')
    theirs = mnist.read_image_file(str(published/'t10k-images-idx3-ubyte'))
    assert np.array_equal(data.read_idx(published/'t10k-images-idx3-ubyte'), theirs)


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
    monkeypatch.setattr(data, '_holds', lambda *args: pytest.fail('a file was read'))
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
    assert data._fastai_data() == home/HOMES[config].format(there=tmp_path)


def test_fastai_finds_the_folder(home):
    "`untar_data` returns our folder and touches no network, whatever the home and its config.ini"
    code = '''
import os, socket, sys
from fastai.data.external import fastai_cfg, fastai_path, untar_data, URLs
from digit_under_hood.data import _fastai_data, mnist_sample
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
    code = ['import digit_under_hood.data as data', 'sum(data._progress(list(range(2000))))']
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

    assert mnist_sample() == written

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
    assert mnist_sample() == written
    assert_whole(written, small)


def test_files_of_the_original_download_are_accepted(small):
    "Other bytes of the same pixels, and a table in another order, are no damage"
    written = mnist_sample()
    file, table = written/list(small)[7], written/'labels.csv'
    Image.open(file).save(file, compress_level=0)
    header, *rows = table.read_text().splitlines()
    table.write_text('\n'.join([header, *rows[::-1]]))
    times = file.stat().st_mtime_ns, table.stat().st_mtime_ns
    mnist_sample()
    assert (file.stat().st_mtime_ns, table.stat().st_mtime_ns) == times


WRITER = '''
import sys, time
from pathlib import Path
from digit_under_hood.data import mnist_sample
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
    with pytest.raises(OSError, match='60 MB.*set FASTAI_HOME') as error: mnist_sample()
    folder = tmp_path/'home'/'data'/'mnist_sample'
    assert (error.value.errno, error.value.filename) == (code, str(folder))
    assert not seen[0].exists()
    assert os.listdir(folder.parent) in ([], ['.mnist_sample.lock'])   # nothing half written
    assert mnist_sample() == folder      # there is space again
    assert_whole(folder, small)


def test_other_errors_are_not_hidden(small, monkeypatch):
    def broken(self, path): raise OSError(errno.EIO, 'Input/output error', str(path))
    monkeypatch.setattr(Image.Image, 'save', broken)
    with pytest.raises(OSError, match='Input/output error'): mnist_sample()


def unwritable(kind, tmp_path):
    "A home in which nothing can be written, for root either"
    if kind == 'below a file':
        (tmp_path/'file').write_text('')
        return tmp_path/'file'/'home'
    if kind == 'read-only file system':
        if sys.platform != 'linux': pytest.skip('needs /sys')
        return Path('/sys/fastai')
    if sys.platform == 'win32' or os.geteuid() == 0: pytest.skip('root may write anywhere')
    (tmp_path/'home').mkdir(mode=0o555)
    return tmp_path/'home'


@pytest.mark.parametrize('kind', ['below a file', 'read-only file system', 'read-only folder'])
def test_a_home_that_cannot_be_written(kind, small, tmp_path, monkeypatch):
    home = unwritable(kind, tmp_path)
    monkeypatch.setenv('FASTAI_HOME', str(home))
    monkeypatch.setattr(data.tempfile, 'tempdir', str(tmp_path))
    with pytest.warns(UserWarning, match='cannot be written') as warned: folder = mnist_sample()
    other = folder.parents[1]
    assert other.parent == tmp_path and folder == other/'data'/'mnist_sample'
    assert f'{home/"data"/"mnist_sample"}' in str(warned[0].message)
    assert f'FASTAI_HOME={other}' in str(warned[0].message)
    assert_whole(folder, small)
    monkeypatch.setenv('FASTAI_HOME', str(other))    # what the warning says: then all is silent
    assert mnist_sample() == folder


def test_a_whole_folder_in_a_read_only_home_is_used(small, tmp_path, monkeypatch):
    folder = mnist_sample()
    folder.with_name('.mnist_sample.stamp').unlink()
    import filelock
    def read_only(*args, **kwargs): raise PermissionError(errno.EACCES, 'Permission denied')
    monkeypatch.setattr(filelock, 'FileLock', read_only)
    assert mnist_sample() == folder
    (folder/next(iter(small))).unlink()               # but not a damaged one
    monkeypatch.setattr(data.tempfile, 'tempdir', str(tmp_path))
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

"The package as others get it: built from the tree and from its source package, installed, used."
import ast
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from configparser import ConfigParser
from html.parser import HTMLParser
from importlib.metadata import PackageNotFoundError, files, requires
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from jupyter_server.config_manager import BaseJSONConfigManager
from markdown_it import MarkdownIt
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_lab import served

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT/'digit_under_hood'
LEFT_OUT = ('.git', '.venv*', '_docs', '_proc', 'build', 'dist', '*.egg-info', '__pycache__')
settings = ConfigParser()
settings.read(ROOT/'settings.ini', encoding='utf-8')
cfg = settings['DEFAULT']


def run(*command: object, **kwargs) -> str:
    "What `command` printed; it has to succeed"
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> dict[str, Path]:
    "The source package, the wheel made from it, and the wheel made from the tree"
    folder = tmp_path_factory.mktemp('built')
    shutil.copytree(ROOT, folder/'tree', ignore=shutil.ignore_patterns(*LEFT_OUT))
    build = (sys.executable, '-m', 'build', '--no-isolation', folder/'tree', '--outdir')
    run(*build, folder/'dist')
    run(*build, folder/'direct', '--wheel')
    made = {'sdist': 'dist/*.tar.gz', 'wheel': 'dist/*.whl', 'direct': 'direct/*.whl'}
    return {name: next(folder.glob(pattern)) for name, pattern in made.items()}


@pytest.fixture(scope='module')
def metadata(built) -> Metadata:
    with zipfile.ZipFile(built['wheel']) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith('.dist-info/METADATA'))
        return Metadata.from_email(wheel.read(name))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_of_the_source_package_equals_that_of_the_tree(built):
    wheel = contents(built['wheel'])
    assert wheel == contents(built['direct'])
    library = {path.relative_to(ROOT).as_posix() for path in LIBRARY.rglob('*')
               if path.is_file() and '__pycache__' not in path.parts}
    course = {path.relative_to(ROOT).as_posix() for path in (
        *ROOT.glob('nbs/[0-9]*_*.ipynb'), *ROOT.glob('nbs/[a-z]_*.ipynb'),
        *ROOT.glob('jupyter/**/*'), *ROOT.glob('website/static/fonts/*'))
        if path.is_file() and path.suffix != '.pyc'}
    assert len(course) > 30   # the chapters, and JupyterLab's settings for them
    library |= {f'digit_under_hood/course/{name}' for name in course}
    assert library == {name for name in wheel if name.startswith('digit_under_hood/')}
    assert not any(name.startswith(('tests/', 'tools/', 'nbs/', 'website/')) for name in wheel)


def test_source_package_holds_what_it_is_built_from_and_no_more(built):
    with tarfile.open(built['sdist']) as sdist:
        names = [name.partition('/')[2] for name in sdist.getnames() if '/' in name]
    tops = {name.partition('/')[0] for name in names}
    assert {'settings.ini', 'setup.py', 'pyproject.toml', 'README.md', 'LICENSE'} <= tops
    assert not tops & {'tests', 'tools', '.github', 'Makefile'}
    assert {name for name in names if name.startswith('website/s')} == {
        f'website/static/fonts/{path.name}' for path in ROOT.glob('website/static/fonts/*')} | {
        'website/static', 'website/static/fonts'}
    assert not [name for name in names if name.startswith('nbs/') and name[-6:] != '.ipynb']


def test_twine_is_content(built):
    said = run(sys.executable, '-m', 'twine', 'check', '--strict', built['sdist'], built['wheel'])
    assert said.count('PASSED') == 2


class Links(HTMLParser):
    "Collects where links and pictures point to"
    def __init__(self, html: str):
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, value or '') for name, value in attrs if name in ('href', 'src')]


def described(folder: Path, published: bool) -> Metadata:
    "What the package says of itself if `settings.ini` says whether it is `published`"
    for name in ('setup.py', 'README.md'): shutil.copy(ROOT/name, folder)
    text = (ROOT/'settings.ini').read_text(encoding='utf-8')
    text = re.sub(r'^published = .*$', f'published = {published}', text, flags=re.M)
    (folder/'settings.ini').write_text(text, encoding='utf-8')
    run(sys.executable, 'setup.py', '-q', 'egg_info', cwd=folder)
    [made] = folder.glob('*.egg-info/PKG-INFO')
    return Metadata.from_email(made.read_bytes(), validate=False)


def test_until_it_is_published_the_package_names_no_address(tmp_path):
    metadata = described(tmp_path, False)
    assert not (metadata.home_page or metadata.project_urls or metadata.author_email)
    text = metadata.description or ''
    html = MarkdownIt('commonmark').enable('table').render(text)
    assert all(link.startswith(('https://', '#')) for _, link in Links(html).found)
    assert 'git clone' not in text and not re.search(r'digit-under-hood(/|\.github)', text)
    assert 'the same command' in text.lower() and '](' not in re.sub(r'\]\((https:|#)', '', text)


def test_long_description_needs_no_repository_beside_it(tmp_path):
    "On a package index nothing lies beside the text: pictures and links name their whole address"
    metadata = described(tmp_path, True)
    assert metadata.home_page == cfg['git_url'] and len(metadata.project_urls or ()) == 1
    assert metadata.author_email == cfg['author_email']
    html = MarkdownIt('commonmark').enable('table').render(metadata.description or '')
    found = Links(html).found
    here = re.escape(metadata.home_page or '')
    files = {tag: set() for tag, _ in found}
    for tag, link in found:
        if link.startswith('#'): continue
        assert link.startswith('https://'), link
        if kept := re.fullmatch(f'{here}/(blob|raw)/{cfg["branch"]}/(.+)', link):
            assert kept[1] == ('raw' if tag == 'img' else 'blob')
            assert (ROOT/kept[2]).exists(), link
            files[tag].add(kept[2])
    assert len(files['img']) >= 1 and len(files['a']) >= 8


def test_metadata_says_what_the_settings_say(metadata):
    assert (metadata.name, str(metadata.version)) == (cfg['lib_name'], cfg['version'])
    assert metadata.summary == cfg['description'] and metadata.author == cfg['author']
    assert metadata.license_expression == cfg['license_expression']
    assert {'LICENSE', 'OFL.txt'} <= {Path(file).name for file in metadata.license_files}
    assert str(metadata.requires_python) == f'>={cfg["min_python"]}'
    required = metadata.requires_dist or []
    core = {r.name for r in required if not r.marker}
    course = {r.name for r in required if r.marker and r.marker.evaluate({'extra': 'course'})}
    dev = {r.name for r in required if r.marker and r.marker.evaluate({'extra': 'dev'})}
    assert core == names(cfg['requirements'])
    assert {'fastai', 'fastbook', 'jupyterlab', 'matplotlib', 'pandas', 'torchvision'} <= course
    assert not course & {'nbdev', 'playwright', 'pyright', 'pytest'}
    assert course < dev and {'nbdev', 'pytest', 'build', 'twine'} <= dev


def test_learners_may_choose_the_torch_without_a_graphics_card(tmp_path):
    "As README says: pip gets the flags, and learners install the extra `course` alone"
    flags = '--extra-index-url https://example.org/cpu'
    said = subprocess.run(['make', '-n', f'VENV={tmp_path}', f'PIP_FLAGS={flags}', 'lab'],
                          cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split('install ')[1] for line in said.splitlines() if 'pip install' in line] == [
        f"{flags} -e '.[course]'"]
    assert 'make lab PIP_FLAGS="--extra-index-url' in (ROOT/'README.md').read_text('utf-8')


def test_workflows_test_the_versions_that_the_package_claims(metadata):
    workflow = yaml.safe_load((ROOT/'.github/workflows/test.yaml').read_text(encoding='utf-8'))
    tested = workflow['jobs']['test']['strategy']['matrix']['python']
    claimed = [c.rpartition(' ')[2] for c in metadata.classifiers or [] if 'Python :: 3.' in c]
    assert tested == claimed
    assert (claimed[0], claimed[-1]) == (cfg['min_python'], cfg['max_python'])


# Installed where nothing else is

def names(requirements: str) -> set[str]:
    "The distributions that `requirements` names"
    return {canonicalize_name(Requirement(text).name) for text in requirements.split()}


def closure(new: set[str]) -> set[str]:
    "Distributions and all that they require, as far as it is installed here"
    known: set[str] = set()
    while new - known:
        name = (new - known).pop()
        known.add(name)
        try: needs = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError: continue   # for another system
        new = new | {canonicalize_name(need.name) for need in needs
                     if not need.marker or need.marker.evaluate({'extra': ''})}
    return known


def modules(distributions: set[str]) -> set[str]:
    "The top-level modules that `distributions` install"
    found: set[str] = set()
    for name in distributions:
        try: paths = files(name) or []
        except PackageNotFoundError: continue
        code = [path for path in paths if path.suffix in ('.py', '.so', '.pyd')]
        found |= {path.parts[0].partition('.')[0] for path in code}
    return found


USE = """
import sys
sys.modules.update(dict.fromkeys({absent!r}))   # importing them fails, as where they are missing
from importlib import import_module
from pathlib import Path
import digit_under_hood
assert Path(digit_under_hood.__file__).is_relative_to(sys.prefix), digit_under_hood.__file__
for name in {chapters!r}: import_module('digit_under_hood.' + name)
from digit_under_hood.data import load_digits, mnist_sample
assert len(load_digits(3, 'valid')[0]) == 1010
assert len(list(mnist_sample().glob('valid/7/*.png'))) == 1028
import contextlib, io
from digit_under_hood.command import main
with contextlib.redirect_stderr(io.StringIO()) as said:
    try: main(['lab'])
    except SystemExit as left: assert left.code == 1
assert 'wants pip install "digit_under_hood[course]"' in said.getvalue()
"""


@pytest.mark.parametrize('which', ['wheel', pytest.param('direct', marks=pytest.mark.long)])
def test_works_where_only_the_core_requirements_are(built, tmp_path, which):
    teachers = tmp_path/'env/etc/jupyter/labconfig/default_setting_overrides.json'
    mine = json.dumps({'a-teachers': {'own': 1}})
    teachers.parent.mkdir(parents=True)
    teachers.write_text(mine)
    venv.create(tmp_path/'env', symlinks=sys.platform != 'win32')
    python = tmp_path/'env'/('Scripts/python.exe' if sys.platform == 'win32' else 'bin/python')
    run(sys.executable, '-m', 'pip', '--python', python, 'install', '--quiet', '--no-deps',
        '--no-index', built[which])

    shared = sysconfig.get_path('purelib')
    absent = sorted({module.name for module in pkgutil.iter_modules([shared])}
                    - modules(closure(names(cfg['requirements']))))
    assert {'fastai', 'IPython', 'fastprogress', 'matplotlib', 'nbdev'} <= set(absent)
    code = USE.format(absent=absent, chapters=[path.stem for path in LIBRARY.glob('[a-z]*.py')])
    run(python, '-c', code, cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': shared, 'FASTAI_HOME': str(tmp_path/'home')})

    assert teachers.read_text() == mine   # and ours lies beside it, in a file of its own
    manager = BaseJSONConfigManager(config_dir=str(teachers.parent))
    assert {'a-teachers', '@jupyterlab/apputils-extension:kernels-settings'} == set(
        manager.get('default_setting_overrides'))


def test_a_wheel_is_enough_to_take_the_course(built, tmp_path):
    "The command in an empty folder: chapters to work in, and JupyterLab with the course's looks"
    venv.create(tmp_path/'env', symlinks=sys.platform != 'win32')
    scripts = tmp_path/('env/Scripts' if sys.platform == 'win32' else 'env/bin')
    run(sys.executable, '-m', 'pip', '--python', scripts/'python', 'install', '--quiet',
        '--no-deps', '--no-index', built['wheel'])
    (tmp_path/'empty').mkdir()
    command = [str(scripts/'digit-under-hood'), 'lab', '--flags=@ --no-browser']
    with served(tmp_path/'empty', command,
                PYTHONPATH=sysconfig.get_path('purelib'), JUPYTER_DATA_DIR=str(tmp_path/'own'),
                JUPYTER_CONFIG_PATH='', JUPYTERLAB_DIR=f'{sys.prefix}/share/jupyter/lab') as lab:
        def get(path): return urlopen(lab.removesuffix('/lab') + path, timeout=30).read()
        shown = {entry['name'] for entry in json.loads(get('/api/contents'))['content']}
        assert shown >= {path.name for path in ROOT.glob('nbs/[0-9]*_*.ipynb')}
        assert b'Course Serif' in get('/custom/custom.css')
        assert get('/custom/fonts/source-serif-4.woff2')[:4] == b'wOF2'
    first = (tmp_path/'empty/course/00_data.ipynb').read_text(encoding='utf-8')
    assert 'digit-under-hood lab --reset 00' in first


def test_who_takes_the_course_gets_what_was_tested():
    "A version that the tools of the checks ask for is the one that the course asks for"
    def versions(requirements: str) -> dict:
        return {found.name: found.specifier for found in map(Requirement, requirements.split())}
    asked = versions(f"{cfg['requirements']} {cfg['course_requirements']}")
    tested = versions(cfg['dev_requirements'])
    assert {'fastcore', 'nbformat'} <= asked.keys()
    for name in asked.keys() & tested.keys():
        one = str(tested[name]).removeprefix('==')   # the one version that makes the site's pages
        assert asked[name] == tested[name] or one in asked[name], name


def test_what_is_imported_is_required():
    "At the top of a module only core requirements; in a function also those of the course"
    core = modules(names(cfg['requirements'])) | sys.stdlib_module_names
    course = modules(names(cfg['course_requirements'])) | core | {LIBRARY.name}
    for path in LIBRARY.glob('[a-z]*.py'):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import): imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level: imported = [node.module or '']
            else: continue
            allowed = core if node in tree.body else course
            assert {name.split('.')[0] for name in imported} <= allowed, path.name

"Installs the library; what it says comes from `settings.ini` and `README.md`."
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

STATUS = ('1 - Planning', '2 - Pre-Alpha', '3 - Alpha', '4 - Beta', '5 - Production/Stable',
          '6 - Mature', '7 - Inactive')
# What `digit-under-hood lab` needs beside the library, in a wheel under `course`
COURSE = ('nbs/[0-9]*_*.ipynb', 'nbs/[a-z]_*.ipynb', 'jupyter/**/*', 'website/static/fonts/*')
here = Path(__file__).parent
parser = ConfigParser()
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
lib, published = cfg['lib_path'], cfg.getboolean('published')
addresses = {'author_email': cfg['author_email'], 'url': cfg['git_url'],   # of nobody until then
             'project_urls': {'Documentation': cfg['doc_host'] + cfg['doc_baseurl']}}


def absolute(link):
    "The Markdown `link` from the top of the repository, so that it works on any page, or its text"
    picture, text, path = link.groups()
    if not published: return '' if picture else text
    kind = 'raw' if picture else 'blob'
    return f'{picture}[{text}]({cfg["git_url"]}/{kind}/{cfg["branch"]}/{path})'


def python_versions():
    "The versions from `min_python` to `max_python`"
    (major, first), (_, last) = (cfg[key].split('.') for key in ('min_python', 'max_python'))
    return [f'{major}.{minor}' for minor in range(int(first), int(last) + 1)]


class WithCourse(build_py):
    "Puts the chapters, and how JupyterLab shows them, into the package"
    def course(self):
        found = [path for pattern in COURSE for path in sorted(Path().glob(pattern))]
        return [path for path in found if path.is_file() and path.suffix != '.pyc']

    def get_source_files(self): return super().get_source_files() + [*map(str, self.course())]

    def run(self):
        super().run()
        if self.editable_mode: return   # there they are found where they lie
        for path in self.course():
            there = Path(self.build_lib, lib, 'course', path)
            self.mkpath(str(there.parent))
            self.copy_file(str(path), str(there))


core, course, dev = (cfg[key].split() for key in
                     ('requirements', 'course_requirements', 'dev_requirements'))
readme = (here/'README.md').read_text(encoding='utf-8')

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=re.sub(r'(!?)\[([^]]*)\]\((?![a-z]+:|#)([^)]*)\)', absolute, readme),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    **(addresses if published else {}),
    keywords=cfg['keywords'].split(),
    license_expression=cfg['license_expression'],
    license_files=['LICENSE', f'{lib}/data/LICENSE*', 'website/static/fonts/OFL.txt'],
    classifiers=[
        f'Development Status :: {STATUS[int(cfg["status"]) - 1]}',
        f'Intended Audience :: {cfg["audience"]}',
        f'Natural Language :: {cfg["language"]}',
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: {version}' for version in python_versions()),
    ],
    packages=find_packages(include=[lib, f'{lib}.*']),
    package_data={lib: ['data/*', 'weights/*', 'explorables/*.js', '*.mplstyle']},
    data_files=[('etc/jupyter/labconfig/default_setting_overrides.d',
                 ['jupyter/labconfig/default_setting_overrides.d/digit_under_hood.json'])],
    python_requires=f'>={cfg["min_python"]}',
    install_requires=core,
    extras_require={'course': course, 'dev': course + dev},
    entry_points={'nbdev': [f'{lib}={lib}._modidx:d'], 'console_scripts': [cfg['console_scripts']]},
    cmdclass={'build_py': WithCourse},
    zip_safe=False,
)

"Installs the library; what it says comes from `settings.ini` and `README.md`."
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

STATUS = ('1 - Planning', '2 - Pre-Alpha', '3 - Alpha', '4 - Beta', '5 - Production/Stable',
          '6 - Mature', '7 - Inactive')
here = Path(__file__).parent
parser = ConfigParser()
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
lib, site = cfg['lib_path'], cfg['doc_host'] + cfg['doc_baseurl']


def absolute(link):
    "The Markdown `link` from the top of the repository, as one that works on any page"
    kind = 'raw' if link[1] else 'blob'
    return f'{link[1]}{link[2]}({cfg["git_url"]}/{kind}/{cfg["branch"]}/'


def python_versions():
    "The versions from `min_python` to `max_python`"
    (major, first), (_, last) = (cfg[key].split('.') for key in ('min_python', 'max_python'))
    return [f'{major}.{minor}' for minor in range(int(first), int(last) + 1)]


core, course, dev = (cfg[key].split() for key in
                     ('requirements', 'course_requirements', 'dev_requirements'))
readme = (here/'README.md').read_text(encoding='utf-8')

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=re.sub(r'(!?)(\[[^]]*\])\((?![a-z]+:|#)', absolute, readme),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    url=cfg['git_url'],
    project_urls={'Documentation': site},
    keywords=cfg['keywords'].split(),
    license_expression=cfg['license_expression'],
    license_files=['LICENSE', f'{lib}/data/LICENSE*'],
    classifiers=[
        f'Development Status :: {STATUS[int(cfg["status"]) - 1]}',
        f'Intended Audience :: {cfg["audience"]}',
        f'Natural Language :: {cfg["language"]}',
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: {version}' for version in python_versions()),
    ],
    packages=find_packages(include=[lib, f'{lib}.*']),
    package_data={lib: ['data/*', 'explorables/*.js', '*.mplstyle']},
    data_files=[('etc/jupyter/labconfig/default_setting_overrides.d',
                 ['jupyter/labconfig/default_setting_overrides.d/digit_under_hood.json'])],
    python_requires=f'>={cfg["min_python"]}',
    install_requires=core,
    extras_require={'course': course, 'dev': course + dev},
    entry_points={'nbdev': [f'{lib}={lib}._modidx:d']},
    zip_safe=False,
)

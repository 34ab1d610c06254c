"Installs the library; every value comes from `settings.ini`."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser()
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=(here/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    url=cfg['git_url'],
    keywords=cfg['keywords'].split(),
    license='Apache-2.0 AND CC-BY-SA-3.0',
    license_files=['LICENSE', 'digit_under_hood/data/LICENSE'],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Education',
        f'Natural Language :: {cfg["language"]}',
        'Programming Language :: Python :: 3',
    ],
    packages=find_packages(include=[cfg['lib_path'], cfg['lib_path'] + '.*']),
    package_data={cfg['lib_path']: ['data/*', '*.mplstyle']},
    data_files=[('etc/jupyter/labconfig', ['jupyter/labconfig/default_setting_overrides.json'])],
    python_requires=f'>={cfg["min_python"]}',
    install_requires=cfg['requirements'].split(),
    extras_require={'dev': cfg['dev_requirements'].split()},
    entry_points={'nbdev': [f'{cfg["lib_path"]}={cfg["lib_path"]}._modidx:d']},
    zip_safe=False,
)

"What the pages say of the repository's address: none until settings.ini says `published = True`."
import re
from configparser import ConfigParser
from pathlib import Path

UNKNOWN = '# not published yet: start from a copy of the folder'
COPY = 'path/to/digit_under_hood[course]'   # what pip installs as long as there is only a copy


def address() -> str:
    "Where the published repository is; an empty string until it is"
    settings = ConfigParser()
    settings.read(Path(__file__).parents[1]/'settings.ini', encoding='utf-8')
    project = settings['DEFAULT']
    return project['git_url'] if project.getboolean('published') else ''


def addressed(
    text: str,      # Markdown
    where: str,     # the repository's address, or an empty string
) -> str:
    "Let what clones or installs the repository name its address, or a copy where it has none"
    clone = f'git clone {where}' if where else UNKNOWN
    text = re.sub(rf'^(?:git clone \S+|{re.escape(UNKNOWN)})$', clone, text, flags=re.M)
    course = f'digit_under_hood[course] @ git+{where}' if where else COPY
    return re.sub(rf'digit_under_hood\[course\] @ git\+[^\s"]+|{re.escape(COPY)}', course, text)

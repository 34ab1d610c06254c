"What the pages say of the repository's address: none until settings.ini says `published = True`."
import re
from configparser import ConfigParser
from pathlib import Path

UNKNOWN = '# not published yet: start from a copy of the folder'


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
    "Let the lines of `text` that clone the repository name its address, or say that it has none"
    clone = f'git clone {where}' if where else UNKNOWN
    return re.sub(r'^git clone \S+$', clone, text, flags=re.M)

"The index that the site's search reads."
import re
from html import unescape

from .markdown import plain


def rows(pages) -> list[list[str]]:
    "For each section of each page: page, place, heading and text"
    def text(html: str) -> str: return re.sub(r'\s+', ' ', unescape(plain(html))).strip()

    return [[page.page, section.id, text(section.heading), text(section.html)[:1600]]
            for page in pages for section in page.sections]

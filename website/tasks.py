"Tasks on a page: without a kernel, a task shows its question, and folded its hints and answer."
import json
import re
from html import escape

import numpy as np

from digit_under_hood.choose import markup
from digit_under_hood.explorable import Explorable, pack
from digit_under_hood.practice import Do, find_task, task_names
from digit_under_hood.review import Card
from digit_under_hood.tasks import CHAPTERS

from .markdown import render

ASKS = re.compile(r"^(?:task = )?practice\('([\w.]+)'\)", re.M)
ANSWERS = re.compile(r'^task\.check\(', re.M)


def folded(title: str, text: str, page) -> str:
    return f'<details><summary>{title}</summary>\n{render(text, page)}</details>\n'


def task(name: str, page) -> str:
    "HTML of a task that is answered with code; empty if it answers by itself"
    found = find_task(name)
    if not isinstance(found, Do): return ''
    about = f'Task: {escape(found.concept)}'
    hints = ''.join(folded(f'Hint {i}', hint, page) for i, hint in enumerate(found.hints, 1))
    return (f'<section class="task" aria-label="{about}">\n<p class="title">{about}</p>\n'
            f'{render(found.ask, page)}{hints}{folded("The answer", found.solution(), page)}'
            '</section>\n')


def asked(code: str, shown: list[str], page) -> tuple[str, list[str]]:
    "Of a cell that asks or answers a task: HTML of the task, and what stays of its outputs"
    if m := ASKS.search(code):
        return task(m[1], page), [html for html in shown if 'data-explorable' in html]
    return '', [] if ANSWERS.search(code) else shown


class Board(Explorable):
    "What is solved and which cards are due, for the page that shows it"
    def __init__(self):
        names = sorted(task_names(), key=lambda name: [*CHAPTERS].index(name.partition('.')[0]))
        tasks = [dict(id=task.id, chapter=f'{CHAPTERS[task.chapter]} {task.chapter}',
                      page=f'{task.chapter}.html', concept=task.concept,
                      ask=markup(Card(task.id).asked()), answer=markup(task.solution()))
                 for task in map(find_task, names)]
        data = np.frombuffer(json.dumps({'tasks': tasks}).encode(), np.uint8)
        super().__init__('review', pack(tasks=data), b'', '')

    def fallback(self) -> str: return '<p>The table and the cards need JavaScript.</p>'

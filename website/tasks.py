"Tasks on a page: without a kernel, a task shows its question, and folded its hints and answer."
import json
import re
from html import escape

import numpy as np

from digit_under_hood.choose import markup
from digit_under_hood.explorable import Explorable, pack
from digit_under_hood.practice import Do, find_task, task_names
from digit_under_hood.projects import Project
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
    if not isinstance(found, Do | Project): return ''
    kind = f'Project, {found.time}' if isinstance(found, Project) else 'Task'
    about = f'{kind}: {escape(found.concept)}'
    listed = found.steps if isinstance(found, Project) else ()
    steps = ''.join(f'- {one.says}\n' for one in listed)
    folds = [(f'Hint {i}', hint) for i, hint in enumerate(found.hints, 1)]
    if isinstance(found, Do): folds.append(('The answer', found.solution()))
    return (f'<section class="task" aria-label="{about}">\n<p class="title">{about}</p>\n'
            + render(f'{found.ask}\n\n{steps}', page)
            + ''.join(folded(*fold, page) for fold in folds) + '</section>\n')


def in_order() -> list:
    "All tasks in the order of the chapters"
    return sorted(map(find_task, task_names()), key=lambda task: [*CHAPTERS].index(task.chapter))


def notebook(task, page) -> str:
    "The name of the notebook in which a task stands"
    [path] = page.path.parent.glob(f'{CHAPTERS[task.chapter]}_*.ipynb')
    return path.name


def projects(page) -> str:
    "HTML of the projects of all chapters, each with its checklist"
    found = [task for task in in_order() if isinstance(task, Project)]
    return render('\n\n'.join(
        f'**[{CHAPTERS[task.chapter]}]({notebook(task, page)}#projects) {task.concept}**, '
        f'{task.time}. {task.ask}\n\n' + '\n'.join(f'- {one.says}' for one in task.steps)
        for task in found), page)


def asked(code: str, shown: list[str], page) -> tuple[str, list[str]]:
    "Of a cell that asks or answers a task: HTML of the task, and what stays of its outputs"
    if m := ASKS.search(code):
        return task(m[1], page), [html for html in shown if 'data-explorable' in html]
    return '', [] if ANSWERS.search(code) else shown


class Board(Explorable):
    "What is solved and which cards are due, for the page that shows it"
    def __init__(self, page):
        tasks = [dict(id=task.id, chapter=f'{CHAPTERS[task.chapter]} {task.chapter}',
                      page=page.address(notebook(task, page)), concept=task.concept,
                      ask=markup(Card(task.id).asked()), answer=markup(task.solution()),
                      card=task.card)
                 for task in in_order()]
        data = np.frombuffer(json.dumps({'tasks': tasks}).encode(), np.uint8)
        super().__init__('review', pack(tasks=data), b'', '')

    def fallback(self) -> str: return '<p>The table and the cards need JavaScript.</p>'

"What a notebook's cells are for: which teach, which only prepare, check or draw, which ask first."
import ast
import re
from collections.abc import Sequence

PREPARES = re.compile(r'plt\.style|plt\.rc|torch\.manual_seed|import |from ')
DRAWS = re.compile(r'\b(plt|ax|axes|axs|fig)\b')
# A prompt in a cell of Markdown: the words that ask the reader to commit to an answer. Not what
# a program guesses, nor a guess of our own; "A guess: ..." is a prompt if it ends in a question.
ASKS = re.compile(r'''
    (?<!than\ ) (?<!\ba\ ) (?<!to\ ) (?<!your\ ) \b guess \b
  | \ba\ guess (?: \ from\ you \b | :[^.!]*\? )
  | (?: ^ | [.!?:*]\s | \b(?:first|to|then)\ ) \**predict \b
    (?! \.\*\* | ,\ loss | \ and\ compare | \ with)
  | \b before\ (?: you\ run | running | the\ next\ cell ) \b
  | \b (?: do | will | would ) \ you\ expect \b
''', re.I | re.X | re.M)
FENCED = re.compile(r'```.*?```', re.S)
FOLDED = {'hide', 'echo', 'code-fold', 'export'}   # an author's word on what is in the way
DRAWN = 'How this is drawn'
QUIET = {'imports', 'set-up', 'imports and set-up'}   # rows that join where they meet
ENDS = ('## What we know now', '## Your turn', '## Questions')


def parsed(code: str) -> ast.Module:
    "The syntax tree of a cell, less the lines that are for IPython"
    return ast.parse(re.sub('^%.*', '', code, flags=re.M))


def is_check(node: ast.AST) -> bool:
    "Does this statement only assert? A mistake shown on purpose (`test_fail`) teaches instead"
    call = getattr(getattr(getattr(node, 'value', None), 'func', None), 'id', '')
    return isinstance(node, ast.Assert) or (call.startswith('test_') and call != 'test_fail')


def counted(checks: int) -> str: return f'{checks} check{"s"*(checks > 1)}'


def together(*names: str | None) -> str | None:
    "The name of one row in place of two side by side, in small letters; None if they stay apart"
    if not set(names) <= QUIET: return None
    return names[0] if len(set(names)) == 1 else 'imports and set-up'


def plumbing(code: str) -> str | None:
    "The name under which a cell that prepares, checks or draws is folded; None if it teaches"
    try: body = parsed(code).body
    except SyntaxError: return None
    lines = code.splitlines()
    if not body: return None
    if all(isinstance(node, ast.Import | ast.ImportFrom) for node in body): return 'Imports'
    checks = sum(map(is_check, body))
    if checks > len(body)/2 and all(is_check(n) or isinstance(n, ast.Assign) for n in body):
        return counted(checks)
    if all(PREPARES.match(ast.unparse(node)) for node in body): return 'Set-up'
    if 5 <= sum(bool(DRAWS.search(line)) for line in lines) > len(lines)/2:
        return DRAWN
    return None


def summary(options: dict, code: str) -> str | None:
    "What a cell holds that a student need not read, in a few words; None if it is to be read"
    if name := plumbing(code): return name.lower()
    nodes = list(ast.walk(parsed(code))) if options.keys() & FOLDED else []
    if 'hide' in options:
        checks = sum(map(is_check, nodes))
        return counted(checks) if checks else 'set-up'
    if options.get('echo') is False: return DRAWN.lower()
    if not options.get('code-fold') and 'export' not in options: return None
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return options.get('code-summary') or f'code of {names[0] if names else "the library"}'


def asks(text: str) -> bool:
    "Does this Markdown ask the reader to guess what comes next?"
    return bool(ASKS.search(FENCED.sub('', text)))


def shows(cell) -> bool:
    "Does this cell of code end in something to see, and is it not for a check or a set-up?"
    if cell.get('outputs'): return True
    try: body = parsed(cell['source']).body
    except SyntaxError: return True
    quiet = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AugAssign
    role = plumbing(cell['source'])
    return role in (None, DRAWN) and any(not isinstance(node, quiet) for node in body)


def answers(
    cells: Sequence,   # of a notebook, each with `cell_type` and `source`
) -> dict[int, int]:
    """The places of the code cells that answer a guess, each with the place of its prompt.

    They reach from the prompt to the first Markdown after something was shown, or to a heading.
    A prompt with `<details>` of its own holds its answer there."""
    found: dict[int, int] = {}
    prompt, shown = None, False
    for i, cell in enumerate(cells):
        if cell['cell_type'] == 'code':
            if prompt is not None: found[i], shown = prompt, shown or shows(cell)
        elif cell['source'].startswith(ENDS): break
        elif asks(text := cell['source']): prompt, shown = None if '<details' in text else i, False
        elif shown or re.search(r'^#+ ', cell['source'], re.M): prompt = None
    return found

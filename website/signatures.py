"What the code of the modules says of a name: its call, its parameters, where its methods are from."
import ast
import io
import tokenize
from pathlib import Path
from typing import NamedTuple

Definition = ast.FunctionDef | ast.ClassDef


class Row(NamedTuple):
    "A parameter, or what is returned"
    name: str
    type: str
    default: str
    note: str


class Module:
    "The code of a module: what it defines at its top, and the comment of each line that has one"
    def __init__(self, path: Path):
        self.name, self.source = path.stem, path.read_text(encoding='utf-8')
        self.tree, self.defined, self.patched = ast.parse(self.source), {}, []
        for node in self.tree.body:
            if 'patch' in map(ast.unparse, getattr(node, 'decorator_list', [])):
                self.patched.append(node)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef): self.defined[node.name] = node
            elif isinstance(node, ast.Assign): self.defined[ast.unparse(node.targets[0])] = node
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        self.notes = {token.start[0]: token.string.lstrip('# ') for token in tokens
                      if token.type == tokenize.COMMENT}
        every = self.defined.get('__all__')
        listed = ast.literal_eval(every.value) if isinstance(every, ast.Assign) else []
        self.exports = [name for name in listed if name in self.defined]

    def text(self, node: ast.AST | None) -> str:
        "The source of `node`, on one line"
        return ' '.join((ast.get_source_segment(self.source, node) or '').split()) if node else ''


def kind(arg: ast.arg, module: Module) -> tuple[str, str]:
    "The type of a parameter, and the note in it if fastcore's `Param` holds both"
    told = arg.annotation
    if not isinstance(told, ast.Call) or ast.unparse(told.func) != 'Param':
        return module.text(told), ''
    note, one = ast.literal_eval(told.args[0]), ast.unparse(told.args[1])
    many = any(k.arg == 'nargs' and ast.literal_eval(k.value) in ('+', '*') for k in told.keywords)
    return f'list[{one}]' if many else one, note


def rows(function: ast.FunctionDef, module: Module, method: bool) -> list[Row]:
    "Parameters of `function`, and what it returns; a line's comment is for its last parameter"
    a = function.args
    plain = [*a.posonlyargs, *a.args]
    defaults = [None]*(len(plain) - len(a.defaults)) + a.defaults
    named = [(arg.arg, arg, d) for arg, d in zip(plain, defaults, strict=True)][method:]
    if a.vararg: named.append((f'*{a.vararg.arg}', a.vararg, None))
    named += [(arg.arg, arg, d) for arg, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    if a.kwarg: named.append((f'**{a.kwarg.arg}', a.kwarg, None))
    last = {arg.end_lineno: name for name, arg, _ in named}
    body = function.body[0].lineno
    result = []
    for name, arg, default in named:
        mine = last[arg.end_lineno] == name and (arg.end_lineno or 0) < body
        type_, note = kind(arg, module)
        if mine: note = module.notes.get(arg.end_lineno or 0, note)
        result.append(Row(name, type_, module.text(default), note))
    if function.returns:
        line = function.returns.end_lineno or 0
        note = '' if line in last or line >= body else module.notes.get(line, '')
        result.append(Row('returns', module.text(function.returns), '', note))
    return result


def call(name: str, given: list[Row], function: ast.FunctionDef | None = None) -> str:
    "How `name` is called, without types and comments"
    shown = [row for row in given if row.name != 'returns']
    parts = [f'{row.name}={row.default}' if row.default else row.name for row in shown]
    only = len(function.args.kwonlyargs) if function and not function.args.vararg else 0
    if only: parts.insert(len(parts) - only, '*')
    return f'{name}({", ".join(parts)})'


def takes_self(method: ast.FunctionDef) -> bool:
    return 'staticmethod' not in map(ast.unparse, method.decorator_list)


def fields(node: ast.ClassDef, module: Module) -> list[Row]:
    "The fields of a dataclass or named tuple, which are what its `__init__` takes"
    kinds = map(ast.unparse, [*node.decorator_list, *node.bases])
    if not any('dataclass' in kind or 'NamedTuple' in kind for kind in kinds): return []
    return [Row(module.text(f.target), module.text(f.annotation), module.text(f.value),
                module.notes.get(f.end_lineno or 0, ''))
            for f in node.body if isinstance(f, ast.AnnAssign)]


class Member(NamedTuple):
    "A method, the class that defines it, and that class's module"
    function: ast.FunctionDef
    owner: ast.ClassDef
    module: Module


def lineage(node: ast.ClassDef, module: Module, modules: list[Module]):
    "The class and those that it inherits from, with their modules, the nearest first"
    yield node, module
    for base in map(ast.unparse, node.bases):
        for there in [module, *modules]:
            if isinstance(found := there.defined.get(base), ast.ClassDef):
                yield from lineage(found, there, modules)
                break


def patches(function: ast.FunctionDef, owner: ast.ClassDef) -> bool:
    "Is `function` a method that fastcore's `patch` adds to `owner`?"
    kind = function.args.args[0].annotation
    return isinstance(kind, ast.Name) and kind.id == owner.name


def members(node: ast.ClassDef, module: Module, modules: list[Module]) -> dict[str, Member]:
    "The methods of a class, inherited ones too, its own first"
    found: dict[str, Member] = {}
    for owner, there in lineage(node, module, modules):
        own = [Member(n, owner, there) for n in owner.body if isinstance(n, ast.FunctionDef)]
        own += [Member(n, owner, m) for m in modules for n in m.patched if patches(n, owner)]
        for member in own: found.setdefault(member.function.name, member)
    return found

"Tasks of chapter 06e, keep it for another day."
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory

import torch
from torch import nn

from digit_under_hood.choose import Choose
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.tasks.training_loop import called

SPRUNG = []   # what a stranger's file has done


def spring(text):
    "What is called while a stranger's file is read"
    SPRUNG.append(text)
    return {'a': torch.ones(2)}


class weights_or_none(Do):
    """
    Write `weights_or_none(path)`: what `torch.save` put into a file, if that is tensors and plain
    containers, and otherwise `None`. A file may come from a stranger, and no call that is in it may
    be made. If there is no such file, the error says so as always.
    """
    concept = 'pickle'
    hints = ('`torch.load` has an argument for exactly this.',
             'It refuses with an `UnpicklingError`, which is to be had from the module `pickle`.',
             'Which errors are to get out of your function?')
    verb = 'gives, and does while it reads,'
    why = ('A `.pth` file is a pickle, and a pickle may call any function while it is read. With '
           '`weights_only=True` everything but tensors and plain containers is refused *before* '
           'that.')

    @cases
    def files(): return [('tensor.pth',), ('dict.pth',), ('trap.pth',), ('not there.pth',)]

    @outcome
    def result_and_deeds(given, name):
        class Trap:
            def __reduce__(self): return spring, ('It could have been any program.',)
        made = {'tensor.pth': torch.arange(3.), 'dict.pth': {'a': torch.ones(2), 'n': [1, 2]},
                'trap.pth': Trap()}
        with TemporaryDirectory() as folder:
            if name in made: torch.save(made[name], Path(folder)/name)
            SPRUNG.clear()
            try: found = given(Path(folder)/name)
            except FileNotFoundError: found = 'no such file'
            except UnpicklingError: found = 'refused'
            return [found, 'it ran' if SPRUNG else 'nothing ran']

    @right
    def refused(path):
        import pickle
        try: return torch.load(path, weights_only=True)
        except pickle.UnpicklingError: return None

    @right
    def by_default(path):
        found = None
        try: found = torch.load(path, map_location='cpu')
        except UnpicklingError: pass
        return found

    @wrong('The stranger\'s function has run. What it gave back looks harmless, and what it did '
           'besides nobody knows.',
           when=lambda made, name: made[1] == 'it ran' and isinstance(made[0], dict))
    def trusting(path): return torch.load(path, weights_only=False)

    @wrong('It is looked at too late: the stranger\'s function has run while the file was read.',
           when=lambda made, name: made[1] == 'it ran' and made[0] is None)
    def looks_afterwards(path):
        found = torch.load(path, weights_only=False)
        return found if path.name != 'trap.pth' else None

    @wrong('Nothing ran, and that is the main thing. But the refusal comes out as an error, and '
           'wanted is `None`.', when=lambda made, name: made[0] == 'refused')
    def lets_it_out(path): return torch.load(path, weights_only=True)

    @wrong('A file that is not there gives `None` as well, as if it were a dangerous one. Which '
           'error is it that you want to catch?',
           when=lambda made, name: name == 'not there.pth' and made[0] is None)
    def catches_all(path):
        try: return torch.load(path, weights_only=True)
        except Exception: return None


class whole_or_not(FixIt):
    """
    If the program stops in the middle, half a file stands where a good one was. Repair it. `pieces`
    is walked through once, and may raise an error on the way; then the old file is to be there as
    it was, nothing beside it, and the error comes out.
    """
    concept, planted = 'file', 'in_place'
    hints = ('Where may half a file stand without doing harm?',
             '`path.with_name` names a neighbour, and `replace` moves a file onto another in one go.',
             '`finally` is done in either case, and `unlink(missing_ok=True)` takes away what may be '
             'there.')
    verb = 'leaves, as the files of the folder and how it ended,'
    why = ('If the program is killed, the half file has the other name and the old one is still '
           'whole. Renaming is a single step for the file system.')

    @cases
    def writings():
        class Pieces:
            def __init__(self, *pieces): self.pieces = pieces
            def __repr__(self): return f'pieces {self.pieces}'
            def __iter__(self):
                for piece in self.pieces:
                    if piece == 'stop': raise InterruptedError('power cut')
                    yield piece
        return [(Pieces('new'), True), (Pieces('n', 'ew'), False), (Pieces('n', 'stop'), True),
                (Pieces('stop'), False)]

    @outcome
    def what_is_there(given, pieces, old):
        with TemporaryDirectory() as folder:
            path, ended = Path(folder)/'net.txt', 'no error'
            if old: path.write_text('old')
            try: given(pieces, path)
            except InterruptedError: ended = 'stopped'
            found = sorted((file.name == path.name, file.read_text()) for file in path.parent.iterdir())
            return [[*map(str, sum(found, ()))], ended]

    @right
    def moved(pieces, path):
        part = path.with_name(f'{path.name}.part')
        try:
            with open(part, 'w') as file:
                for piece in pieces: file.write(piece)
            part.replace(path)
        finally: part.unlink(missing_ok=True)

    @right
    def in_memory(pieces, path):
        part, text = path.with_suffix('.new'), ''.join(pieces)
        part.write_text(text)
        part.replace(path)

    @wrong('Still: with `open(path, "w")` the old file is gone, before the first piece is there.',
           when=lambda made, pieces, old: made[1] == 'stopped' and 'True' in made[0]
           and 'old' not in made[0] and 'False' not in made[0])
    def in_place(pieces, path):
        with open(path, 'w') as file:
            for piece in pieces: file.write(piece)

    @wrong('The old file is safe. But half a file stays behind beside it, one for each accident.',
           when=lambda made, pieces, old: made[1] == 'stopped' and 'False' in made[0]
           and ('old' in made[0]) == old)
    def left_behind(pieces, path):
        part = path.with_suffix('.part')
        with open(part, 'w') as file:
            for piece in pieces: file.write(piece)
        part.replace(path)

    @wrong('Written beside, and never moved: the file with the right name is still the old one.',
           when=lambda made, pieces, old: 'False' in made[0])
    def never_moved(pieces, path):
        with open(path.with_suffix('.part'), 'w') as file:
            for piece in pieces: file.write(piece)

    @wrong('The old file has been taken away first. If the program stops after that, there is '
           'neither the old one nor the new one.',
           when=lambda made, pieces, old: old and made[1] == 'stopped' and 'old' not in made[0])
    def away_first(pieces, path):
        path.unlink(missing_ok=True)
        part = path.with_suffix('.part')
        try:
            with open(part, 'w') as file:
                for piece in pieces: file.write(piece)
            part.rename(path)
        finally: part.unlink(missing_ok=True)

    @wrong('What went wrong is kept quiet: whoever called you believes that the file was written.',
           when=lambda made, pieces, old: 'stop' in pieces.pieces and made[1] == 'no error')
    def silent(pieces, path):
        part = path.with_suffix('.part')
        try:
            with open(part, 'w') as file:
                for piece in pieces: file.write(piece)
            part.replace(path)
        except InterruptedError: part.unlink()


class best_weights(FixIt):
    """
    `train_on(model)` trains an epoch and gives the validation loss. The function is to give the
    weights, as a `state_dict`, that the model had when that loss was lowest for the first time. It
    gives those of the last epoch. Repair it.
    """
    concept, planted = 'state dict', 'kept_by_reference'
    equal = {'all_kept: 1 -> -1': 'of two things the last is the second'}
    hints = ('What does the next epoch do to the tensors that you have kept?',
             'A `state_dict` is a list of names for the tensors of the model itself.',
             'Each tensor must be copied, and not only the dict.')
    verb = 'gives'
    why = ('A `state_dict` holds the tensors of the model, not copies of them, and training goes on '
           'in the same memory.')

    @cases
    def fits():
        class Falls:
            def __init__(self, *losses): self.losses, self.at = losses, 0
            def __repr__(self): return f'losses {self.losses}'
            def __call__(self, model):
                self.at += 1
                model.weight.data.fill_(float(self.at))
                return self.losses[self.at - 1]
        return [(called(nn.Linear(1, 1, bias=False), 'model'), Falls(*losses), len(losses))
                for losses in ([.5], [.5, .6], [.5, .3, .4], [.5, .4, .3], [.5, .3, .3, .6], [.4, .3, .5, .2, .9])]

    @outcome
    def weights(given, model, train_on, epochs): return given(model, train_on, epochs)

    @right
    def copied(model, train_on, epochs):
        best, kept = float('inf'), None
        for _ in range(epochs):
            loss = train_on(model)
            if loss < best:
                best, kept = loss, {name: t.clone() for name, t in model.state_dict().items()}
        return kept

    @right
    def all_kept(model, train_on, epochs):
        found = []
        for _ in range(epochs):
            loss = train_on(model)
            found.append((loss, deepcopy(model.state_dict())))
        return min(found, key=lambda one: one[0])[1]

    @wrong('Still those of the last epoch: what was kept are the tensors of the model themselves, '
           'and the next epoch has gone on changing them.')
    def kept_by_reference(model, train_on, epochs):
        best, kept = float('inf'), None
        for _ in range(epochs):
            loss = train_on(model)
            if loss < best: best, kept = loss, model.state_dict()
        return kept

    @wrong('Those are the weights with the *highest* loss.')
    def worst(model, train_on, epochs):
        best, kept = -float('inf'), None
        for _ in range(epochs):
            loss = train_on(model)
            if loss > best: best, kept = loss, deepcopy(model.state_dict())
        return kept

    @wrong('Those are the weights from *before* the epoch. The loss is that of the model after it.')
    def one_early(model, train_on, epochs):
        best, kept = float('inf'), None
        for _ in range(epochs):
            before = deepcopy(model.state_dict())
            loss = train_on(model)
            if loss < best: best, kept = loss, before
        return kept

    @wrong('That is the lowest loss. Wanted are the weights that the model had then.')
    def the_loss(model, train_on, epochs): return min(train_on(model) for _ in range(epochs))


class not_in_the_file(Choose):
    """
    Two epochs, a save, a load and two more are to give *exactly* the weights of four epochs in one
    go. Which of these need *not* be in the file?
    """
    concept = 'Learner'
    hints = ('What is thrown away after every step?',
             'Which of them is read at the next step, before it is made anew?')
    right = 'the gradients of the last step'
    wrong = {
        'the last changes that the optimiser keeps': 'That is its momentum. Without it the first '
        'steps of the third epoch are shorter.',
        'where the shuffling of the loader stands': 'Then the third epoch would have the batches of '
        'the first.',
        'the state of the random numbers': 'Dropout draws from them. It would drop other units than '
        'in a fit that never stopped.'}
    why = ('Besides the weights: the optimiser\'s memory, the place in the shuffle, torch\'s random '
           'numbers, and the diary, so that its table goes on. Gradients are forgotten after each '
           'step.')

"Tasks of chapter 06b, calling out."
import torch
from torch import nn

from digit_under_hood.callbacks import Cancel, CancelBatch, CancelEpoch, CancelFit
from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.tasks.training_loop import called
from digit_under_hood.training_loop import SGD, DataLoader


class events_heard(Do):
    """
    Write `events_heard(train, valid)`: the names of all events of a fit of *one* epoch, in order,
    with so many batches to train on and so many to validate on.
    """
    concept = 'callback'
    hints = ('Read the drawing from the top down. Which of its boxes come more than once?',
             'A batch that is only measured has no gradients.',
             'Lists can be added, and `3*names` is a list three times over.')
    why = ('An event is a place in the loop. Measuring has the same ones as training, less '
           '`after_backward`: there is nothing to go backward for.')

    @cases
    def numbers(): return [(1, 0), (1, 1), (2, 1), (1, 2), (3, 2)]

    @right
    def lists(train, valid):
        looking = ['before_batch', 'after_loss', 'after_batch']
        training = [*looking[:2], 'after_backward', looking[2]]
        inner = ['before_epoch', *train*training, *valid*looking, 'after_epoch']
        return ['before_fit', *inner, 'after_fit', 'cleanup_fit']

    @right
    def loop(train, valid):
        heard = ['before_fit', 'before_epoch']
        for n in range(train + valid):
            heard += ['before_batch', 'after_loss']
            if n < train: heard.append('after_backward')
            heard.append('after_batch')
        return heard + ['after_epoch', 'after_fit', 'cleanup_fit']

    @wrong('Nothing goes backward while measuring: no gradients are wanted there.')
    def backward_always(train, valid):
        batch = ['before_batch', 'after_loss', 'after_backward', 'after_batch']
        inner = ['before_epoch', *(train + valid)*batch, 'after_epoch']
        return ['before_fit', *inner, 'after_fit', 'cleanup_fit']

    @wrong('What comes last of all is missing: the event that even an error cannot prevent.',
           when=lambda made, train, valid: 'cleanup_fit' not in made and made[-1] == 'after_fit')
    def no_cleanup(train, valid):
        looking = ['before_batch', 'after_loss', 'after_batch']
        training = [*looking[:2], 'after_backward', looking[2]]
        return ['before_fit', 'before_epoch', *train*training, *valid*looking, 'after_epoch',
                'after_fit']

    @wrong('The batches of the validation call out as well.',
           when=lambda made, train, valid: made.count('before_batch') == train and valid)
    def silent(train, valid):
        training = ['before_batch', 'after_loss', 'after_backward', 'after_batch']
        return ['before_fit', 'before_epoch', *train*training, 'after_epoch', 'after_fit',
                'cleanup_fit']

    @wrong('The validation belongs to the epoch: it begins before `after_epoch`.')
    def outside(train, valid):
        looking = ['before_batch', 'after_loss', 'after_batch']
        training = [*looking[:2], 'after_backward', looking[2]]
        return ['before_fit', 'before_epoch', *train*training, 'after_epoch', *valid*looking,
                'after_fit', 'cleanup_fit']

    @wrong('Each event is there once. But how many batches are there?')
    def one_of_each(train, valid):
        return ['before_fit', 'before_epoch', 'before_batch', 'after_loss', 'after_backward',
                'after_batch', 'after_epoch', 'after_fit', 'cleanup_fit']


class run_through(Do):
    """
    Write `run_through(epochs, work)`. `epochs` is a list of epochs, each a list of batches. Call
    `work(batch)` on each in turn, and give a list of the batches that were finished. `work` may
    raise `CancelBatch`, `CancelEpoch` or `CancelFit`. Any other error is none of your business.
    """
    concept = 'callback'
    hints = ('Two loops, and three places where a net may hang.',
             'A net hangs around what it ends: one batch, one epoch, or all of it.',
             'What follows `work(batch)` in its net is skipped when it raises.')
    why = ('An exception flies up to the first net that is made for it. Where the net hangs says '
           'what is left out: the rest of the batch, of the epoch, or of everything.')

    @cases
    def walks():
        class Stops:
            def __init__(self, at, error): self.at, self.error = at, error
            def __repr__(self): return f'{self.error.__name__} at {self.at}'
            def __call__(self, batch):
                if batch == self.at: raise self.error
        plan = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
        return [([[1, 2]], Stops(0, Cancel)), *((plan, Stops(5, error)) for error in (
            CancelBatch, CancelEpoch, CancelFit, ValueError))]

    @outcome
    def finished(given, epochs, work):
        "The chapter makes its own `CancelBatch`, and an answer there catches that one"
        work.error = getattr(given, '__globals__', {}).get(work.error.__name__, work.error)
        return given(epochs, work)

    @right
    def nets(epochs, work):
        done = []
        try:
            for epoch in epochs:
                try:
                    for batch in epoch:
                        try:
                            work(batch)
                            done.append(batch)
                        except CancelBatch: pass
                except CancelEpoch: pass
        except CancelFit: pass
        return done

    @right
    def leaves(epochs, work):
        done = []
        for epoch in epochs:
            for batch in epoch:
                try: work(batch)
                except CancelBatch: continue
                except CancelEpoch: break
                except CancelFit: return done
                done.append(batch)
        return done

    @wrong('Each of the three ends everything here, since there is a single net, around all.')
    def one_net(epochs, work):
        done = []
        try:
            for epoch in epochs:
                for batch in epoch:
                    work(batch)
                    done.append(batch)
        except Cancel: pass
        return done

    @wrong('Each of the three costs one batch here. The nets for an epoch and for the fit hang too '
           'far inside.')
    def all_inside(epochs, work):
        done = []
        for epoch in epochs:
            for batch in epoch:
                try:
                    work(batch)
                    done.append(batch)
                except Cancel: pass
        return done

    @wrong('`break` leaves one loop, the inner one. After `CancelFit` the next epoch begins.')
    def break_only(epochs, work):
        done = []
        for epoch in epochs:
            for batch in epoch:
                try: work(batch)
                except CancelBatch: continue
                except (CancelEpoch, CancelFit): break
                done.append(batch)
        return done

    @wrong('A bug in `work` is caught as well, and nobody ever hears of it. Catch what you know.',
           when=lambda made, epochs, work: 'ValueError' in repr(work))
    def catches_all(epochs, work):
        done = []
        for epoch in epochs:
            for batch in epoch:
                try: work(batch)
                except CancelBatch: continue
                except CancelFit: return done
                except Exception: break
                done.append(batch)
        return done

    @wrong('A cancelled batch is counted as finished.')
    def counted(epochs, work):
        done = []
        for epoch in epochs:
            for batch in epoch:
                done.append(batch)
                try: work(batch)
                except CancelBatch: continue
                except CancelEpoch: break
                except CancelFit: return done
        return done

    @wrong('Nothing is caught: the exception leaves your function.',
           when=lambda made, epochs, work: isinstance(made.error, Cancel))
    def no_net(epochs, work):
        done = []
        for epoch in epochs:
            for batch in epoch:
                work(batch)
                done.append(batch)
        return done


class smoothly(Do):
    """
    Write `smoothly(losses, beta)`: the smoothed loss after each step, put right for the early
    steps, as a list. No `Recorder`, just numbers.
    """
    concept = 'loss'
    hints = ('The average starts at 0 and is carried from step to step.',
             'After one step the weights in it add up to 1 minus `beta`. What must 4 become, if it '
             'is the first loss?',
             'How many steps have there been when you divide for the first time?')
    why = ('The average starts at 0, and after t steps the weights of the losses in it add up to '
           'one minus beta to the power of t. Divided by that it is a true mean, from the first '
           'step on.')

    @cases
    def series():
        return [([], .9), ([4.], .5), ([4., 8.], .5), ([1., 0., 0., 2.], .9), ([3., 3., 3.], .98)]

    @right
    def carried(losses, beta):
        average, found = 0., []
        for step, loss in enumerate(losses, 1):
            average = beta*average + (1 - beta)*loss
            found.append(average/(1 - beta**step))
        return found

    @right
    def weighted(losses, beta):
        total, weight, found = 0., 0., []
        for loss in losses:
            total, weight = beta*total + loss, beta*weight + 1
            found.append(total/weight)
        return found

    @wrong('At first it is much too low: it starts at 0, and nothing puts that right.')
    def from_zero(losses, beta):
        average, found = 0., []
        for loss in losses:
            average = beta*average + (1 - beta)*loss
            found.append(average)
        return found

    @wrong('Starting at the first loss gives that one the weight of a long past, and the first '
           'batch is only one batch.')
    def from_first(losses, beta):
        found = []
        for loss in losses:
            found.append(beta*(found[-1] if found else loss) + (1 - beta)*loss)
        return found

    @wrong('The two shares have changed places: `beta` is the weight of the past.')
    def turned(losses, beta):
        average, found = 0., []
        for step, loss in enumerate(losses, 1):
            average = (1 - beta)*average + beta*loss
            found.append(average/(1 - (1 - beta)**step))
        return found

    @wrong('What was put right is carried on, and put right again at the next step. Carry the '
           'plain average, and divide only what you hand out.')
    def carried_corrected(losses, beta):
        average, found = 0., []
        for step, loss in enumerate(losses, 1):
            average = (beta*average + (1 - beta)*loss)/(1 - beta**step)
            found.append(average)
        return found

    @wrong('Before the first division there has been one step already, not none.',
           when=lambda made, losses, beta: isinstance(made.error, ZeroDivisionError))
    def from_nought(losses, beta):
        average, found = 0., []
        for step, loss in enumerate(losses):
            average = beta*average + (1 - beta)*loss
            found.append(average/(1 - beta**step))
        return found

    @wrong('In a plain mean the first steps count for ever. The past is to fade.')
    def plain_mean(losses, beta):
        return [sum(losses[:t])/t for t in range(1, len(losses) + 1)]


class between_epochs(FixIt):
    """
    Trained as here, a model with dropout gets validation losses that jump about and are too bad:
    measured twice, the same model gives two numbers. Repair it. It gives the mean loss on `valid`
    after each epoch; the last batch of `valid` is smaller than the others.
    """
    concept, planted = 'metric', 'always_training'
    hints = ('Which of the two modes drops activations at random? In which one are we here?',
             'And when the next epoch begins, in which mode is the model then?',
             'Take two batches, 4 items with a loss of 1 and 2 items with a loss of 4. What is the '
             'mean loss of the 6?')
    verb = 'gives, as losses and as what becomes of the model,'
    why = ('Measure in eval mode, weigh each batch by its items, and train in train mode: a mode is '
           'switched twice, there and back.')

    @cases
    def fits():
        rng, found = torch.Generator().manual_seed(3), []
        x, y = torch.randn(16, 6, generator=rng), torch.randn(16, 1, generator=rng)
        for epochs, n in ((1, 8), (1, 6), (2, 6), (3, 8)):
            net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(.5), nn.Linear(8, 1))
            for p in net.parameters(): p.data = torch.randn(p.shape, generator=rng)
            train, valid = DataLoader(x[:8], y[:8], 4), DataLoader(x[8:8 + n], y[8:8 + n], 4)
            found.append((called(net, 'model'), called(nn.MSELoss(), 'loss_func'),
                          called(SGD(net.parameters(), .01), 'opt'), called(train, 'train'),
                          called(valid, f'valid of {n} items'), epochs))
        return found

    @outcome
    def losses_and_model(given, model, *others):
        losses = given(model, *others)
        with torch.no_grad(): left = sum(p.abs().sum().item() for p in model.parameters())
        return losses, left

    @right
    def there_and_back(model, loss_func, opt, train, valid, epochs):
        losses = []
        for _ in range(epochs):
            model.train()
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            model.eval()
            with torch.no_grad():
                found = [(loss_func(model(xb), yb).item(), len(yb)) for xb, yb in valid]
            losses.append(sum(loss*n for loss, n in found)/sum(n for loss, n in found))
        return losses

    @right
    def all_at_once(model, loss_func, opt, train, valid, epochs):
        losses = []
        for _ in range(epochs):
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            with torch.no_grad():
                x, y = map(torch.cat, zip(*valid))
                losses.append(loss_func(model.eval()(x), y).item())
            model.train()
        return losses

    @wrong('Still measured in train mode, with half of the activations dropped.')
    def always_training(model, loss_func, opt, train, valid, epochs):
        losses = []
        for _ in range(epochs):
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            with torch.no_grad():
                found = [(loss_func(model(xb), yb).item(), len(yb)) for xb, yb in valid]
            losses.append(sum(loss*n for loss, n in found)/sum(n for loss, n in found))
        return losses

    @wrong('The first epoch is right. From the second on it trains in eval mode: nobody has '
           'switched back, and dropout is off.')
    def no_way_back(model, loss_func, opt, train, valid, epochs):
        losses = []
        for _ in range(epochs):
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            model.eval()
            with torch.no_grad():
                found = [(loss_func(model(xb), yb).item(), len(yb)) for xb, yb in valid]
            losses.append(sum(loss*n for loss, n in found)/sum(n for loss, n in found))
        return losses

    @wrong('Switched to eval mode before the training: dropout never acts at all.')
    def never_training(model, loss_func, opt, train, valid, epochs):
        losses = []
        model.eval()
        for _ in range(epochs):
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            with torch.no_grad():
                found = [(loss_func(model(xb), yb).item(), len(yb)) for xb, yb in valid]
            losses.append(sum(loss*n for loss, n in found)/sum(n for loss, n in found))
        return losses

    @wrong('The modes are right. But each batch counts alike, and the last one has fewer items.')
    def by_batch(model, loss_func, opt, train, valid, epochs):
        losses = []
        for _ in range(epochs):
            model.train()
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            model.eval()
            with torch.no_grad():
                found = [loss_func(model(xb), yb).item() for xb, yb in valid]
            losses.append(sum(found)/len(found))
        return losses

    @wrong('The validation set has been trained on: its gradients were there at the next step.')
    def gradients_left(model, loss_func, opt, train, valid, epochs):
        losses = []
        for _ in range(epochs):
            model.train()
            for xb, yb in train:
                loss_func(model(xb), yb).backward()
                opt.step()
                opt.zero_grad()
            model.eval()
            found = [(loss_func(model(xb), yb), len(yb)) for xb, yb in valid]
            for loss, _ in found: loss.backward()
            losses.append(sum(loss.item()*n for loss, n in found)/sum(n for loss, n in found))
        return losses


class leaves_by_exception(Choose):
    "Why does a callback raise an exception to stop the fit? Could it not return something instead?"
    concept = 'callback'
    hints = ('From how deep does it call? Count the loops and functions around it.',
             'Who would have to look at what it returns?')
    right = 'Each function and loop on the way would have to look at it and pass it on.'
    wrong = {
        'A method that answers an event cannot return anything.': 'It can. Nobody looks at it, and '
        'there is more than one callback.',
        'An exception is faster than `return`.': 'Rather slower. It is raised once in a fit, so '
        'nobody would notice.',
        'Only an exception calls `cleanup_fit`.': 'That is called at the end of every fit, also of '
        'one that nobody stopped.'}
    why = ('`return` and `break` leave one function or one loop. An exception leaves all of them, '
           'up to the one place that waits for it, and what lies between need not know.')


class batches_finished(Predict):
    """
    A fit of 5 epochs, 10 batches each. At the fourth batch of *each* epoch a callback raises
    `CancelEpoch` in `before_batch`. How many batches are finished?
    """
    concept = 'callback'
    hints = ('How many are finished in the first epoch?', 'Does the fit go on after it?')
    value, within = 15, .1
    wrong = {3: 'So it would be with `CancelFit`. Here the next epoch begins.',
             45: 'So it would be with `CancelBatch`, which leaves out a single one.',
             20: 'It is raised *before* the fourth batch, so that one is not finished.',
             43: 'It is raised in each of the epochs, not in one of them.'}
    why = 'Three in each of the five epochs. `CancelEpoch` ends one epoch, and the next one begins.'

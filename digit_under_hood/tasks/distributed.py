"Tasks of chapter 11, many processes."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong


class dealt(Do):
    """
    Write `dealt(order, part, parts)`: the rows that process number `part`, from 0, of `parts`
    processes gets. `order` is a list of row numbers, shuffled. All get equally many, none gets
    another's, and the few that are left over at the end are left out. For any `b`, the first `b`
    rows of all processes, taken together, are the first `b*parts` rows of `order`.
    """
    concept = 'shard'
    hints = ('As one deals cards: one to each, then the next one to each.',
             'A slice has three numbers: `order[start:stop:step]`.',
             'Which is the last row that still belongs to a full round?')
    why = ('`order[part::parts]` deals like cards, and batch by batch the parts make up the batch '
           'that one process would have seen. The stop at `len(order)//parts*parts` makes all '
           'equally long.')

    @cases
    def orders():
        order = torch.randperm(11, generator=torch.Generator().manual_seed(1)).tolist()
        return [([5, 3, 8, 1], 0, 2), ([5, 3, 8, 1], 1, 2), (order, 0, 3), (order, 2, 3),
                (order, 1, 4), (order, 0, 1), ([7], 0, 2)]

    @right
    def slice_with_step(order, part, parts): return order[part:len(order)//parts*parts:parts]

    @right
    def rounds(order, part, parts):
        return [order[turn*parts + part] for turn in range(len(order)//parts)]

    @wrong('No row is given twice, but the parts are blocks. The first half of a batch would come '
           'from the first half of `order`, the other from far behind.')
    def blocks(order, part, parts):
        n = len(order)//parts
        return order[part*n:(part + 1)*n]

    @wrong('Some get one row more than others. At the last step they would wait for ever for the '
           'gradients of those who are done.')
    def unequal(order, part, parts): return order[part::parts]

    @wrong('The first row goes to nobody: the parts are counted from 0.')
    def from_one(order, part, parts): return order[part + 1:len(order)//parts*parts:parts]

    @wrong('That is all of it. Each process would do the work of all.')
    def everything(order, part, parts): return order


class of_all(FixIt):
    """
    `of_all(gradients, counts)` gets the mean gradient of each process, and how many rows each has
    seen. It is to give the mean gradient of all rows. With 48 rows here and 16 there it gives
    something else. Repair it.
    """
    concept, planted = 'gradient', 'all_alike'
    hints = ('A mean over 48 rows stands for 48 rows.',
             'What is the sum of the gradients of all rows of one process?')
    why = ('Mean times count is the sum over the rows of a process; the sum of those, divided by '
           'all rows, is the mean of all. If the counts are equal, it is the plain mean.')

    @cases
    def shares():
        rng = torch.Generator().manual_seed(11)
        one, two, three = torch.randn(3, 2, 2, generator=rng)
        return [([one, two], [4, 4]), ([one, two], [3, 1]), ([one, two, three], [1, 5, 2]),
                ([one], [7])]

    @right
    def weighed(gradients, counts):
        return sum(g*n for g, n in zip(gradients, counts))/sum(counts)

    @right
    def tensors(gradients, counts):
        share = torch.tensor(counts)/sum(counts)
        return (torch.stack(gradients)*share.view(-1, 1, 1)).sum(0)

    @wrong('Still the plain mean: a process with 16 rows has as much to say as one with 48.')
    def all_alike(gradients, counts): return sum(gradients)/len(gradients)

    @wrong('The sum of all rows. A mean is wanted: divide by how many rows there are.')
    def not_divided(gradients, counts): return sum(g*n for g, n in zip(gradients, counts))

    @wrong('Each is multiplied by its rows, and that is right. But the sum is over rows now, not '
           'over processes: by how many is it to be divided?')
    def by_processes(gradients, counts):
        return sum(g*n for g, n in zip(gradients, counts))/len(counts)


class shares(FixIt):
    """
    `shares(n, epoch, part, parts)` gives the rows, out of `n`, that process `part` of `parts` sees in
    an epoch, in a new order each epoch. Yet in every epoch some rows are seen twice and some by
    nobody. Repair it. `n` is a multiple of `parts`.
    """
    concept, planted = 'shard', 'own_seeds'
    hints = ('Print the order that process 0 draws, and the one that process 1 draws.',
             'What must be the same in all processes, and what must differ between epochs?')
    verb = 'has these faults:'
    why = ('Each process cuts its part out of the order that *it* has drawn. Only if all draw the '
           'same order do the parts fit together. The epoch may be in the seed; the rank may not.')

    @cases
    def sizes(): return [(6, 2), (12, 3), (8, 1), (40, 4)]

    @outcome
    def faults(given, n, parts):
        epochs = [[torch.as_tensor(given(n, epoch, part, parts)).tolist() for part in range(parts)]
                  for epoch in range(6)]
        seen = [sorted(sum(found, [])) for found in epochs]
        orders = {tuple(map(tuple, found)) for found in epochs}
        return [['rows are seen twice or not at all'] if any(s != [*range(n)] for s in seen) else [],
                ['unequal shares'] if any(len(share) != n//parts for f in epochs for share in f)
                else [], ['no new order'] if len(orders) < 4 else [],
                ['no shuffling'] if all([*zip(*f)] == [*zip(*[iter(range(n))]*parts)] for f in epochs)
                else []]

    @right
    def epoch_alone(n, epoch, part, parts):
        rng = torch.Generator().manual_seed(epoch)
        return torch.randperm(n, generator=rng)[part::parts]

    @right
    def blocks(n, epoch, part, parts):
        rng = torch.Generator().manual_seed(epoch)
        return torch.randperm(n, generator=rng).view(parts, -1)[part]

    @wrong('Still some twice and some not at all: process 0 and process 1 cut their parts out of '
           'two different orders.')
    def own_seeds(n, epoch, part, parts):
        rng = torch.Generator().manual_seed(100*epoch + part)
        return torch.randperm(n, generator=rng)[part::parts]

    @wrong('No row is seen twice. But every epoch has the same order now.')
    def always_the_same(n, epoch, part, parts):
        rng = torch.Generator().manual_seed(0)
        return torch.randperm(n, generator=rng)[part::parts]

    @wrong('No row is seen twice, and nothing is shuffled any more.')
    def in_order(n, epoch, part, parts): return torch.arange(n)[part::parts]

    @wrong('Now each process sees all rows: each row is seen as often as there are processes.')
    def all_rows(n, epoch, part, parts):
        rng = torch.Generator().manual_seed(epoch)
        return torch.randperm(n, generator=rng)


class who_saves(Choose):
    "After each epoch all of 8 processes call `torch.save(model.state_dict(), 'net.pth')`, on one disk. What happens?"
    concept = 'rank'
    hints = ('All 8 hold the same weights. What do they do at the same moment?',)
    why = ('All would write the same, but into one file, at the same time, and one may be killed '
           'over it. One writer, of rank 0, who writes beside and then renames, is enough.')
    right = 'they write into each other\'s file, which may be damaged; one of them is enough'
    wrong = {
        'nothing bad, since all write the same weights':
            'What they write is the same. But each empties the file when it begins, while others '
            'are still writing or have finished.',
        'the file holds the mean of the 8 models':
            'No one takes a mean of files. And there is no need: the models are equal, because '
            'the gradients were averaged at each step.',
        'the file holds an eighth of the weights, of whoever was last':
            'Each process has the whole model. What is shared out are the rows of data.'}


class amdahl(Predict):
    "A tenth of a step is fixed, the rest can be shared out, and messages cost nothing. How many times as fast are 64 processes as one?"
    concept = 'speed-up'
    hints = ('Take a step of 10 ms: 1 ms is fixed. How long are the other 9 ms for 64 processes?',)
    why = ('1 + 9/64 = 1.14 in place of 10: 8.8 times as fast. With any number of processes it is '
           'less than 10 times, as the fixed tenth stays. That is Amdahl\'s law.')
    value, within = 8.77, .06
    wrong = {64: 'That would be so if nothing were fixed.',
             57.6: 'Nine tenths of 64. But times add up, not speeds: how long is a step of 10 ms?',
             10: 'That is the limit, for as many processes as you like. With 64 some of the work '
                 'is still there.',
             71.1: 'That leaves out the fixed tenth: 0.9/64 is 0.014 of a step, and 0.1 comes on '
                   'top.'}


class sent(Predict):
    "Five processes have gradients of 10 MB each and sum them by a ring. How many MB does each of them send?"
    concept = 'all-reduce'
    hints = ('Into how many pieces does each cut its 10 MB?',
             'How many rounds are there, and what does each send in one round?')
    why = '8 rounds, 4 to add up and 4 to hand round, of a fifth of 10 MB each: 16 MB.'
    value, within = 16, .01
    wrong = {8: 'That is the first half, after which each has one piece that is done. The others '
                'want to have it too.',
             40: 'That would be all of it to each of the four others.',
             80: 'In each round one piece goes out, a fifth of the 10 MB.',
             10: 'That is for two processes. How many rounds do five need?',
             20: 'That is the limit for many processes, 2 times the model.'}

"Tasks of chapter 06f, a rate that follows a plan."
from math import cos, pi

from digit_under_hood.choose import Choose
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong


class up_and_down(Do):
    """
    Write `up_and_down(part, rise)`: the factor of a plan without a curve. It goes in a straight
    line from 0 to 1 while `part` goes from 0 to `rise`, and in a straight line back to 0 while
    `part` goes on to 1. `rise` lies between 0 and 1.
    """
    concept = 'schedule'
    equal = {'by_case: part < rise -> part <= rise': 'at the peak both lines are at 1'}
    hints = ('Two cases: before the peak and after it.',
             'Before the peak: which share of the way up is done?',
             'After it: how long is the whole way down, and how much of it is left?')
    why = ('Each way is as long as it is, `rise` or `1 - rise`, and what is done of it is divided by '
           'that length. `one_cycle` does the same, and bends the lines.')

    @cases
    def parts():
        return [(0., .5), (.25, .5), (.5, .5), (.75, .5), (1., .5), (.1, .2), (.2, .2), (.6, .2), (.9, .2),
                (.3, .75), (.75, .75), (.9, .75)]

    @right
    def by_case(part, rise):
        if part < rise: return part/rise
        return (1 - part)/(1 - rise)

    @right
    def lower_line(part, rise): return min(part/rise, (1 - part)/(1 - rise))

    @wrong('It rises well. But then it stays up there.')
    def stays_up(part, rise): return min(part/rise, 1)

    @wrong('At the peak yours jumps: the way down does not begin at 1.')
    def jumps(part, rise): return part/rise if part < rise else 1 - part

    @wrong('The way down begins at 1 and does not reach 0 when the fit ends. How long is that way?')
    def not_down(part, rise): return part/rise if part < rise else 1 - (part - rise)

    @wrong('Yours falls as fast as it rose, so for most `rise` it does not come to 0 at the end.')
    def mirrored(part, rise): return part/rise if part < rise else 1 - (part - rise)/rise

    @wrong('The way up does not reach 1. Which share of it is done at `part`?')
    def too_low(part, rise): return part if part < rise else (1 - part)/(1 - rise)

    @wrong('That is a wave. Straight lines are wanted.')
    def wave(part, rise):
        way, done = ((0, 1), part/rise) if part < rise else ((1, 0), (part - rise)/(1 - rise))
        return way[1] + (way[0] - way[1])*(1 + cos(pi*done))/2


class planned(FixIt):
    """
    `planned(plan, lr, epochs, batches)` lists the rate of each step of a fit: as many steps as
    there are `batches` in each of its `epochs`, and at each the factor of `plan` times `lr`. But
    with more than one epoch the curve is a saw. Repair it.
    """
    concept, planted = 'schedule', 'saw'
    hints = ('Draw what comes out for two epochs of three batches.',
             'The plan is for the whole fit. Which part of the *fit* is done before a step?',
             'How many steps does the fit have, and how many were taken before this one?')
    why = ('The part counts the steps of the whole fit: those taken, of all. So a plan belongs to a '
           'number of epochs, and who goes on with a fit must say where it stands.')

    @cases
    def fits():
        def falls(part): return 1 - part
        def rises(part): return .1 + part
        def squared(part): return (1 - part)**2
        return [(falls, .5, 1, 1), (falls, .8, 1, 4), (falls, .6, 2, 3), (rises, 1., 3, 2), (squared, 2., 2, 2)]

    @outcome
    def rates(given, plan, lr, epochs, batches): return [*given(plan, lr, epochs, batches)]

    @right
    def all_steps(plan, lr, epochs, batches):
        steps = epochs*batches
        return [lr*plan(step/steps) for step in range(steps)]

    @right
    def epoch_and_batch(plan, lr, epochs, batches):
        return [lr*plan((epoch + batch/batches)/epochs)
                for epoch in range(epochs) for batch in range(batches)]

    @wrong('Still a saw: with each epoch the plan begins anew.')
    def saw(plan, lr, epochs, batches):
        return [lr*plan(batch/batches) for epoch in range(epochs) for batch in range(batches)]

    @wrong('A staircase: within an epoch the rate does not change.')
    def stairs(plan, lr, epochs, batches):
        return [lr*plan(epoch/epochs) for epoch in range(epochs) for batch in range(batches)]

    @wrong('The first step should be where the plan begins. Yours counts from 1.')
    def from_one(plan, lr, epochs, batches):
        steps = epochs*batches
        return [lr*plan((step + 1)/steps) for step in range(steps)]

    @wrong('Each rate is made from the one before, so that the factors pile up. The factor belongs '
           'to the `lr` of the fit.')
    def piled_up(plan, lr, epochs, batches):
        made, steps = [], epochs*batches
        for step in range(steps):
            lr = lr*plan(step/steps)
            made.append(lr)
        return made

    @wrong('Those are the factors. What becomes of `lr`?')
    def factors(plan, lr, epochs, batches):
        steps = epochs*batches
        return [plan(step/steps) for step in range(steps)]


class why_less_delicate(Choose):
    "Why does a schedule make the choice of the learning rate less delicate?"
    concept, hints = 'schedule', ('At which steps does the full rate act?',)
    right = 'The large rate acts in the middle only: a fresh network is spared it, and so is the end.'
    why = ('The fit begins with steps that a fresh network bears, and ends with steps so small that '
           'the noise of the batches is averaged out. A constant rate must be right for the '
           'beginning, the middle and the end at once.')
    wrong = {'It looks at the loss and lowers the rate when the loss rises.':
             'A plan looks at nothing: its rates are known before the first step.',
             'On average its rate is smaller, and a smaller rate is always safer.':
             'Then a smaller constant rate would do as well. A rate that is too small does not get '
             'there in two epochs.',
             'It finds the best rate by itself.':
             'It multiplies the rate that *you* chose. The finder of part d is what looks for one.'}


class why_32_bits(Choose):
    "Why does autocast leave the weights in 32 bits?"
    concept, hints = 'autocast', ('How large is a step, beside the weight that it changes?',)
    right = 'A step is a small part of a weight. In 16 bits it would often be rounded away.'
    why = 'In bfloat16, 1 + 0.003 is rounded to 1: many steps would change nothing.'
    wrong = {'Weights may be larger than what fits into bfloat16.':
             'Its *range* is that of 32 bits. What it lacks are digits.',
             'Processors cannot multiply 16-bit weights.':
             'They do: for the multiplication a copy of the weights in 16 bits is made.',
             'So that the file of the weights can be read everywhere.':
             'Files of bfloat16 can be read as well. Think of what happens to a weight in training.'}

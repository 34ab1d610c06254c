"The tool that makes mistakes on purpose: which it makes, and which tests it runs on them."
import mutants

CODE = '''LIMIT = 3
class A:
    def f(self, a:int=1, b:int|None=None):
        a += 2
        return g(a, key=a < b)
'''


def test_mistakes_are_small_and_leave_annotations_alone():
    told = [mutants.told(CODE, mutant) for _, mutant in mutants.mutants(CODE)]
    assert told == [
        'LIMIT = [-3-]{+2+}', 'LIMIT = [-3-]{+4+}',
        'def f(self, a:int[-=1-]{+= 0+}, b:int|None=None):',
        'def f(self, a:int[-=1-]{+= 2+}, b:int|None=None):',
        '[-a += 2-]{+pass+}', 'a += [-2-]{+1+}', 'a += [-2-]{+3+}',
        'return g([-a, key=a < b-]{+a+})',
        'return g(a, key=a [-<-]{+<=+} b)', 'return g(a, key=a [-<-]{+>=+} b)']


def test_a_mistake_is_tried_by_the_tests_that_reach_it():
    "Its line, or else its function, its class, all; the quickest first"
    notes = {'slow': (3., ['m.py 4', 'm.py 5']), 'quick': (1., ['m.py 5', 'n.py 1']),
             'other': (2., ['n.py 4'])}
    tried = {line: mutants.reaching(CODE, 'm', line, notes) for line in (1, 2, 3, 4, 5)}
    assert tried == {1: ['quick', 'other', 'slow'], 2: ['quick', 'slow'], 3: ['quick', 'slow'],
                     4: ['slow'], 5: ['quick', 'slow']}


def test_every_known_survivor_has_a_reason():
    groups = mutants.known()
    assert groups and all(len(why) > 20 and names for why, names in groups.items())
    names = [name for group in groups.values() for name in group]
    assert len(names) == len({*names})
    assert {name.partition(':')[0] for name in names} <= {*mutants.MODULES}

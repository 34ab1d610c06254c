"Tasks: a file for each chapter, named as its module; here is their order on the road."
import re
from functools import cache
from pathlib import Path

CHAPTERS = {
    'data': '00', 'pixels': '01', 'similarity': '02', 'broadcasting': '03a', 'validation': '03b',
    'quadratic_sgd': '04a', 'valleys': '04b', 'mnist_linear': '05a', 'gradients': '05b',
    'epochs': '05c', 'comparing': '05d', 'training_loop': '06a', 'callbacks': '06b',
    'learner': '06c', 'tuning': '06d', 'checkpoint': '06e', 'schedules': '06f',
    'mlp': '07a', 'looking_inside': '07b',
    'ten_digits': '08a', 'calibration': '08b', 'convnet': '09',
    'fooling': '10a', 'robustness': '10b', 'distributed': '11'}


@cache
def names() -> tuple[str, ...]:
    "All tasks, file by file, each as in 'similarity.double_odds'"
    return tuple(f'{file.stem}.{name}' for file in sorted(Path(__path__[0]).glob('[a-z]*.py'))
                 for name in re.findall(r'^class ([a-z]\w*)', file.read_text(encoding='utf-8'), re.M))

"What the workflows may do: no action that can change under us, no code of ours that can write."
import re
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1]/'.github/workflows'
workflows = pytest.mark.parametrize('path', sorted(FOLDER.glob('*.y*ml')), ids=lambda p: p.stem)


def steps(path: Path) -> list[tuple[dict, dict]]:
    "Each step, with the permissions of its job"
    workflow = yaml.safe_load(path.read_text(encoding='utf-8'))
    return [(step, job.get('permissions', workflow['permissions']))
            for job in workflow['jobs'].values() for step in job['steps']]


@workflows
def test_actions_are_pinned_by_digest_and_named(path):
    used = re.findall(r'\buses: *(.*)', path.read_text(encoding='utf-8'))
    assert used
    for action in used: assert re.fullmatch(r'[\w/-]+@[0-9a-f]{40} +# v[\d.]+', action), action


@workflows
def test_credentials_are_not_kept(path):
    checkouts = [step for step, _ in steps(path) if 'actions/checkout@' in step.get('uses', '')]
    assert checkouts
    assert all(step['with']['persist-credentials'] is False for step in checkouts)


@workflows
def test_a_job_that_can_write_runs_nothing_of_the_repository(path):
    for step, permissions in steps(path):
        if set(permissions.values()) <= {'read'}: continue
        assert 'checkout' not in step.get('uses', '')
        assert not re.search(r'\b(make|python|pip|bash)\b', step.get('run', ''))


@workflows
def test_nothing_from_outside_is_pasted_into_a_script(path):
    "`${{ }}` in a script runs what it holds: values come as variables"
    for step, _ in steps(path): assert '${{' not in step.get('run', '')


def test_the_site_is_published_only_once_its_tests_have_passed():
    "What was tested is what is built: the same commit, with the same versions of what makes pages"
    text = (FOLDER/'deploy.yaml').read_text(encoding='utf-8')
    begins = yaml.safe_load(text)[True]   # `on` is a boolean in YAML 1.1
    tests = yaml.safe_load((FOLDER/'test.yaml').read_text(encoding='utf-8'))['name']
    assert begins == {'workflow_run': {'workflows': [tests], 'types': ['completed'],
                                       'branches': ['main']}}
    jobs = yaml.safe_load(text)['jobs']
    assert "github.event.workflow_run.conclusion == 'success'" in jobs['build']['if']
    assert "github.event.workflow_run.event != 'pull_request'" in jobs['build']['if']
    checkout = next(step for step in jobs['build']['steps'] if 'checkout' in step.get('uses', ''))
    assert checkout['with']['ref'] == '${{ github.event.workflow_run.head_sha }}'
    assert jobs['publish']['needs'] == 'build'
    config = ConfigParser(interpolation=None)
    config.read(FOLDER.parents[1]/'settings.ini', encoding='utf-8')
    pins = dict(word.split('==') for word in config['DEFAULT']['dev_requirements'].split()
                if '==' in word)
    makers = {'markdown-it-py', 'mdit-py-plugins', 'pygments', 'math-core', 'jinja2'}
    assert makers <= pins.keys() and all(version(name) == pins[name] for name in pins)

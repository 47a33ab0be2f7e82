"""dbt as it is after some use: read in the forkserver of `tests.programs`, this saves every run of dbt two or three seconds.

What dbt makes of its own classes at first use (readers, writers and schemas of nodes and settings) takes it more processor
time than reading the project, and compiling macros a fifth of what it takes to build models. A project of one node of each
kind (but of unit tests, which dbt reads with threads), and of the macros of this one, has it done once. Nothing else stays
of that: what is compiled is found by its text.
"""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from textwrap import dedent

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import template_cache

from loaders.config import PROJECT_ROOT

PROJECT = {
    "dbt_project.yml": """
        {name: one_of_each, version: 1.0.0, profile: none, flags: {send_anonymous_usage_stats: false}}
    """,
    "profiles.yml": """
        {none: {target: none, outputs: {none: {
            type: postgres, host: none, port: 1, user: none, password: none, dbname: none, schema: none}}}}
    """,
    "models/model.sql": "select * from {{ source('source', 'table') }} inner join {{ ref('seed') }} using (key)",
    "models/properties.yml": """
        sources: [{name: source, tables: [{name: table, columns: [{name: key, data_tests: [unique]}]}]}]
        models:
          - name: model
            config: {contract: {enforced: true}}
            constraints: [{type: primary_key, columns: [key]}]
            columns: [{name: key, data_type: integer, data_tests: [unique]}]
    """,
    "models/docs.md": "{% docs doc %}{% enddocs %}",
    "snapshots/snapshot.sql": """
        {% snapshot snapshot %}
        {{ config(unique_key='key', strategy='check', check_cols='all') }}
        select * from {{ ref('model') }}
        {% endsnapshot %}
    """,
    "seeds/seed.csv": "key\n1\n",
    "tests/test.sql": "select 1 from {{ ref('model') }} where false",
}


def _read(project: Path) -> Manifest:
    with contextlib.redirect_stdout(io.StringIO()):
        places = ["--project-dir", str(project), "--profiles-dir", str(project)]
        # a fork lacks the threads of the static parser, and would wait for them for ever
        done = dbtRunner().invoke(["--quiet", "--no-static-parser", "parse", *places])
    assert isinstance(done.result, Manifest), done.exception
    return done.result


def _threads() -> int:
    """Threads of this process, those of libraries too, where the system tells."""
    return sum(1 for _ in Path("/proc/self/task").glob("*"))


def _make_ready() -> None:
    before = _threads()
    for name in [name for name in os.environ if name.startswith("DBT_")]:
        del os.environ[name]  # of the user's own project; every fork has an environment of its own
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name, text in PROJECT.items():
            path = project / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        for part in ("macros", "tests/generic"):
            # without descriptions, which name documents of the whole project
            ignored = shutil.ignore_patterns("*.yml", "*.md")
            shutil.copytree(PROJECT_ROOT / part, project / part, ignore=ignored)
        _read(project)
        # from what the first has left, as nearly every run of the tests reads it
        for macro in _read(project).macros.values():
            template_cache.get_node_template(macro)
    assert _threads() == before, "dbt has started threads that its forks would wait for"


_make_ready()

"""dbt as users start it, timed: the whole process, and every model by dbt's own clock."""

import json
from dataclasses import dataclass
from datetime import datetime

from tests.bench.report import stop_watch
from tests.conftest import ROOT, Database


@dataclass(frozen=True)
class Build:
    """One run of dbt.

    Attributes:
        seconds: of the whole process.
        models: seconds by name of a model, introspection and hooks included.
        models_seconds: from the start of the first model to the end of the last one; some run at once.
    """

    seconds: float
    models: dict[str, float]
    models_seconds: float


def build(database: Database, *arguments: str) -> Build:
    """Run dbt to a good end."""
    with stop_watch() as watch:
        done = database.dbt(*arguments, "--write-json")
    assert done.returncode == 0, done.stdout[-4000:]
    target = ROOT / "build" / "dbt" / database.environment["PGDATABASE"] / "target"
    results = json.loads((target / "run_results.json").read_text())["results"]
    models = [result for result in results if result["unique_id"].startswith("model.")]
    moments = [
        datetime.fromisoformat(phase[end])
        for result in models
        for phase in result["timing"]
        for end in ("started_at", "completed_at")
    ]
    return Build(
        watch[0],
        {result["unique_id"].split(".")[2]: result["execution_time"] for result in models},
        (max(moments) - min(moments)).total_seconds(),
    )

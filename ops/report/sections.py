"""Sections of the report: which view each one reads, and how it is drawn and told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ops.report import charts

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes:
        view: in the schema quality; one row is one line of the section's table.
        title_ko: heading.
        title_en: heading in English.
        note_ko: what to look at.
        note_en: the same in English.
        order_by: columns of the view.
        draw: makes the chart of its rows as SVG; without one there is a table only.
        none_ko: what an empty view means.
        none_en: the same in English.
    """

    view: str
    title_ko: str
    title_en: str
    note_ko: str
    note_en: str
    order_by: Sequence[str]
    draw: Callable[[Sequence[Row]], str] | None = None
    none_ko: str = "해당 기간에 없습니다."
    none_en: str = "None in the days of the report."


VERDICTS = "report_verdicts"

SECTIONS = (
    Section(
        "report_collection",
        "수집 성공률",
        "Success rate by source and dataset",
        "칸은 출처·데이터셋·범위·날짜 하나이며 마지막 시도의 결과를 셉니다. 아직 공표되지 않은 칸은 성공률에서 빠집니다.",
        "A cell is one source, dataset, scope and day; its newest attempt counts. What is not published yet is left out.",
        ("dataset", "source"),
        charts.collection,
        "해당 기간에 수집한 것이 없습니다.",
        "Nothing was collected for these days.",
    ),
    Section(
        "report_lateness",
        "지연",
        "Lateness",
        "공표 시각부터 하루치가 모두 들어올 때까지 걸린 시간(막대는 중앙값, 눈금은 최댓값)과 현재 밀린 거래일 수입니다.",
        "Hours from publication until a day was here as a whole (bar: median, tick: longest), and sessions behind now.",
        ("dataset", "source"),
        charts.lateness,
        "수집한 데이터셋이 없습니다.",
        "No dataset has been collected.",
    ),
    Section(
        "report_completeness",
        "완전성: 거래일 × 데이터셋",
        "Completeness: sessions × datasets",
        "그날 상장되어 있고 이 기간에 한 번이라도 있었던 종목 가운데 값이 있는 비율(%)입니다. 회색은 아직 기한이 아닌 칸입니다.",
        "Names with a value, in % of those listed on the day that were there at least once. Grey: not due yet.",
        ("dataset", "trade_date"),
        charts.completeness,
    ),
    Section(
        "report_missing",
        "빠진 값과 사유",
        "What is missing, and why",
        "있어야 할 종목·거래일이 마트에 없는 경우입니다. 문제(is_problem)가 아닌 것은 휴장·정지처럼 없는 것이 맞습니다.",
        "Stock and session that could be expected and are in no mart. Where is_problem is false, nothing could be there.",
        ("is_problem desc", "dataset", "reason_code"),
        charts.missing,
        "빠진 값이 없습니다.",
        "Nothing is missing.",
    ),
    Section(
        "report_values",
        "결측값과 이상값",
        "NULLs and outliers",
        "이상값은 같은 종목의 직전 거래일 값의 한계 배수를 넘게 뛰거나 준 값으로, 틀린 값이라는 뜻은 아닙니다."
        " 거래가 없는 날의 시가·고가·저가는 NULL이 맞습니다.",
        "An outlier leaps beyond a multiple of the name's session before: odd, not wrong."
        " Without trades a day has no open, high and low.",
        ("dataset", "field"),
        charts.values,
    ),
    Section(
        "report_disagreements",
        "출처 간 불일치",
        "Disagreements between sources",
        "허용 오차를 넘어 다른 값의 수입니다. 마트에는 채택 출처(published_source)의 값이 있습니다.",
        "Values beyond the tolerance of their field. The marts hold the published source's.",
        ("dataset", "field", "published_source", "other_source"),
        charts.disagreements,
        "허용 오차를 넘는 차이가 없습니다.",
        "No two sources differ beyond the tolerances.",
    ),
    Section(
        "report_revisions",
        "정정",
        "Revisions",
        "출처가 이미 알려 준 값을 나중에 바꾼 경우입니다.",
        "Values that a vendor changed after it had told them.",
        ("revised_date", "dataset", "source", "field"),
        charts.revisions,
        "정정된 값이 없습니다.",
        "No vendor changed anything.",
    ),
    Section(
        "report_rows_by_rule",
        "규칙별 제외·경고 행",
        "Rejected and warned rows by rule",
        "제외된 행(REJECTED)은 마트에 들어가지 않고, 경고된 행(WARNED)은 발행되었습니다.",
        "REJECTED rows stay out of the marts, WARNED ones are published.",
        ("outcome", "dataset", "rule_id", "source"),
        charts.rows_by_rule,
        "규칙을 어긴 행이 없습니다.",
        "No row broke a rule.",
    ),
    Section(
        "report_checks",
        "품질 검사",
        "Checks",
        "각 dbt 검사의 가장 최근 결과입니다.",
        "The newest result of every dbt test.",
        ("failed_count desc", "warned_count desc", "table_name", "check_type"),
        charts.checks,
        "해당 기간에 실행된 검사가 없습니다.",
        "No check ran in these days.",
    ),
    Section(
        "held_days",
        "발행이 보류된 날",
        "Days held back",
        "관문을 통과하지 못해 보류된 데이터셋과 날짜이며, 마트에는 마지막으로 정상이던 값이 남아 있습니다.",
        "Dataset and day that did not pass a gate; the marts keep what was last good.",
        ("trade_date desc", "dataset"),
        None,
        "보류된 날이 없습니다.",
        "No day is held back.",
    ),
)


def read(
    connection: psycopg.Connection, view: str, order_by: Sequence[str]
) -> tuple[list[str], list[dict[str, Any]]] | None:
    """Columns and rows of a view of the schema quality; None where it has not been built."""
    found = connection.execute("select to_regclass(%s)", (f"quality.{view}",)).fetchone()
    if found is None or found[0] is None:
        return None
    order = sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            sql.Identifier(name.split()[0]), sql.SQL("desc" if name.endswith(" desc") else "asc")
        )
        for name in order_by
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            sql.SQL("select * from {} order by {}").format(sql.Identifier("quality", view), order)
        )
        return [column.name for column in cursor.description or ()], cursor.fetchall()

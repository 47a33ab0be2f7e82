"""Charts of the report as SVG: a grammar of Altair, drawn by vl-convert. No script and no font travels with the page."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

Row = Mapping[str, Any]

FONT = "Noto Sans CJK KR, Noto Sans KR, Apple SD Gothic Neo, Malgun Gothic, NanumGothic, sans-serif"
WIDTH = 680
PADDING = {"left": 60, "right": 12, "top": 5, "bottom": 5}
GOOD, FAIR, POOR, BAD, QUIET = "#2e7d4f", "#a5c96a", "#e8a33d", "#c0392b", "#c9ced6"
ROW_STEP = 20
WHOLE = 99.995
BUCKETS = (
    ("100 %", WHOLE, GOOD),
    ("98 %+", 98, FAIR),
    ("90 %+", 90, "#f2d06b"),
    ("50 %+", 50, POOR),
    ("50 % 미만 less", 0, BAD),
    ("기한 전 not due", None, "#e6e9ee"),
)
"""Shades of the heat map: name, lowest percent, colour."""


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as numbers and text: decimals and dates mean nothing to a chart."""
    frame = pd.DataFrame([dict(row) for row in rows])
    for column in frame:
        if frame[column].map(lambda value: hasattr(value, "quantize")).any():
            frame[column] = frame[column].astype(float)
        elif frame[column].map(lambda value: hasattr(value, "isoformat")).any():
            frame[column] = frame[column].map(lambda value: value.isoformat() if value else None)
    return frame


def _svg(chart: alt.Chart | alt.LayerChart | alt.FacetChart) -> str:
    # the reader's font may be wider than the one that texts are measured by here: room at the left and in the legend
    styled = (
        chart.configure(font=FONT, background="transparent", padding=PADDING)
        .configure_view(stroke=None)
        .configure_axis(
            labelLimit=330, titleFontWeight="normal", titleColor="#555", gridColor="#eceff3"
        )
        .configure_legend(
            orient="top", title=None, symbolType="square", labelLimit=300, columnPadding=36
        )
    )
    return vl_convert.vegalite_to_svg(styled.to_json())


def _bars(
    frame: pd.DataFrame,
    label: str,
    value: str,
    title: str,
    color: alt.Color,
    *,
    order: Sequence[str] | None = None,
) -> str:
    """Horizontal bars, one line a label, with room for both languages."""
    chart = (
        alt.Chart(frame, width=WIDTH, height=alt.Step(ROW_STEP))
        .mark_bar()
        .encode(
            x=alt.X(f"{value}:Q", title=title, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y(f"{label}:N", title=None, sort=order or "ascending"),
            color=color,
        )
    )
    return _svg(chart)


def _stacked(
    rows: Sequence[Row], label: Sequence[str], parts: Mapping[str, tuple[str, str]], title: str
) -> str:
    """Bars whose parts are columns: column to legend text and colour."""
    frame = _frame(rows)
    frame["label"] = frame[list(label)].agg(" · ".join, axis=1)
    long = frame.melt("label", list(parts), "part", "count")
    texts = {column: text for column, (text, _) in parts.items()}
    long["part"] = long["part"].map(texts)
    color = alt.Color(
        "part:N",
        scale=alt.Scale(domain=list(texts.values()), range=[shade for _, shade in parts.values()]),
    )
    long["rank"] = long["part"].map({text: rank for rank, text in enumerate(texts.values())})
    chart = (
        alt.Chart(long, width=WIDTH, height=alt.Step(ROW_STEP))
        .mark_bar()
        .encode(
            x=alt.X(
                "count:Q", title=title, stack="normalize", axis=alt.Axis(format="%", tickCount=5)
            ),
            y=alt.Y("label:N", title=None),
            color=color,
            order="rank:Q",
        )
    )
    return _svg(chart)


def collection(rows: Sequence[Row]) -> str:
    """How the cells of every source and dataset ended."""
    return _stacked(
        rows,
        ("dataset", "source"),
        {
            "success_count": ("성공 success", GOOD),
            "empty_count": ("없음 empty", FAIR),
            "not_published_count": ("미공표 not published", QUIET),
            "failed_count": ("실패 failed", BAD),
        },
        "칸의 비율 (share of cells)",
    )


def lateness(rows: Sequence[Row]) -> str:
    """Hours after publication; red where the due session has not come."""
    frame = _frame(rows)
    frame["label"] = frame["dataset"] + " · " + frame["source"]
    frame["state"] = frame["is_late"].map({True: "지연 late", False: "제때 in time"})
    frame["end"] = (
        frame[["median_delay_hours", "longest_delay_hours"]].astype(float).max(axis=1).fillna(0)
    )
    frame["lag"] = frame["lag_sessions"].map(
        lambda lag: (
            "한 번도 없음 (never)" if pd.isna(lag) else f"{int(lag)} 거래일 밀림 (sessions behind)"
        )
    )
    lines = alt.Chart(frame, width=WIDTH, height=alt.Step(ROW_STEP)).encode(
        y=alt.Y("label:N", title=None)
    )
    bars = lines.mark_bar(height=10).encode(
        x=alt.X("median_delay_hours:Q", title="공표 후 시간 (hours after publication)"),
        color=alt.Color(
            "state:N", scale=alt.Scale(domain=["제때 in time", "지연 late"], range=[GOOD, BAD])
        ),
    )
    ticks = lines.mark_tick(color="#333", thickness=2, height=14).encode(x="longest_delay_hours:Q")
    # a late source of which nothing came has no bar: it is named all the same
    late = (
        lines.transform_filter("datum.is_late")
        .mark_text(align="left", dx=6, color=BAD, fontWeight="bold")
        .encode(x="end:Q", text="lag:N")
    )
    return _svg(alt.layer(bars, ticks, late))


def completeness(rows: Sequence[Row]) -> str:
    """Heat map of sessions by datasets, with the percent in every cell that is not whole."""
    frame = _frame(rows)
    frame["day"] = frame["trade_date"].str[5:]
    is_told = frame["is_due"] | (frame["completeness_percent"] > 0)
    told = frame["completeness_percent"].fillna(0).where(is_told)
    frame["text"] = [f"{value:.0f}" if value < WHOLE else "" for value in told.fillna(100)]
    names = [name for name, _, _ in BUCKETS]
    frame["bucket"] = "기한 전 not due"
    for name, lowest, _ in reversed(BUCKETS[:-1]):
        frame.loc[told >= lowest, "bucket"] = name
    color = alt.Color(
        "bucket:N", scale=alt.Scale(domain=names, range=[shade for _, _, shade in BUCKETS])
    )
    days = [day[5:] for day in sorted(frame["trade_date"].unique())]
    base = alt.Chart(frame, width=alt.Step(36), height=alt.Step(28)).encode(
        x=alt.X("day:O", title=None, sort=days, axis=alt.Axis(labelAngle=-45, orient="top")),
        y=alt.Y("dataset:N", title=None),
    )
    cells = base.mark_rect(stroke="white", strokeWidth=2).encode(color=color)
    is_dark = f"datum.bucket === '{BUCKETS[4][0]}'"
    numbers = base.mark_text(fontSize=11).encode(
        text="text:N", color=alt.condition(is_dark, alt.value("white"), alt.value("#222"))
    )
    return _svg(alt.layer(cells, numbers))


def missing(rows: Sequence[Row]) -> str:
    """Missing cells by dataset and reason."""
    frame = _frame(rows)
    frame["label"] = frame["dataset"] + " · " + frame["reason_code"] + " · " + frame["reason_ko"]
    frame["kind"] = frame["is_problem"].map(
        {True: "확인 필요 look at it", False: "정상 nothing could be there"}
    )
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(
            domain=["확인 필요 look at it", "정상 nothing could be there"], range=[POOR, QUIET]
        ),
    )
    return _bars(frame, "label", "cell_count", "종목·거래일 수 (stock days)", color)


def values(rows: Sequence[Row]) -> str:
    """Share of NULLs, and leaps, by field; fields with neither are in the table alone."""
    frame = _frame(rows)
    frame["label"] = frame["dataset"] + "." + frame["field"]
    frame["unexplained_null_percent"] = 100 * frame["unexplained_null_count"] / frame["value_count"]
    frame["leap_percent"] = 100 * frame["leap_count"] / frame["value_count"]
    long = frame.melt("label", ["unexplained_null_percent", "leap_percent"], "kind", "percent")
    long = long[long["percent"] > 0]
    if long.empty:
        return ""
    texts = {"unexplained_null_percent": "결측 NULL", "leap_percent": "이상값 outlier"}
    long["kind"] = long["kind"].map(texts)
    color = alt.Color(
        "kind:N", scale=alt.Scale(domain=list(texts.values()), range=["#6b7f9e", POOR])
    )
    return _bars(long, "label", "percent", "값의 비율 % (percent of values)", color)


def disagreements(rows: Sequence[Row]) -> str:
    """Values that differ, by field, coloured by the pair of sources."""
    frame = _frame(rows)
    frame["label"] = frame["dataset"] + "." + frame["field"]
    frame["pair"] = frame["published_source"] + " ≠ " + frame["other_source"]
    return _bars(
        frame,
        "label",
        "value_count",
        "값의 수 (values)",
        alt.Color("pair:N", scale=alt.Scale(scheme="tableau10")),
    )


def revisions(rows: Sequence[Row]) -> str:
    """Changed values by field, coloured by source."""
    frame = _frame(rows)
    frame["label"] = frame["dataset"] + "." + frame["field"]
    return _bars(
        frame,
        "label",
        "value_count",
        "값의 수 (values)",
        alt.Color("source:N", scale=alt.Scale(scheme="tableau10")),
    )


def rows_by_rule(rows: Sequence[Row]) -> str:
    """Rows by rule, coloured by what became of them."""
    frame = _frame(rows)
    frame["label"] = frame["dataset"] + " · " + frame["rule_id"] + " · " + frame["source"]
    frame["kind"] = frame["outcome"].map({"REJECTED": "제외 rejected", "WARNED": "경고 warned"})
    color = alt.Color(
        "kind:N", scale=alt.Scale(domain=["제외 rejected", "경고 warned"], range=[BAD, POOR])
    )
    return _bars(frame, "label", "row_count", "행 수 (rows)", color)


def checks(rows: Sequence[Row]) -> str:
    """Results of checks by kind."""
    frame = _frame(rows)
    summed = frame.groupby("check_type", as_index=False)[
        ["passed_count", "warned_count", "failed_count"]
    ].sum()
    return _stacked(
        summed.to_dict("records"),  # type: ignore[arg-type]
        ("check_type",),
        {
            "passed_count": ("통과 passed", GOOD),
            "warned_count": ("경고 warned", POOR),
            "failed_count": ("실패 failed", BAD),
        },
        "검사의 비율 (share of checks)",
    )

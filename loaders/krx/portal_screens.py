"""The screens of the exchange's data portal that can be collected: one line each.

What a screen's records hold stands in `models/staging/krx/_krx_portal__sources.yml` under the same name.
"""

from dataclasses import dataclass
from enum import StrEnum


class Days(StrEnum):
    """How a screen is told for which days it is asked."""

    SPAN = "strtDd, endDd"
    DAY = "trdDd"
    NONE = "not at all"


@dataclass(frozen=True)
class Screen:
    """A screen of the portal.

    Attributes:
        bld: the portal's name for the query behind the screen.
        days: parameters that hold the days.
    """

    bld: str
    days: Days = Days.NONE


def _standard(number: str, days: Days = Days.NONE) -> Screen:
    return Screen(f"dbms/MDC/STAT/standard/MDCSTAT{number}", days)


SCREENS = {
    "finder_stkisu": Screen("dbms/comm/finder/finder_stkisu"),
    "finder_listdelisu": Screen("dbms/comm/finder/finder_listdelisu"),
    "mdcstat00301": _standard("00301", Days.SPAN),
    "mdcstat00401": _standard("00401"),
    "mdcstat00601": _standard("00601", Days.DAY),
    "mdcstat01501": _standard("01501", Days.DAY),
    "mdcstat01602": _standard("01602", Days.SPAN),
    "mdcstat01701": _standard("01701", Days.SPAN),
    "mdcstat01901": _standard("01901"),
    "mdcstat02201": _standard("02201", Days.SPAN),
    "mdcstat02202": _standard("02202", Days.SPAN),
    "mdcstat02301": _standard("02301", Days.SPAN),
    "mdcstat02302": _standard("02302", Days.SPAN),
    "mdcstat02303": _standard("02303", Days.SPAN),
    "mdcstat02401": _standard("02401", Days.SPAN),
    "mdcstat03701": _standard("03701", Days.DAY),
    "mdcstat03901": _standard("03901", Days.DAY),
    "mdcstat04301": _standard("04301", Days.DAY),
    "mdcstat04501": _standard("04501", Days.SPAN),
    "mdcstat04601": _standard("04601"),
    "mdcstat04801": _standard("04801", Days.SPAN),
    "mdcstat04802": _standard("04802", Days.SPAN),
    "mdcstat04901": _standard("04901", Days.SPAN),
    "mdcstat04902": _standard("04902", Days.SPAN),
    "mdcstat05001": _standard("05001", Days.DAY),
    "mdcstat23801": Screen("dbms/MDC/STAT/issue/MDCSTAT23801", Days.SPAN),
}

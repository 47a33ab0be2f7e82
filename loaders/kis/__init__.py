"""한국투자증권 (Korea Investment & Securities): master files without a key, and the REST API with one.

README.md in this folder says what the broker offers and under which terms.
"""

from loaders.feeds import Source
from loaders.kis import api, master

SOURCE = Source(
    name="kis",
    title="한국투자증권 (Korea Investment & Securities)",
    services=(master.SERVICE, api.SERVICE),
    listings=master.LISTINGS,
)

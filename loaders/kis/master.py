"""Master files of the broker: every security of a market with sectors and index flags, zipped, without a key."""

from pydantic_settings import SettingsConfigDict

from loaders.config import SourceSettings
from loaders.feeds import Service


class KisMasterSettings(SourceSettings):
    """`KIS_MASTER_BASE_URL`, `KIS_MASTER_REQUESTS_PER_MINUTE`; no key."""

    model_config = SettingsConfigDict(env_prefix="KIS_MASTER_")

    base_url: str = "https://new.real.download.dws.co.kr"
    requests_per_minute: float = 30


SERVICE = Service(
    name="master",
    title="종목 마스터 파일 (master files)",
    settings=KisMasterSettings,
    how_to_get="no key needed",
    feeds=(),
)

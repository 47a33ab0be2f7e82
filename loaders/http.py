"""One HTTP client per vendor: retries, back-off and the vendor's rate, each from a library.

dlt's `requests` client retries 429, 5xx, time-outs and dropped connections with exponential back-off and honours
Retry-After; requests-ratelimiter keeps the published rate, retries included.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlparse

import requests
from dlt.sources.helpers.requests import Client
from requests_ratelimiter import LimiterAdapter

from loaders.config import RunSettings, SourceSettings
from loaders.errors import RequestFailedError


class VendorClient:
    """HTTP client of one vendor.

    Args:
        settings: base URL, rate and secrets of the vendor.
        run: time-outs and attempts.
        is_busy: says of a body with HTTP 200 that it means "slow down", so that it is retried like a 429.
    """

    def __init__(
        self,
        settings: SourceSettings,
        run: RunSettings,
        is_busy: Callable[[bytes], bool] = lambda _body: False,
    ) -> None:
        self._client = Client(
            request_timeout=run.http_timeout_seconds,
            raise_for_status=False,
            request_max_attempts=run.http_attempts,
            request_backoff_factor=run.http_backoff_seconds,
            request_max_retry_delay=120,
            retry_condition=lambda response, _error: (
                response is not None and is_busy(response.content)
            ),
        )
        self._adapter = (
            LimiterAdapter(per_second=settings.requests_per_minute / 60)
            if settings.requests_per_minute
            else None
        )

    def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> requests.Response:
        """GET, retried and throttled.

        Raises:
            RequestFailedError: no answer after all attempts (refused, time-out, connection dropped).
        """
        session = self._client.session
        if self._adapter and session.adapters.get("https://") is not self._adapter:
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
        try:
            response: requests.Response = session.get(
                url, params=dict(params), headers=dict(headers)
            )
        except requests.RequestException as error:
            host = urlparse(url).netloc
            raise RequestFailedError(
                f"no answer from {host}: {type(error).__name__}; check the network and the *_BASE_URL variable"
            ) from None
        return response

    def close(self) -> None:
        """Stop the rate limiter's thread and close connections."""
        if self._adapter:
            self._adapter.close()

"""One HTTP client per service: retries, back-off and the vendor's rate, each from a library.

dlt's `requests` client retries 429, 5xx, time-outs and dropped connections with exponential back-off and honours
Retry-After; requests-ratelimiter keeps the published rate, retries included. Requests are spaced evenly: a vendor counts what
arrives within a second, and of a second's worth sent at once, a part arrives within the next one's second.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlparse

import requests
from dlt.sources.helpers.requests import Client
from requests.adapters import DEFAULT_POOLSIZE
from requests_ratelimiter import HostBucketFactory, Limiter, LimiterAdapter, Rate

from loaders.config import RunSettings, SourceSettings
from loaders.errors import RequestFailedError

TOO_MANY_REQUESTS = 429
BUSY_STATUSES = (TOO_MANY_REQUESTS, *range(500, 600))
MILLISECONDS_PER_MINUTE = 60_000


class VendorClient:
    """HTTP client of one service; cookies live as long as the client.

    Args:
        settings: base URL, rate and secrets of the service.
        run: time-outs and attempts.
        is_busy: says of a response that it means "slow down", so that it is retried like a 429.
        is_final: says of a response with 429 or 5xx that asking again is no use.
        is_down: says that the host has answered with nothing but errors lately, so that one more is not asked again.
    """

    def __init__(
        self,
        settings: SourceSettings,
        run: RunSettings,
        is_busy: Callable[[requests.Response], bool] = lambda _response: False,
        is_final: Callable[[requests.Response], bool] = lambda _response: False,
        is_down: Callable[[], bool] = lambda: False,
    ) -> None:
        def is_worth_retrying(
            response: requests.Response | None, _error: BaseException | None
        ) -> bool:
            if response is None:
                return False  # errors without a response are retried by their type
            busy = response.status_code in BUSY_STATUSES or is_busy(response)
            if not busy or is_final(response):
                return False
            return response.status_code == TOO_MANY_REQUESTS or not is_down()

        self._client = Client(
            request_timeout=run.http_timeout_seconds,
            raise_for_status=False,
            status_codes=(),
            request_max_attempts=run.http_attempts,
            request_backoff_factor=run.http_backoff_seconds,
            request_max_retry_delay=120,
            retry_condition=is_worth_retrying,
        )
        self._adapter: LimiterAdapter | None = None
        if settings.requests_per_minute:
            spaced = Rate(1, math.ceil(MILLISECONDS_PER_MINUTE / settings.requests_per_minute))
            # the library's own reserve of 50 ms for each wait would halve a rate of 20 a second
            self._adapter = LimiterAdapter(
                limiter=Limiter(HostBucketFactory([spaced]), buffer_ms=0),
                pool_maxsize=max(DEFAULT_POOLSIZE, settings.concurrency),
            )

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request, retried and throttled.

        Raises:
            RequestFailedError: no answer after all attempts (refused, time-out, connection dropped).
        """
        # a session for each thread, since requests does not share one safely; the adapter, which keeps the rate, is one for all
        session = self._client.session
        if self._adapter and session.adapters.get("https://") is not self._adapter:
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
        try:
            response: requests.Response = session.request(
                method, url, params=params, data=form, json=json, headers=headers
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
            self._adapter.limiter.bucket_factory.close()

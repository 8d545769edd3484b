"""HTTP requests; called in a namespace's process."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

PROMETHEUS = "http://127.0.0.1:9090/api/v1/"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, accept: str = "*/*") -> str:
    """Return the body of an answer.

    Raises:
        OSError: there is none, or its status is not 200.
    """
    with _DIRECT.open(urllib.request.Request(url, headers={"Accept": accept}), timeout=20) as answer:
        text: str = answer.read().decode()
    return text


def ask(path: str, **parameters: object) -> Any:
    """Return the data of an answer of Prometheus's API."""
    answer = json.loads(get(PROMETHEUS + path + "?" + urllib.parse.urlencode(parameters)))
    assert answer["status"] == "success"
    return answer["data"]

"""Which earlier look `metrics --listen` compares a scrape with."""

from __future__ import annotations

import pytest

from sockdiag.metrics.scrape import ScrapeOptions, Scraper
from sockdiag.sources.system.machine import this_system
from sockdiag.survey.survey import Survey
from tests.unit.rules.samples import sample

KEEP_S = 15.0


@pytest.mark.parametrize("phases", [(0.0,), (0.0, 7.0), (0.0, 1.0, 14.0), (0.0, 14.9)])
@pytest.mark.parametrize("every", [1.0, 4.0, 14.9, 15.0, 60.0])
def test_what_is_lost_is_told_for_the_interval(phases: tuple[float, ...], every: float) -> None:
    """However many servers scrape, and when: the earlier sample is as old as the interval where one of that age was taken."""
    scraper = Scraper(lambda: Survey(this_system()), ScrapeOptions(), KEEP_S)
    times = sorted({i * every + phase for phase in phases for i in range(40)})
    for i, at in enumerate(times):
        before = scraper._earlier(sample(at=at), KEEP_S)
        old = [t for t in times[:i] if at - t >= KEEP_S]
        if i == 0:
            assert before is None
            continue
        assert before is not None
        if old:
            assert KEEP_S <= at - before.at <= 2 * max(KEEP_S, at - old[-1])
        else:
            assert before.at == 0.0
    assert len(scraper._kept) <= 2


def test_an_earlier_look_of_another_time_is_none() -> None:
    """After a pause of many intervals there is nothing to compare with."""
    scraper = Scraper(lambda: Survey(this_system()), ScrapeOptions(), KEEP_S)
    assert scraper._earlier(sample(at=0.0), KEEP_S) is None
    assert scraper._earlier(sample(at=30.0), KEEP_S) is not None
    assert scraper._earlier(sample(at=1000.0), KEEP_S) is None

"""Calendar feeds as icalendar reads them: what `check.js` left in a folder."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from dateutil.rrule import rrulestr
from icalendar import Calendar, Component

folder = Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())


def read(name: str) -> Calendar:
    calendar = Calendar.from_ical((folder / name).read_bytes())
    for component in calendar.walk():
        assert not component.errors, (name, component.errors)
    return calendar


calendar = read("titles.ics")
# Both are left escaped here; `check.js` has read them.
assert calendar["NAME"] == calendar["X-WR-CALNAME"] != ""
events = {str(event["UID"]): event for event in calendar.walk("VEVENT")}
assert len(events) == len(expected["sessions"])
for session in expected["sessions"]:
    event = events[f"{session['id']}@booking"]
    assert event["SUMMARY"] == session["title"], event["SUMMARY"]
    assert event["STATUS"] == session["status"]
    assert event["DTSTART"].dt == datetime.fromisoformat(session["start"])
    assert event["DTEND"].dt == datetime.fromisoformat(session["end"])


def spans(available: Component) -> list[tuple[datetime, datetime]]:
    start, end = (available[name].dt for name in ("DTSTART", "DTEND"))
    length = end.astimezone(UTC) - start.astimezone(UTC)
    if "RRULE" not in available:
        return [(start.astimezone(UTC), start.astimezone(UTC) + length)]
    dates = available.get("EXDATE", [])
    dates = dates if isinstance(dates, list) else [dates]
    but = {date.dt.replace(tzinfo=None) for each in dates for date in each.dts}
    # On the wall, where rules recur.
    rule = rrulestr(available["RRULE"].to_ical().decode(), dtstart=start.replace(tzinfo=None))
    walls = rule.between(datetime(2024, 1, 1), datetime(2025, 1, 1), inc=True)
    starts = [wall.replace(tzinfo=start.tzinfo).astimezone(UTC) for wall in walls if wall not in but]
    return [(start, start + length) for start in starts]


week = read("week.ics")
[availability] = week.walk("VAVAILABILITY")
found = sorted(span for available in availability.walk("AVAILABLE") for span in spans(available))
within = [tuple(datetime.fromisoformat(edge) for edge in span) for span in expected["spans"]]
found = [span for span in found if any(start <= span[0] < end for start, end in within)]
assert found == [tuple(datetime.fromisoformat(edge) for edge in span) for span in expected["weeks"]], found
print(f"icalendar: {len(events)} sessions, {len(found)} windows around clock changes")

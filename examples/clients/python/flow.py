"""A therapist opens a day; a client looks, books, loses a race, moves, pages and cancels."""

import os
import re
from datetime import date, datetime
from http import HTTPStatus
from typing import TypeVar

from booking_client import AuthenticatedClient
from booking_client.api.availability import (
    create_availability,
    delete_availability,
    list_availability,
    update_availability,
)
from booking_client.api.meetings import (
    cancel_meeting,
    create_meeting,
    list_meetings,
    update_meeting,
)
from booking_client.api.slots import list_slots
from booking_client.models import (
    Meeting,
    MeetingCreateDto,
    MeetingUpdateDto,
    Problem,
    TherapistAvailabilityCreateDto,
    TherapistAvailabilityUpdateDto,
)
from booking_client.models.session_duration import SessionDuration
from booking_client.types import UNSET, Response

THERAPIST = "therapist_456"
BASE = os.environ["BASE"]

T = TypeVar("T")


def client(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=f"{BASE}/api", token=token)


def data(answer: Response[T | Problem]) -> T:
    """What an answer that is not an error says."""
    assert answer.parsed is not None and not isinstance(answer.parsed, Problem), answer.parsed
    return answer.parsed


def refused(answer: Response[T | Problem], status: HTTPStatus, code: str) -> None:
    """Goes on only with this problem."""
    assert isinstance(answer.parsed, Problem), answer.parsed
    assert (answer.status_code, answer.parsed.code) == (status, code)


nobody = client("not-a-token")
refused(list_meetings.sync_detailed(client=nobody), HTTPStatus.UNAUTHORIZED, "unauthenticated")

# A therapist's week.
therapist = client(os.environ["THERAPIST"])
monday = TherapistAvailabilityCreateDto(day_of_week=1, start_time="09:00", end_time="16:00")
window = data(create_availability.sync_detailed(client=therapist, body=monday))
assert window.notes is None
twice = create_availability.sync_detailed(client=therapist, body=monday)
refused(twice, HTTPStatus.BAD_REQUEST, "availability_overlap")
later = TherapistAvailabilityUpdateDto(end_time="17:00")
changed = data(update_availability.sync_detailed(window.id, client=therapist, body=later))
assert changed.end_time == "17:00"
assert data(list_availability.sync_detailed(client=therapist)) == [changed]

# A client's session.
me = client(os.environ["CLIENT"])
day = date(2024, 1, 15)
slots = data(list_slots.sync_detailed(client=me, therapist_id=THERAPIST, date=day))
first, third = slots[0].start_time, slots[2].start_time


def book(start: datetime, duration: SessionDuration) -> Response[Meeting | Problem]:
    session = MeetingCreateDto(start_time=start, duration=duration, therapist_id=THERAPIST)
    return create_meeting.sync_detailed(client=me, body=session)


booked = book(first, 60)
meeting = data(booked)
assert booked.status_code == HTTPStatus.CREATED and meeting.session_notes is UNSET
refused(book(first, 60), HTTPStatus.BAD_REQUEST, "slot_conflict")


def move(start: datetime) -> Response[Meeting | Problem]:
    change = MeetingUpdateDto(start_time=start, reason="The train is late")
    version = booked.headers["etag"]
    return update_meeting.sync_detailed(meeting.id, client=me, body=change, if_match=version)


assert data(move(third)).start_time == third
refused(move(first), HTTPStatus.PRECONDITION_FAILED, "version_mismatch")

# Pages of two.
for slot in slots[6:10]:
    data(book(slot.start_time, 30))
found: list[Meeting] = []
cursor: str | None = None
while True:
    page = list_meetings.sync_detailed(
        client=me, status="SCHEDULED", limit=2, cursor=cursor or UNSET
    )
    meetings = data(page)
    found += meetings
    following = re.search(r'cursor=([^&>]+)[^>]*>; rel="next"', page.headers.get("link", ""))
    if following is None:
        break
    cursor = following[1]
assert len(found) == 5

for one in found:
    assert data(cancel_meeting.sync_detailed(one.id, client=me)).status == "CANCELLED"
assert data(delete_availability.sync_detailed(window.id, client=therapist)).success
print("openapi-python-client: done")

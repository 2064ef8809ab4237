//! The table of status changes, written out in full: by the rule itself and through the service.

use booking_core::{
    Actor, Meeting, MeetingPatch, MeetingStatus, Party, Refusal, SessionDuration, Span,
};
use chrono::{DateTime, Utc};

use crate::world::{ANY, World, admin, jane, joe, john, mary, monday, session, unknown_meeting};

/// When the present is, seen from a session from 10:00 to 11:00.
const TIMES: [&str; 5] = ["09:59", "10:00", "10:30", "11:00", "11:01"];

/// From, to, and what client and therapist may do before the start, at it, during the session, at
/// the end and after: `+` legal, `-` not so, `x` closed.
const TABLE: [(&str, &str, &str, &str); 25] = [
    ("SCHEDULED", "SCHEDULED", "+++++", "+++++"),
    ("SCHEDULED", "CONFIRMED", "+++--", "+++--"),
    ("SCHEDULED", "COMPLETED", "-----", "-++++"),
    ("SCHEDULED", "CANCELLED", "+++++", "+++++"),
    ("SCHEDULED", "NO_SHOW", "-----", "-++++"),
    ("CONFIRMED", "SCHEDULED", "-----", "-----"),
    ("CONFIRMED", "CONFIRMED", "+++++", "+++++"),
    ("CONFIRMED", "COMPLETED", "-----", "-++++"),
    ("CONFIRMED", "CANCELLED", "+++++", "+++++"),
    ("CONFIRMED", "NO_SHOW", "-----", "-++++"),
    ("COMPLETED", "SCHEDULED", "xxxxx", "xxxxx"),
    ("COMPLETED", "CONFIRMED", "xxxxx", "xxxxx"),
    ("COMPLETED", "COMPLETED", "+++++", "+++++"),
    ("COMPLETED", "CANCELLED", "xxxxx", "xxxxx"),
    ("COMPLETED", "NO_SHOW", "xxxxx", "xxxxx"),
    ("CANCELLED", "SCHEDULED", "xxxxx", "xxxxx"),
    ("CANCELLED", "CONFIRMED", "xxxxx", "xxxxx"),
    ("CANCELLED", "COMPLETED", "xxxxx", "xxxxx"),
    ("CANCELLED", "CANCELLED", "+++++", "+++++"),
    ("CANCELLED", "NO_SHOW", "xxxxx", "xxxxx"),
    ("NO_SHOW", "SCHEDULED", "xxxxx", "xxxxx"),
    ("NO_SHOW", "CONFIRMED", "xxxxx", "xxxxx"),
    ("NO_SHOW", "COMPLETED", "xxxxx", "xxxxx"),
    ("NO_SHOW", "CANCELLED", "xxxxx", "xxxxx"),
    ("NO_SHOW", "NO_SHOW", "+++++", "+++++"),
];

/// One cell of the table.
#[derive(Debug, Clone, Copy)]
struct Cell {
    from: MeetingStatus,
    to: MeetingStatus,
    party: Party,
    now: DateTime<Utc>,
    verdict: char,
}

impl Cell {
    fn expected(self) -> Result<(), Refusal> {
        match self.verdict {
            '+' => Ok(()),
            '-' => Err(Refusal::InvalidTransition { from: Some(self.from), to: self.to }),
            _ => Err(Refusal::MeetingClosed),
        }
    }
}

fn cells() -> impl Iterator<Item = Cell> {
    let status = |word: &str| word.parse().expect("a status");
    TABLE.into_iter().flat_map(move |(from, to, client, therapist)| {
        [(Party::Client, client), (Party::Therapist, therapist)].into_iter().flat_map(
            move |(party, verdicts)| {
                TIMES.into_iter().zip(verdicts.chars()).map(move |(time, verdict)| Cell {
                    from: status(from),
                    to: status(to),
                    party,
                    now: monday(time),
                    verdict,
                })
            },
        )
    })
}

#[test]
fn the_rule_follows_the_table() {
    let span = Span::new(monday("10:00"), monday("11:00")).unwrap();
    let mut count = 0;
    for cell in cells() {
        let verdict = cell.from.check_transition(cell.to, cell.party, span, cell.now);
        assert_eq!(verdict, cell.expected(), "{cell:?}");
        count += 1;
    }
    assert_eq!(count, 5 * 5 * 2 * 5);
}

#[test]
fn the_service_follows_the_table() {
    for cell in cells() {
        let by = match cell.party {
            Party::Client => john(),
            Party::Therapist => jane(),
        };
        let (world, before) = meeting_in(cell.from, cell.now);
        let answer = world.put(&by, before.id, &to(cell.to));
        assert_eq!(answer.clone().map(|_| ()), cell.expected(), "{cell:?}");

        let after = world.stored(before.id);
        let changed = cell.verdict == '+' && cell.from != cell.to;
        let expected = Meeting { status: cell.to, version: 1 + before.version, ..before.clone() };
        let expected = if changed { Meeting { updated_at: cell.now, ..expected } } else { before };
        assert_eq!(after, expected, "{cell:?}");
        assert!(answer.is_ok_and(|answer| answer == after) || cell.verdict != '+', "{cell:?}");
    }
}

#[test]
fn cancelling_is_for_live_meetings_whatever_the_time() {
    for (from, live) in [
        (MeetingStatus::Scheduled, true),
        (MeetingStatus::Confirmed, true),
        (MeetingStatus::Completed, false),
        (MeetingStatus::Cancelled, false),
        (MeetingStatus::NoShow, false),
    ] {
        for (by, time) in [john(), jane()].iter().flat_map(|by| TIMES.map(|time| (by, time))) {
            let (world, before) = meeting_in(from, monday(time));
            let answer = world.cancel(by, before.id, None).map(|meeting| meeting.status);
            let expected =
                if live { Ok(MeetingStatus::Cancelled) } else { Err(Refusal::MeetingClosed) };
            assert_eq!(answer, expected, "{from} at {time}");
            assert_eq!(world.stored(before.id).version, before.version + u64::from(live));
        }
    }
}

#[test]
fn nobody_else_changes_a_status() {
    for from in MeetingStatus::ALL {
        let (world, before) = meeting_in(*from, monday("10:30"));
        for by in [mary(), joe(), admin()] {
            for next in MeetingStatus::ALL {
                assert_eq!(world.put(&by, before.id, &to(*next)), Err(Refusal::Forbidden));
            }
            assert_eq!(world.cancel(&by, before.id, None), Err(Refusal::Forbidden));
        }
        assert_eq!(world.stored(before.id), before);
        assert_eq!(world.new_event_names(), [""; 0]);
    }
}

/// Only therapists begin with a confirmed meeting, and nobody with a closed one.
#[test]
fn the_first_status() {
    use MeetingStatus::{Cancelled, Completed, Confirmed, NoShow, Scheduled};
    let not = |to| Err(Refusal::InvalidTransition { from: None, to });
    let table: [(Actor, Option<MeetingStatus>, Result<MeetingStatus, Refusal>); 12] = [
        (john(), None, Ok(Scheduled)),
        (john(), Some(Scheduled), Ok(Scheduled)),
        (john(), Some(Confirmed), not(Confirmed)),
        (john(), Some(Completed), not(Completed)),
        (john(), Some(Cancelled), not(Cancelled)),
        (john(), Some(NoShow), not(NoShow)),
        (jane(), None, Ok(Scheduled)),
        (jane(), Some(Scheduled), Ok(Scheduled)),
        (jane(), Some(Confirmed), Ok(Confirmed)),
        (jane(), Some(Completed), not(Completed)),
        (jane(), Some(Cancelled), not(Cancelled)),
        (jane(), Some(NoShow), not(NoShow)),
    ];
    for (by, status, expected) in table {
        let world = World::default();
        let mut request = session(&jane(), "10:00", SessionDuration::Hour);
        request.status = status;
        request.client = (by == jane()).then(|| john().id);
        let booked = world.book(&by, &request).map(|meeting| meeting.status);
        assert_eq!(booked, expected, "{by:?} {status:?}");
    }
}

#[test]
fn there_is_no_status_for_what_is_not_there() {
    let world = World::default();
    let confirm = to(MeetingStatus::Confirmed);
    assert_eq!(world.put(&john(), unknown_meeting(), &confirm), Err(Refusal::MeetingNotFound));
    assert_eq!(world.cancel_if(&john(), unknown_meeting(), &ANY), Err(Refusal::MeetingNotFound));
}

fn to(status: MeetingStatus) -> MeetingPatch {
    MeetingPatch { status: Some(status), ..MeetingPatch::default() }
}

/// A meeting of John and Jane from 10:00 to 11:00 that came to its status by legal ways.
fn meeting_in(status: MeetingStatus, now: DateTime<Utc>) -> (World, Meeting) {
    let world = World::default();
    let request = session(&jane(), "10:00", SessionDuration::Hour);
    let mut meeting = world.book(&john(), &request).expect("a free time");
    if !status.is_live() {
        world.set_clock(monday("10:00"));
    }
    if status != MeetingStatus::Scheduled {
        meeting = world.put(&jane(), meeting.id, &to(status)).expect("a legal way");
    }
    world.set_clock(now);
    world.new_events();
    (world, meeting)
}

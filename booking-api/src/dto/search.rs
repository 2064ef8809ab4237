//! What a search found: its schema, and its JSON, which is written by hand as that of slots is.

use booking_core::{SlotsFound, UserId};
use chrono::NaiveDate;
use chrono_tz::Tz;
use poem_openapi::Object;

use super::slot::{SlotDto, longest, write_slots};
use crate::wire::Wire;

/// Free starts of several therapists.
#[derive(Debug, Object)]
#[oai(rename = "SlotsFound", rename_all = "camelCase")]
pub(crate) struct SlotsFoundDto {
    /// The zone whose dates these are.
    time_zone: Wire<Tz>,
    /// Those who were searched, by id; the same on every page.
    therapists: Vec<FirstFreeDto>,
    /// Those of the ids that are no therapist's.
    unknown_therapist_ids: Vec<Wire<UserId>>,
    /// The dates of this page that have starts, soonest first.
    days: Vec<DaySlotsDto>,
}

/// When a therapist can be had first.
#[derive(Debug, Object)]
#[oai(rename = "FirstFree", rename_all = "camelCase")]
pub(crate) struct FirstFreeDto {
    /// Who.
    therapist_id: Wire<UserId>,
    /// The first of their starts from `from` to `to`, whichever page it is on; `null` if there is none.
    #[oai(nullable)]
    first_free: Option<SlotDto>,
}

/// A date, in the zone that was asked for.
#[derive(Debug, Object)]
#[oai(rename = "DaySlots", rename_all = "camelCase")]
pub(crate) struct DaySlotsDto {
    /// Which.
    date: Wire<NaiveDate>,
    /// The therapists who have starts on it, by id.
    therapists: Vec<TherapistSlotsDto>,
}

/// A therapist's starts on a date.
#[derive(Debug, Object)]
#[oai(rename = "TherapistSlots", rename_all = "camelCase")]
pub(crate) struct TherapistSlotsDto {
    /// With whom.
    therapist_id: Wire<UserId>,
    /// When, soonest first.
    slots: Vec<SlotDto>,
}

/// What stands around an id and its slots, with the date's own.
const AROUND: usize = 96;

/// The body of an answer.
pub(crate) fn found_json(zone: Tz, found: &SlotsFound) -> String {
    let of_days = || found.days.iter().flat_map(|day| &day.therapists);
    let groups = found.therapists.len() + found.unknown.len() + of_days().count();
    let slots: usize = of_days().map(|of| of.slots.len()).sum();
    let mut json = String::with_capacity(groups * AROUND + longest(slots + found.therapists.len()));
    json.push_str("{\"timeZone\":\"");
    json.push_str(zone.name());
    json.push_str("\",\"therapists\":[");
    each(&mut json, &found.therapists, |json, of| {
        json.push_str("{\"therapistId\":");
        write_id(json, &of.therapist);
        json.push_str(",\"firstFree\":");
        match &of.first {
            Some(first) => write_one(json, *first),
            None => json.push_str("null"),
        }
        json.push('}');
    });
    json.push_str("],\"unknownTherapistIds\":[");
    each(&mut json, &found.unknown, write_id);
    json.push_str("],\"days\":[");
    each(&mut json, &found.days, |json, day| {
        json.push_str("{\"date\":\"");
        json.push_str(&day.date.to_string());
        json.push_str("\",\"therapists\":[");
        each(json, &day.therapists, |json, of| {
            json.push_str("{\"therapistId\":");
            write_id(json, &of.therapist);
            json.push_str(",\"slots\":");
            write_slots(json, &of.slots);
            json.push('}');
        });
        json.push_str("]}");
    });
    json.push_str("]}");
    json
}

fn each<T>(json: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(json, item);
    }
}

/// In its quotes; ids may have some of their own.
fn write_id(json: &mut String, id: &UserId) {
    json.push('"');
    for char in id.as_str().chars() {
        if matches!(char, '"' | '\\') {
            json.push('\\');
        }
        json.push(char);
    }
    json.push('"');
}

/// A slot that is no list.
fn write_one(json: &mut String, slot: booking_core::Slot) {
    let begin = json.len();
    write_slots(json, &[slot]);
    json.pop();
    json.remove(begin);
}

#[cfg(test)]
mod tests {
    use booking_core::{DayFound, Durations, FirstFree, SessionDuration, Slot, SlotsOf, StartTime};
    use poem_openapi::types::ToJSON;

    use super::*;

    fn dto(zone: Tz, found: &SlotsFound) -> SlotsFoundDto {
        let of = |of: &SlotsOf| TherapistSlotsDto {
            therapist_id: Wire(of.therapist.clone()),
            slots: of.slots.iter().copied().map(SlotDto::from).collect(),
        };
        let first = |of: &FirstFree| FirstFreeDto {
            therapist_id: Wire(of.therapist.clone()),
            first_free: of.first.map(SlotDto::from),
        };
        let day = |day: &DayFound| DaySlotsDto {
            date: Wire(day.date),
            therapists: day.therapists.iter().map(of).collect(),
        };
        SlotsFoundDto {
            time_zone: Wire(zone),
            therapists: found.therapists.iter().map(first).collect(),
            unknown_therapist_ids: found.unknown.iter().cloned().map(Wire).collect(),
            days: found.days.iter().map(day).collect(),
        }
    }

    #[test]
    fn what_is_written_is_the_form_of_the_schema() {
        let id = |text: &str| UserId::new(text).expect("a user id");
        let slot = |text: &str, longest| {
            let start = text.parse().ok().and_then(|start| StartTime::new(start).ok());
            Slot { start: start.expect("a whole minute"), durations: Durations::up_to(longest) }
        };
        let slots = vec![
            slot("2024-01-15T09:00:00Z", SessionDuration::TwoHours),
            slot("2024-01-15T23:30:00Z", SessionDuration::HalfHour),
        ];
        let names = ["a", "\"", "\\\"\\", "!#[]^_`{|}~", &"x".repeat(UserId::MAX_CHARS)].map(id);
        let of =
            |therapist: &UserId| SlotsOf { therapist: therapist.clone(), slots: slots.clone() };
        let days = ["0000-01-01", "2024-02-29", "9999-12-31"].map(|date| DayFound {
            date: date.parse().expect("a date"),
            therapists: names.iter().map(of).collect(),
        });
        let firsts = [None, slots.first().copied()].into_iter().cycle();
        let therapists = names.iter().cloned().zip(firsts);
        let full = SlotsFound {
            therapists: therapists
                .map(|(therapist, first)| FirstFree { therapist, first })
                .collect(),
            unknown: names.to_vec(),
            days: days.to_vec(),
            next: None,
        };
        for zone in [Tz::UTC, Tz::America__Argentina__Buenos_Aires] {
            for found in [&SlotsFound::default(), &full] {
                assert_eq!(found_json(zone, found), dto(zone, found).to_json_string());
            }
        }
    }
}

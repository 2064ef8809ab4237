//! The rules of `booking-core`, tested through its public face.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod audit_teeth;
mod conformance;
mod conformance_teeth;
mod contention;
mod delivery_teeth;
mod events;
mod external;
mod feed_teeth;
mod feeds;
mod hold_teeth;
mod holds;
mod hub;
mod ical;
mod idempotency;
mod link_teeth;
mod linked;
mod listing;
mod live;
mod model;
mod oracle;
mod overrides;
mod ranges;
mod recurrence;
mod relay;
mod search;
mod series;
mod series_terms;
mod settings;
mod settings_table;
mod slot_cache;
mod slots;
mod strategies;
mod therapist_change;
mod transitions;
mod updates;
mod values;
mod windows;
mod world;
mod zones;

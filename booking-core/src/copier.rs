//! Copies linked calendars in the background: on no request's way, each by one process, and again and again.
//!
//! A calendar that cannot be read keeps the copy that there is, for ever, and is tried again less and less
//! often. One that has not changed is worked out anew once a day all the same, for the time that it is
//! read for moves on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::task::JoinSet;

use crate::backoff::copy_delay;
use crate::booking::CalendarLinks;
use crate::booking::links::LEASE;
use crate::causes::with_causes;
use crate::external::{UnreadableCalendar, external_times_of};
use crate::ical::UID_SUFFIX;
use crate::id::MeetingId;
use crate::linked_calendar::{
    BusyTimes, CalendarKind, Copied, CopyClaim, CopyFault, CopyState, FaultDetail, LinkedCalendar,
    TooBusy, Validators, WriteBack,
};
use crate::span::Span;
use crate::store::StoreError;
use crate::text::Text;
use crate::unread::UnreadEvents;

/// How many calendars are read at the same time.
const AT_ONCE: usize = 8;
/// How often somebody looks whether anything is due that nobody has said so of.
const LOOKS_EVERY: Duration = Duration::from_secs(10);
/// Times that were worked out longer ago are worked out again.
const EXPANDED_EVERY: TimeDelta = TimeDelta::hours(24);
/// How long reading one may take, whatever its source does: with what follows, well within the lease.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long may then be written into it.
const WRITES_FOR: Duration = Duration::from_secs(45);

/// Where linked calendars are read: over the network, usually.
#[async_trait]
pub trait CalendarSource: Send + Sync {
    /// What is there, as far as it may bear on `window`; or that it is as it was when the source gave
    /// these validators.
    async fn fetch(
        &self,
        link: &LinkedCalendar,
        validators: Option<&Validators>,
        window: Span,
    ) -> Result<Fetched, SourceError>;

    /// Has a calendar that meetings are written into say what all of its therapist's are that begin at
    /// `from` or later; as many of them as that takes no longer than `within`. Asked for after a
    /// [`fetch`](Self::fetch) that went well, where some may be missing.
    ///
    /// What is not taken may be passed over, and has another turn later: whoever comes to the last with
    /// something left, now or where it went on from ([`CopyState::written_to`]), asks for all of them
    /// again. Something is left there if [`CopyState::fault`] is of more than that there was no time for all:
    /// meetings that were [not written](crate::LinkedCalendars::unwritten) since, too.
    ///
    /// # Errors
    /// [`Behind`] when it does not say all of them yet.
    async fn catch_up(
        &self,
        link: &LinkedCalendar,
        from: DateTime<Utc>,
        within: Duration,
    ) -> Result<(), Behind>;
}

/// Why a calendar does not say yet what all meetings are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// What to tell its owner.
    pub error: SourceError,
    /// Those that begin before have had their turn: where to go on. `None` from the first on.
    pub written_to: Option<DateTime<Utc>>,
}

/// What a source found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The calendar is as it was.
    Unchanged,
    /// All of it.
    Texts {
        /// iCalendar files.
        texts: Vec<String>,
        /// To be asked with next time.
        validators: Option<Validators>,
    },
}

/// Why a source found nothing. The texts are shown to the calendar's owner: nothing in them may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {}", detail.as_str())]
pub struct SourceError {
    /// Of which kind it is.
    pub fault: CopyFault,
    /// A few words.
    pub detail: FaultDetail,
}

impl SourceError {
    /// With these words, as many of them as are kept.
    #[must_use]
    pub fn new(fault: CopyFault, words: &str) -> Self {
        let plain = words.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
        Self { fault, detail: Text::new(plain).unwrap_or_else(|_| Text::empty()) }
    }
}

impl From<UnreadableCalendar> for SourceError {
    fn from(error: UnreadableCalendar) -> Self {
        let fault = match error {
            UnreadableCalendar::NotACalendar => CopyFault::NotACalendar,
            UnreadableCalendar::TooLong => CopyFault::TooLarge,
            UnreadableCalendar::TooMuch => CopyFault::TooBusy,
            UnreadableCalendar::CutShort
            | UnreadableCalendar::Unbalanced
            | UnreadableCalendar::TooManyComponents
            | UnreadableCalendar::TooDeep => CopyFault::Unreadable,
        };
        Self::new(fault, &error.to_string())
    }
}

impl From<TooBusy> for SourceError {
    fn from(error: TooBusy) -> Self {
        Self::new(CopyFault::TooBusy, &error.to_string())
    }
}

/// Copies what is linked, as long as it runs. Any number of processes may: each calendar is read by one.
#[derive(Clone)]
pub struct Copier {
    links: CalendarLinks,
    source: Arc<dyn CalendarSource>,
    every: Duration,
}

impl Copier {
    /// Reads these calendars from there, each about every so often.
    #[must_use]
    pub fn new(links: CalendarLinks, source: Arc<dyn CalendarSource>, every: Duration) -> Self {
        Self { links, source, every }
    }

    /// Copies whatever is due, now and later, until `stop` is ready. What is being read then is left, and
    /// read again some minutes later, by whoever is there.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = stop => {}
            () = self.copy_for_ever() => {}
        }
    }

    /// Copies all that is due, and returns how many calendars that was: for tests, and for programs that
    /// do so from time to time.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn pass(&self) -> Result<usize, StoreError> {
        let mut copied = 0;
        loop {
            let due = self.claim(AT_ONCE).await?;
            if due.is_empty() {
                return Ok(copied);
            }
            copied += due.len();
            for link in due {
                self.copy(link).await?;
            }
        }
    }

    async fn copy_for_ever(&self) {
        let mut under_way = JoinSet::new();
        loop {
            let free = AT_ONCE - under_way.len();
            let due = match self.claim(free).await {
                Ok(due) => due,
                Err(error) => {
                    let cause = with_causes(&error);
                    tracing::warn!(cause, "linked calendars cannot be looked up");
                    vec![]
                }
            };
            for link in due {
                let copier = self.clone();
                under_way.spawn(async move { copier.copy_or_say(link).await });
            }
            if under_way.len() < AT_ONCE {
                tokio::select! {
                    Some(_) = under_way.join_next() => {}
                    () = self.links.due.notified() => {}
                    () = tokio::time::sleep(LOOKS_EVERY) => {}
                }
            } else {
                under_way.join_next().await;
            }
        }
    }

    async fn claim(&self, limit: usize) -> Result<Vec<LinkedCalendar>, StoreError> {
        let now = self.links.now();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.links.links.claim_links(&CopyClaim { now, until: now + LEASE, limit }).await
    }

    async fn copy_or_say(&self, link: LinkedCalendar) {
        let id = link.id;
        if let Err(error) = self.copy(link).await {
            let cause = with_causes(&error);
            tracing::warn!(calendar = %id, cause, "a linked calendar was read for nothing");
        }
    }

    async fn copy(&self, link: LinkedCalendar) -> Result<(), StoreError> {
        let found = match tokio::time::timeout(PATIENCE, self.read(&link)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Unread::Source(error))) => Err(error),
            Ok(Err(Unread::Store(error))) => return Err(error),
            Err(_) => Err(SourceError::new(CopyFault::TimedOut, "it took too long")),
        };
        let now = self.links.now();
        let mut copy = CopyState { checked_at: Some(now), ..link.copy.clone() };
        let mut times = None;
        match found {
            Ok(found) => {
                (copy.failures, copy.fault, copy.fetched_at) = (0, None, Some(now));
                (copy.unwritten, copy.written_to) = (0, None);
                if let Err(Behind { error, written_to }) = self.catch_up(&link, now).await {
                    tell(&link, &error);
                    copy.unwritten = link.copy.unwritten.saturating_add(1);
                    (copy.written_to, copy.fault) = (written_to, Some((error.fault, error.detail)));
                }
                if let Found::Times { busy, unread, validators, as_of } = found {
                    (copy.validators, copy.expanded_at) = (validators, Some(as_of));
                    (copy.unread, times) = (unread, Some(busy));
                }
            }
            Err(error) => {
                tell(&link, &error);
                copy.failures = link.copy.failures.saturating_add(1);
                // Who knows what it has lost meanwhile.
                copy.written_to = None;
                copy.fault = Some((error.fault, error.detail));
            }
        }
        let delay = |failures| copy_delay(failures, self.every, (link.id, now));
        let delay = match copy.failures {
            // Soon again, if it could not be written into; but it is read no less often for that.
            0 => delay(copy.unwritten).min(delay(0)),
            failures => delay(failures),
        };
        copy.next_at = later(self.links.now(), delay);
        if self.links.links.copied(&link, &copy, times.as_ref()).await? == Copied::Outdated {
            tracing::debug!(calendar = %link.id, "somebody else was faster");
        }
        Ok(())
    }

    /// What a new collection has never got, or another has missed.
    async fn catch_up(&self, link: &LinkedCalendar, now: DateTime<Utc>) -> Result<(), Behind> {
        let Some(window) = BusyTimes::window(now) else { return Ok(()) };
        if link.write_back == WriteBack::Off || !link.copy.is_behind() {
            return Ok(());
        }
        let from = link.copy.written_to.map_or(window.start(), |to| to.max(window.start()));
        let writing = self.source.catch_up(link, from, WRITES_FOR);
        tokio::time::timeout(2 * WRITES_FOR, writing).await.unwrap_or_else(|_| {
            let error = SourceError::new(CopyFault::TimedOut, "writing into it takes too long");
            Err(Behind { error, written_to: None })
        })
    }

    async fn read(&self, link: &LinkedCalendar) -> Result<Found, Unread> {
        let as_of = self.links.now();
        let window = BusyTimes::window(as_of)
            .ok_or_else(|| SourceError::new(CopyFault::Unreadable, "the clock is off"))?;
        let is_recent = |at: DateTime<Utc>| at <= as_of && as_of - at < EXPANDED_EVERY;
        let is_current = link.copy.expanded_at.is_some_and(is_recent);
        let zone = self.links.zone_of(link).await?;
        let validators = link.copy.validators.as_ref().filter(|_| is_current);
        let validators = validators.and_then(|kept| in_zone(kept, zone));
        let is_current = is_current && (validators.is_some() || link.copy.validators.is_none());
        let (texts, validators) = match self.source.fetch(link, validators.as_ref(), window).await?
        {
            Fetched::Unchanged if is_current => return Ok(Found::AsItWas),
            // Nobody had asked.
            Fetched::Unchanged => {
                let words = "the server says that nothing has changed, without having been asked";
                return Err(SourceError::new(CopyFault::Status, words).into());
            }
            Fetched::Texts { texts, validators } => {
                (texts, validators.and_then(|given| with_zone(zone, &given)))
            }
        };
        // Once the texts are there: of what they can name, nothing is too new.
        let ours = if texts.iter().any(|text| text.contains(UID_SUFFIX)) {
            self.links.meetings_about(link, window).await?
        } else {
            BTreeSet::new()
        };
        let kind = link.kind;
        // Seconds, for the worst of files: not where others wait for their turn.
        let work =
            tokio::task::spawn_blocking(move || busy_times(kind, &texts, window, zone, &ours));
        let failed = |_| SourceError::new(CopyFault::Unreadable, "it cannot be worked out");
        let work = work.await.map_err(failed)?;
        let (busy, unread) = work?;
        if unread.count > 0 && unread != link.copy.unread {
            let unread = unread.count;
            tracing::info!(calendar = %link.id, unread, "some events cannot be read in full");
        }
        Ok(Found::Times { busy, unread, validators, as_of })
    }
}

/// With the events that could not be read in full.
fn busy_times(
    kind: CalendarKind,
    texts: &[String],
    window: Span,
    zone: Tz,
    ours: &BTreeSet<MeetingId>,
) -> Result<(BusyTimes, UnreadEvents), SourceError> {
    let is_empty = texts.is_empty() && kind == CalendarKind::Ics;
    if is_empty {
        return Err(UnreadableCalendar::NotACalendar.into());
    }
    let files = texts.iter().map(String::as_bytes);
    let times = external_times_of(files, window, zone, ours)?;
    Ok((BusyTimes::within(window, &times.busy)?, UnreadEvents::from(&times)))
}

enum Found {
    AsItWas,
    Times {
        busy: BusyTimes,
        unread: UnreadEvents,
        validators: Option<Validators>,
        as_of: DateTime<Utc>,
    },
}

enum Unread {
    Source(SourceError),
    Store(StoreError),
}

impl From<SourceError> for Unread {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Once, until it is something else.
fn tell(link: &LinkedCalendar, error: &SourceError) {
    let was = link.copy.fault.as_ref().map(|(fault, _)| *fault);
    if was != Some(error.fault) {
        tracing::info!(calendar = %link.id, %error, "a linked calendar cannot be read, or written into");
    }
}

/// Times were worked out in a zone, and are as they were in no other: its name is kept in front.
fn with_zone(zone: Tz, given: &Validators) -> Option<Validators> {
    Text::new(format!("{} {}", zone.name(), given.as_str())).ok()
}

/// What a source gave for times in this zone.
fn in_zone(kept: &Validators, zone: Tz) -> Option<Validators> {
    let (name, given) = kept.as_str().split_once(' ')?;
    if name == zone.name() { Text::new(given).ok() } else { None }
}

/// To the millisecond, as stores keep it.
fn later(now: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(3)
}

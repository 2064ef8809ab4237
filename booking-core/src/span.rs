//! Half-open spans of instants, and sets of them.
//!
//! [`Span::overlaps`] is the one overlap predicate of the library.

use chrono::{DateTime, TimeDelta, Utc};

/// The instants from `start` to just before `end`; never empty.
///
/// Half-open, so that a session from 09:00 to 10:00 and one from 10:00 do not overlap.
///
/// ```
/// use booking_core::Span;
/// # fn at(text: &str) -> chrono::DateTime<chrono::Utc> { text.parse().unwrap() }
///
/// let morning = Span::new(at("2024-01-15T09:00:00Z"), at("2024-01-15T12:00:00Z")).unwrap();
/// let afternoon = Span::new(at("2024-01-15T12:00:00Z"), at("2024-01-15T17:00:00Z")).unwrap();
/// assert!(!morning.overlaps(afternoon));
/// assert!(Span::new(morning.end(), morning.start()).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Span {
    /// The span between two instants; `None` unless `start` is before `end`.
    #[must_use]
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// The first instant.
    #[must_use]
    pub const fn start(self) -> DateTime<Utc> {
        self.start
    }

    /// The first instant after.
    #[must_use]
    pub const fn end(self) -> DateTime<Utc> {
        self.end
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> TimeDelta {
        self.end - self.start
    }

    /// Whether the two share an instant.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `instant` lies within.
    #[must_use]
    pub fn contains(self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether all of `other` lies within.
    #[must_use]
    pub fn encloses(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// What the two share, if anything.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// A set of instants, as the fewest spans that make it up: sorted, and no two overlap or touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanSet(Vec<Span>);

impl SpanSet {
    /// The spans, earliest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }

    /// The spans, earliest first.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// Whether it holds no instant at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The span of the set that `instant` lies in.
    #[must_use]
    pub fn containing(&self, instant: DateTime<Utc>) -> Option<Span> {
        let after = self.0.partition_point(|span| span.start <= instant);
        let candidate = *self.0.get(after.checked_sub(1)?)?;
        candidate.contains(instant).then_some(candidate)
    }

    /// Whether every instant of `span` is in the set.
    #[must_use]
    pub fn encloses(&self, span: Span) -> bool {
        self.containing(span.start).is_some_and(|candidate| candidate.encloses(span))
    }

    /// Whether any instant of `span` is in the set.
    #[must_use]
    pub fn overlaps(&self, span: Span) -> bool {
        self.after(span.start).first().is_some_and(|member| member.overlaps(span))
    }

    /// The spans that end after `instant`.
    pub(crate) fn after(&self, instant: DateTime<Utc>) -> &[Span] {
        &self.0[self.0.partition_point(|span| span.end <= instant)..]
    }

    /// The instants in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union: Vec<Span> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut one, mut other) = (self.iter().peekable(), other.iter().peekable());
        loop {
            let is_first = |next: &Span| other.peek().is_none_or(|other| next.start <= other.start);
            let Some(next) = one.next_if(is_first).or_else(|| other.next()) else {
                return Self(union);
            };
            match union.last_mut() {
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => union.push(next),
            }
        }
    }

    /// The instants of this set that are not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len());
        for whole in self.iter() {
            let mut from = whole.start;
            let first = other.0.partition_point(|hole| hole.end <= whole.start);
            for hole in other.0[first..].iter().take_while(|hole| hole.start < whole.end) {
                rest.extend(Span::new(from, hole.start));
                from = hole.end;
            }
            rest.extend(Span::new(from, whole.end));
        }
        Self(rest)
    }
}

impl From<Span> for SpanSet {
    fn from(span: Span) -> Self {
        Self(vec![span])
    }
}

/// None is empty.
impl From<Option<Span>> for SpanSet {
    fn from(span: Option<Span>) -> Self {
        Self(span.into_iter().collect())
    }
}

/// In any order; what overlaps or touches becomes one.
impl FromIterator<Span> for SpanSet {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        join(&mut spans, |span| span.start, |span| &mut span.end);
        Self(spans)
    }
}

/// Sorts, and makes one of what overlaps or touches.
pub(crate) fn join<S, T: Ord + Copy>(
    parts: &mut Vec<S>,
    start: impl Fn(&S) -> T,
    end: impl Fn(&mut S) -> &mut T,
) {
    parts.sort_unstable_by_key(&start);
    parts.dedup_by(|next, last| {
        let joined = start(next) <= *end(last);
        if joined {
            let reach = *end(next);
            *end(last) = reach.max(*end(last));
        }
        joined
    });
}

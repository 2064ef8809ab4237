//! Who waits for whose calendar, within this process.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};

use crate::id::UserId;
use crate::slot_cache::People;

/// Wakes those who wait for changes. Clones are one hub; a process has one per store.
///
/// It carries no data: whoever is woken looks into the store. So nothing piles up for those who
/// are slow, and a wake-up too many does no harm. Before it wakes anybody, it has a
/// [`SlotCache`](crate::SlotCache) forget whose calendars have changed.
#[derive(Debug, Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By whom they watch; under `None` those who watch everybody.
    watching: Mutex<HashMap<Option<UserId>, Vec<Arc<Notify>>>>,
    /// Who remembers what was read.
    memories: Mutex<Vec<Weak<People>>>,
    /// How many [`Hearing`]s there are.
    ears: Mutex<usize>,
    /// Odd while there are some; another number whenever something may have been missed.
    epoch: AtomicU64,
    /// What other processes are to be told.
    untold: Mutex<Untold>,
    /// There is something for the relay to look at.
    work: Notify,
    /// Grows whenever there may be deliveries.
    deliveries: watch::Sender<u64>,
    /// Grows whenever there may be other subscribers.
    subscribers: watch::Sender<u64>,
}

/// Whose calendars were changed by this process since a relay last looked. Where none runs, nobody
/// would ever look: nothing is kept.
#[derive(Debug, Default)]
struct Untold {
    relays: usize,
    people: BTreeSet<UserId>,
}

impl Hub {
    /// Says that this process has changed these people's calendars: wakes who watches them, and
    /// the relay that runs over this hub, which tells other processes.
    pub fn changed<'a>(&self, people: impl IntoIterator<Item = &'a UserId>) {
        let people: BTreeSet<UserId> = people.into_iter().cloned().collect();
        self.wake(&people);
        let mut untold = lock(&self.0.untold);
        if untold.relays > 0 {
            untold.people.extend(people);
        }
        drop(untold);
        self.0.work.notify_one();
    }

    /// Says that subscribers joined, left, changed what they want, or are to get something again.
    pub fn subscribers_changed(&self) {
        self.0.subscribers.send_modify(|count| *count += 1);
        self.events_published();
    }

    pub(crate) fn events_published(&self) {
        self.0.deliveries.send_modify(|count| *count += 1);
    }

    /// Says that this hub is told of whatever other processes change, until what it returns is
    /// dropped. [`Relay::run`](crate::Relay::run) says so while it listens to their signals. A
    /// program that runs no relay may say so itself, if no other process uses its store.
    ///
    /// Only meanwhile a [`SlotCache`](crate::SlotCache) is used; what it held before is forgotten.
    #[must_use = "it stands for hearing as long as it is kept"]
    pub fn hearing(&self) -> Hearing {
        let mut ears = lock(&self.0.ears);
        *ears += 1;
        self.0.turn(*ears);
        Hearing(self.clone())
    }

    /// A number that stays the same for as long as nothing can have been missed; `None` while this
    /// process does not hear what others change.
    pub(crate) fn epoch(&self) -> Option<u64> {
        Some(self.0.epoch.load(Ordering::SeqCst)).filter(|epoch| epoch % 2 == 1)
    }

    /// Has these forget whose calendars have changed.
    pub(crate) fn remind(&self, memory: &Arc<People>) {
        let mut memories = lock(&self.0.memories);
        memories.retain(|memory| memory.strong_count() > 0);
        memories.push(Arc::downgrade(memory));
    }

    /// Wakes everybody: anything may have changed.
    pub fn wake_all(&self) {
        self.0.turn(*lock(&self.0.ears));
        lock(&self.0.watching).values().flatten().for_each(|waiting| waiting.notify_one());
        self.0.work.notify_one();
    }

    /// Waits for changes of these people's calendars, from now on.
    pub fn watch(&self, people: impl IntoIterator<Item = UserId>) -> Watching {
        self.register(people.into_iter().map(Some).collect())
    }

    /// Waits for changes of anybody's calendar, from now on.
    pub fn watch_all(&self) -> Watching {
        self.register(BTreeSet::from([None]))
    }

    pub(crate) fn wake<'a>(&self, people: impl IntoIterator<Item = &'a UserId>) {
        let people: BTreeSet<UserId> = people.into_iter().cloned().collect();
        self.forget(&people);
        let watching = lock(&self.0.watching);
        let people = people.into_iter().map(Some).chain([None]);
        let concerned = people.filter_map(|person| watching.get(&person));
        concerned.flatten().for_each(|waiting| waiting.notify_one());
    }

    /// Has what is remembered of these people read anew, and wakes nobody.
    pub(crate) fn forget(&self, people: &BTreeSet<UserId>) {
        for memory in lock(&self.0.memories).iter().filter_map(Weak::upgrade) {
            people.iter().for_each(|person| memory.forget(person));
        }
    }

    fn register(&self, of: BTreeSet<Option<UserId>>) -> Watching {
        let woken = Arc::<Notify>::default();
        let mut watching = lock(&self.0.watching);
        for person in &of {
            watching.entry(person.clone()).or_default().push(woken.clone());
        }
        drop(watching);
        Watching { hub: self.clone(), of, woken }
    }

    /// Waits until there is something for the relay.
    pub(crate) async fn work(&self) {
        self.0.work.notified().await;
    }

    /// Keeps what is changed for a relay, until what it returns is dropped.
    pub(crate) fn keep_changed(&self) -> KeepsChanged {
        lock(&self.0.untold).relays += 1;
        KeepsChanged(self.clone())
    }

    pub(crate) fn take_changed(&self) -> BTreeSet<UserId> {
        std::mem::take(&mut lock(&self.0.untold).people)
    }

    /// Wakes those who deliver.
    pub(crate) fn deliveries(&self) -> watch::Receiver<u64> {
        self.0.deliveries.subscribe()
    }

    /// Wakes those who look after subscribers.
    pub(crate) fn subscribers(&self) -> watch::Receiver<u64> {
        self.0.subscribers.subscribe()
    }
}

impl Inner {
    /// Begins another epoch. The number of ears is locked meanwhile.
    fn turn(&self, ears: usize) {
        let epoch = self.epoch.load(Ordering::SeqCst);
        self.epoch.store((epoch / 2 + 1) * 2 + u64::from(ears > 0), Ordering::SeqCst);
    }
}

/// Stands for a relay that will look at what was changed.
#[derive(Debug)]
pub(crate) struct KeepsChanged(Hub);

impl Drop for KeepsChanged {
    fn drop(&mut self) {
        let mut untold = lock(&self.0.0.untold);
        untold.relays -= 1;
        if untold.relays == 0 {
            untold.people = BTreeSet::new();
        }
    }
}

/// Stands for hearing what other processes change: see [`Hub::hearing`].
#[derive(Debug)]
pub struct Hearing(Hub);

impl Drop for Hearing {
    fn drop(&mut self) {
        let Hub(inner) = &self.0;
        let mut ears = lock(&inner.ears);
        *ears -= 1;
        inner.turn(*ears);
    }
}

/// Somebody who waits.
#[derive(Debug)]
pub struct Watching {
    hub: Hub,
    of: BTreeSet<Option<UserId>>,
    woken: Arc<Notify>,
}

impl Watching {
    /// Returns once something may have changed since it last returned, or since it began. Dropped
    /// while it waits, it misses nothing.
    pub async fn changed(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watching = lock(&self.hub.0.watching);
        for person in &self.of {
            if let Some(waiting) = watching.get_mut(person) {
                waiting.retain(|other| !Arc::ptr_eq(other, &self.woken));
                if waiting.is_empty() {
                    watching.remove(person);
                }
            }
        }
    }
}

/// What is behind these locks is right after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

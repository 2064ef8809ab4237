//! As it runs in a service.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::{as_therapist, other_therapist};
use booking_core::{
    Behind, CalendarSource, Copier, Fetched, LinkedCalendar, SourceError, Span, Validators,
};
use chrono::{DateTime, Utc};

use super::{EVERY, Practice, busy, jane, new};

/// What is linked is read at once, and not only at the next look, and it ends when it is told to,
/// whatever a server does meanwhile. Time stands still while something is to be done.
#[tokio::test(start_paused = true)]
async fn it_reads_in_the_background() {
    struct Silent;

    #[async_trait]
    impl CalendarSource for Silent {
        async fn fetch(
            &self,
            link: &LinkedCalendar,
            _: Option<&Validators>,
            _: Span,
        ) -> Result<Fetched, SourceError> {
            if link.therapist == other_therapist() {
                std::future::pending::<()>().await;
            }
            busy("20240115T100000", "one")
        }

        async fn catch_up(
            &self,
            _: &LinkedCalendar,
            _: DateTime<Utc>,
            _: Duration,
        ) -> Result<(), Behind> {
            Ok(())
        }
    }

    let practice = Practice::open().await;
    let links = &practice.links;
    let copier = Copier::new(links.clone(), Arc::new(Silent), EVERY);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(copier.run(async move {
        let _told = stopped.await;
    }));
    // Past its first look.
    tokio::time::sleep(Duration::from_millis(50)).await;
    links.add(&as_therapist(&other_therapist()), new(links)).await.expect("there is room");
    links.add(&jane(), new(links)).await.expect("there is room");
    let read = async {
        while practice.link().await.copy.fetched_at.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("it is read at once");
    stop.send(()).expect("it runs");
    let ended = tokio::time::timeout(Duration::from_secs(5), running).await;
    ended.expect("it ends").expect("nothing panics");
}

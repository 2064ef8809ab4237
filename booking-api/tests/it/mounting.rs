//! The API under other paths than its own.

use std::sync::Arc;

use booking_api::Api;
use booking_core::{Booking, MemoryStore, RandomIds, SystemClock};
use poem::http::Method;
use poem::{Endpoint, Request};

use crate::unavailable::John;

#[tokio::test]
async fn addresses_are_known_however_the_path_before_them_is_written() {
    for (under, is_at) in [
        ("", ""),
        ("/", ""),
        ("scheduling", "/scheduling"),
        ("/scheduling/", "/scheduling"),
        ("//a//b/", "/a/b"),
    ] {
        let store = Arc::new(MemoryStore::default());
        let booking =
            Booking::new(store.clone(), store, Arc::new(SystemClock), Arc::new(RandomIds));
        let api = Api::new(booking, Arc::new(John)).under(under);
        let server = format!("\"url\":\"{}\"", if is_at.is_empty() { "/" } else { is_at });
        assert!(api.openapi_json().replace("\": ", "\":").contains(&server), "{under}");
        let app = api.routes();
        let ask = async |method, path: &str| {
            let uri = format!("{is_at}{path}").parse().expect("a path");
            app.get_response(Request::builder().method(method).uri(uri).finish()).await
        };
        let answer = ask(Method::DELETE, "/booking/slots").await;
        assert_eq!(answer.status(), 405, "{under}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{under}");
        assert_eq!(ask(Method::GET, "/booking/slots").await.status(), 401, "{under}");
        assert_eq!(ask(Method::GET, "/booking/nothing").await.status(), 404, "{under}");
    }
}

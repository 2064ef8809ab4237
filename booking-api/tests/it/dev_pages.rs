//! What the `dev` server has for pages: who there is to be, and the pages themselves.

use crate::server::Server;

#[tokio::test]
async fn a_page_of_this_server_can_be_any_demo_user() {
    let server = Server::memory().await;
    server.add_user("therapist", "therapist_456", Some("Europe/Paris")).await;
    let page = server.anonymous().with("sec-fetch-site", "same-origin");
    let answer = page.get("/dev/users").await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    let users = answer.body.as_array().expect("a list");
    let told = |field| users.iter().map(move |user| user[field].as_str().unwrap_or_default());
    let ids: Vec<_> = told("id").collect();
    assert_eq!(ids, ["client_123", "client_124", "therapist_456", "therapist_457", "admin_1"]);
    let zones: Vec<_> = told("timeZone").collect();
    assert_eq!(zones, ["UTC", "UTC", "Europe/Paris", "UTC", "UTC"], "as the directory has them");
    for (user, path) in [
        ("client_123", "/booking/meetings"),
        ("therapist_457", "/booking/availability"),
        ("admin_1", "/booking/directory/users/client_123"),
    ] {
        let user = users.iter().find(|known| known["id"] == user).expect("a demo user");
        let token = user["token"].as_str().expect("a token");
        server.anonymous().with_token(token).get(path).await.expect(200);
    }
}

/// Any page may send a request to this machine; what keeps its tokens is that it may not read the
/// answer, and here, that there is none.
#[tokio::test]
async fn nobody_else_s_page_gets_a_token() {
    let server = Server::memory().await;
    for (header, value) in [
        ("origin", "http://localhost:3000"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        let page = server.anonymous().with(header, value);
        page.get("/dev/users").await.refused(403, "forbidden");
    }
}

#[cfg(feature = "web")]
#[tokio::test]
async fn the_pages_or_how_to_build_them_are_at_the_root() {
    let server = Server::memory().await;
    let page = server.anonymous().get("/").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let known = ["<div id=\"root\">", "npm run build"];
    assert!(known.iter().any(|part| page.text.contains(part)), "{}", page.text);
    server.anonymous().get("/assets/nothing.js").await.refused(404, "not_found");
    server.anonymous().get("/assets/..%2findex.html").await.refused(404, "not_found");
}

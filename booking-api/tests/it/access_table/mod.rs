//! Who may do what, as one table: every operation of the served document × every role × every
//! relation to what it is about, asked over HTTP. `golden.md` has the answers, for people to read;
//! whatever differs fails, and so does an operation that is not in it. After
//! `BOOKING_GOLDEN=write cargo test -p booking-api --test it access_table`, the file says what the
//! server does now: read what has changed.
//!
//! What is refused changes nothing: everything that can be seen is looked at before and after. And the
//! document says of every refusal that there is one.

mod asks;
mod practice;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use reqwest::Method;

use self::asks::RELATIONS;
use self::practice::Practice;
use crate::caller::{Answer, Caller};
use crate::document;
use crate::server::Server;

const GOLDEN: &str = "tests/it/access_table/golden.md";
const HEAD: &str = "\
# Who may do what

What the server answers, cell by cell: the status, and the code of the problem if it is one. Written
by `access_table/mod.rs`, which says how; whatever differs from it fails.

The client is `client_123`, who is related to `therapist_456`, the therapist, and not to
`therapist_457`. *Other's* is what belongs to `client_124` and `therapist_457`. An admin, and whoever
has no good token, asks for what would be the client's and the therapist's own.

";

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Client,
    Therapist,
    Admin,
    NoToken,
    BadToken,
}

impl Who {
    const ALL: [Self; 5] =
        [Self::Client, Self::Therapist, Self::Admin, Self::NoToken, Self::BadToken];

    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Therapist => "therapist",
            Self::Admin => "admin",
            Self::NoToken => "no token",
            Self::BadToken => "bad token",
        }
    }

    fn caller(self, server: &Server) -> Caller {
        match self {
            Self::Client => server.client(),
            Self::Therapist => server.therapist(),
            Self::Admin => server.admin(),
            Self::NoToken => server.anonymous(),
            Self::BadToken => server.anonymous().with_token("garbage"),
        }
    }
}

/// An operation as the served document has it.
#[derive(Debug, Clone)]
struct Operation {
    id: String,
    method: Method,
    /// With its parameters in braces.
    path: String,
}

async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.anonymous().get("/openapi.json").await.expect(200).body;
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &serde_json::Value)| {
        let methods = methods.as_object().expect("operations").iter();
        let operation = methods.map(|(method, operation)| Operation {
            id: operation["operationId"].as_str().expect("a name").to_owned(),
            method: method.to_uppercase().parse().expect("a method"),
            path: path.clone(),
        });
        operation.collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says() {
    let practice = Practice::open().await;
    let operations = operations(&practice.server).await;
    let known: BTreeMap<&str, &[&str]> = RELATIONS.iter().copied().collect();
    let served: Vec<&str> = operations.iter().map(|operation| operation.id.as_str()).collect();
    let unknown: Vec<_> = served.iter().filter(|id| !known.contains_key(*id)).collect();
    assert!(unknown.is_empty(), "say in asks.rs what {unknown:?} are to be asked for");
    let gone: Vec<_> = known.keys().filter(|id| !served.contains(id)).collect();
    assert!(gone.is_empty(), "the document no longer has {gone:?}");

    let mut table = HEAD.to_owned();
    let names = Who::ALL.map(Who::name).join(" | ");
    writeln!(table, "| operation | about | {names} |\n|---|---|{}", "---|".repeat(Who::ALL.len()))
        .expect("memory holds");
    for operation in &operations {
        for (n, relation) in known[operation.id.as_str()].iter().enumerate() {
            let mut cells = Vec::new();
            for who in Who::ALL {
                cells.push(cell(&practice, operation, relation, who).await);
            }
            let Operation { method, path, .. } = operation;
            let named = if n == 0 { format!("`{method} {path}`") } else { String::new() };
            writeln!(table, "| {named} | {relation} | {} |", cells.join(" | "))
                .expect("memory holds");
        }
    }
    check(&table);
}

/// Asks, and makes sure that a refusal changes nothing.
async fn cell(practice: &Practice, operation: &Operation, relation: &str, who: Who) -> String {
    let ask = practice.ask(&operation.id, relation, who).await;
    let mut path = operation.path.clone();
    for (name, value) in &ask.path {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    assert!(!path.contains('{'), "what {path} is about");
    path.push_str(&ask.query);
    let writes = operation.method != Method::GET;
    let before = if writes { practice.everything().await } else { vec![] };
    let caller = who.caller(&practice.server);
    let mut request = caller.request(operation.method.clone(), &path);
    if let Some(body) = ask.body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.expect("the server answers");
    let status = answer.status().as_u16();
    if status < 400 {
        // Streams have no end.
        return status.to_string();
    }
    let told = format!("{operation:?} about {relation} by {who:?}");
    let answer = Answer::read(answer).await.expect("a problem");
    document::check(&operation.method, &path, &answer);
    let problem = answer.body;
    if writes {
        assert_eq!(practice.everything().await, before, "{told} was refused: {problem}");
    }
    assert!(status < 500, "{told}: {problem}");
    format!("{status} {}", problem["code"].as_str().expect("a code"))
}

fn check(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("BOOKING_GOLDEN").is_some_and(|then| then == "write") {
        std::fs::write(&file, table).expect("the file can be written");
    }
    let golden = std::fs::read_to_string(&file).expect("the file is there");
    let differs = |(is, was): &(&str, &str)| is != was;
    let lines: Vec<_> = table.lines().zip(golden.lines()).filter(differs).collect();
    assert!(table == golden, "{GOLDEN} says otherwise (left is, right was): {lines:#?}");
}

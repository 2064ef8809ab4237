//! The examples, sent as they stand to a server that has just been started.

use reqwest::Method;
use serde_json::Value;

use crate::caller::Caller;
use crate::server::Server;

/// An operation with what its examples say is to be sent.
struct Example {
    id: String,
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    /// Of the success.
    status: u16,
    streams: bool,
}

fn examples(document: &Value) -> Vec<Example> {
    let paths = document["paths"].as_object().expect("an object");
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("an object").iter().map(move |operation| (path, operation))
    });
    operations.map(|(path, (method, operation))| example(path, method, operation)).collect()
}

fn example(path: &str, method: &str, operation: &Value) -> Example {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a text");
        let Some(example) = parameter["example"].as_str() else { continue };
        match parameter["in"].as_str().expect("a text") {
            "path" => path = path.replace(&format!("{{{name}}}"), example),
            "query" => query.push(format!("{name}={example}")),
            other => panic!("an example in the {other}"),
        }
    }
    let body = operation["requestBody"]["content"]["application/json"].get("example");
    let responses = operation["responses"].as_object().expect("an object");
    let (status, success) =
        responses.iter().find(|(status, _)| status.starts_with('2')).expect("a success");
    Example {
        id: operation["operationId"].as_str().expect("a text").to_owned(),
        method: method.to_uppercase().parse().expect("a method"),
        path: format!("{path}?{}", query.join("&")),
        body: body.map(|body| body.to_string().into_bytes()),
        status: status.parse().expect("a number"),
        streams: success["content"]["text/event-stream"].is_object(),
    }
}

impl Example {
    /// Whether nothing is left for others.
    fn ends_something(&self) -> bool {
        self.method == Method::DELETE || self.id == "cancelMeetingWithReason"
    }

    /// Whether it is about a calendar that is linked: nobody has one from the start, for each leads away
    /// from this machine.
    fn is_of_linked_calendar(&self) -> bool {
        self.path.starts_with("/booking/calendars/")
    }

    /// Somebody who may do this.
    fn caller(&self, server: &Server) -> Caller {
        match self.path.split('/').nth(2).unwrap_or_default().split('?').next() {
            Some("availability" | "settings" | "overrides" | "calendars") => server.therapist(),
            Some("directory" | "webhooks" | "audit") => server.admin(),
            _ => server.client(),
        }
    }

    async fn succeeds(&self, server: &Server) {
        let caller = self.caller(server);
        let status = if self.streams {
            let request = caller.request(self.method.clone(), &self.path);
            request.send().await.expect("an answer").status().as_u16()
        } else {
            let answer = caller.send(self.method.clone(), &self.path, self.body.clone()).await;
            assert_eq!(answer.status, self.status, "{}: {}", self.id, answer.text);
            return;
        };
        assert_eq!(status, self.status, "{}", self.id);
    }
}

async fn served(server: &Server) -> Vec<Example> {
    examples(&server.anonymous().get("/openapi.json").await.expect(200).body)
}

#[tokio::test]
async fn examples_succeed_as_they_stand() {
    let server = Server::with_samples().await;
    let (ending, lasting): (Vec<Example>, Vec<Example>) =
        served(&server).await.into_iter().partition(Example::ends_something);
    let of_linked = |example: &Example| example.is_of_linked_calendar();
    assert_eq!(ending.iter().filter(|example| of_linked(example)).count(), 1);
    let (lasting, ending) = [lasting, ending]
        .map(|examples| examples.into_iter().filter(|one| !of_linked(one)).collect::<Vec<_>>())
        .into();
    assert!(lasting.len() > 15);
    for example in lasting {
        example.succeeds(&server).await;
    }
    let ids: Vec<&str> = ending.iter().map(|example| example.id.as_str()).collect();
    let expected = [
        "cancelMeetingWithReason",
        "cancelMeeting",
        "deleteAvailability",
        "deleteCalendarFeed",
        "deleteHold",
        "deleteOverride",
        "deleteRelationship",
        "deleteWebhook",
    ];
    assert_eq!(ids.len(), expected.len(), "{ids:?}");
    for id in expected {
        let server = Server::with_samples().await;
        let examples = served(&server).await;
        let example = examples.iter().find(|example| example.id == id);
        example.unwrap_or_else(|| panic!("no {id}")).succeeds(&server).await;
    }
}

/// Also once the clock is somewhere else: the document's dates follow it.
#[tokio::test]
async fn examples_follow_the_clock() {
    let server = Server::with_samples().await;
    for now in ["2031-05-18T23:59:00Z", "2031-05-19T00:00:00Z"] {
        server.set_clock(now).await;
        for id in ["listSlots", "createMeeting"] {
            let examples = served(&server).await;
            examples.iter().find(|example| example.id == id).unwrap().succeeds(&server).await;
        }
    }
    for page in ["/docs", "/openapi.yaml"] {
        let page = server.anonymous().get(page).await.expect(200);
        assert!(page.text.contains("2031-06-02T18:00:00.000Z"), "the second Monday from then");
    }
}

/// Whoever sets the clock sets the scene.
#[tokio::test]
async fn with_a_clock_of_its_own_a_server_starts_empty() {
    let server = Server::memory().await;
    server.therapist().get("/booking/availability").await.expect(200).check_text("[]");
    server.client().get("/booking/meetings").await.expect(200).check_text("[]");
}

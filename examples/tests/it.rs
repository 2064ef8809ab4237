//! The examples do what they say.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

#[test]
fn slots_shows_a_night_without_two_o_clock() {
    let shown = run(env!("CARGO_BIN_EXE_slots"));
    assert_eq!(
        shown,
        "00:30 -05:00  [30, 60, 90, 120] minutes\n\
         01:00 -05:00  [30, 60, 90] minutes\n\
         01:30 -05:00  [30, 60] minutes\n\
         03:00 -04:00  [30] minutes\n\
         04:00 -04:00  [30, 60] minutes\n\
         04:30 -04:00  [30] minutes\n"
    );
}

#[test]
fn embed_gives_the_slot_to_one_of_two() {
    let shown = run(env!("CARGO_BIN_EXE_embed"));
    assert!(shown.starts_with("6 starts on 2024-01-15"), "{shown}");
    assert_eq!(shown.matches("has it: meeting_").count(), 1, "{shown}");
    assert_eq!(shown.matches(": taken").count(), 1, "{shown}");
    assert!(shown.ends_with("event 1: AppointmentBooked\n"), "{shown}");
}

#[tokio::test]
async fn mount_serves_the_api_under_its_own_path_and_auth() {
    let mut server = Running(
        Command::new(env!("CARGO_BIN_EXE_mount"))
            .arg("0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts"),
    );
    let mut line = String::new();
    let stdout = server.0.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("the example tells its address");
    let address = line.trim().rsplit('/').next().expect("an address");

    // Nobody is called by TLS here; a client that could wants to know how.
    let _installed_already = rustls::crypto::ring::default_provider().install_default();
    // Whatever the environment says of proxies.
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let get = async |path: &str| {
        let request = client.get(format!("http://{address}{path}"));
        request.bearer_auth("client:ann").send().await.expect("an answer")
    };
    assert_eq!(get("/").await.status(), 200);
    assert_eq!(get("/scheduling/healthz").await.status(), 200);
    let meetings = get("/scheduling/api/booking/meetings").await;
    assert_eq!(meetings.json::<serde_json::Value>().await.expect("JSON"), serde_json::json!([]));
    let unknown = get("/scheduling/api/booking/nothing").await;
    assert_eq!(unknown.headers()["content-type"], "application/problem+json");
    let unknown = get("/scheduling/api/booking/meetings/meeting_1").await;
    let problem: serde_json::Value = unknown.json().await.expect("JSON");
    let explained = problem["type"].as_str().expect("a type");
    assert_eq!(explained, "/scheduling/problems/meeting_not_found");
    assert_eq!(get(explained).await.status(), 200);
    let spec: serde_json::Value = get("/scheduling/openapi.json").await.json().await.expect("JSON");
    assert_eq!(spec["servers"][0]["url"], "/scheduling/api");
    let page = get("/scheduling/docs").await.text().await.expect("text");
    assert!(page.contains("\"url\": \"/scheduling/api\""));
    let yaml = get("/scheduling/openapi.yaml").await.text().await.expect("text");
    assert!(yaml.contains("url: /scheduling/api\n"));
}

fn run(example: &str) -> String {
    let done = Command::new(example).output().expect("the example runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

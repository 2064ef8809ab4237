//! The tool still runs: everything, on very little, for a moment. What it measures says nothing
//! here; that no request fails, and that a race books what is possible, it looks at itself.

use std::path::Path;
use std::process::Command;

#[test]
fn all_lines_of_the_table_are_there_and_nothing_failed() {
    let tool = Path::new(env!("CARGO_BIN_EXE_booking-load"));
    // Of the same build: Cargo hands a program to the tests of its own package only.
    let server = tool.with_file_name("booking-api");
    assert!(server.exists(), "build the server too: cargo test --workspace --all-features");
    let output = Command::new(tool)
        .args(["--meetings", "400", "--meetings", "400", "--therapists", "20"])
        .args(["--seconds", "0.02", "--rounds", "1", "--clients", "4", "--server"])
        .arg(server)
        .output()
        .expect("the tool starts");
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{progress}");

    let table = String::from_utf8(output.stdout).expect("Markdown in UTF-8");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    for row in &rows {
        let [_, _, name, rate, _, _, _, _, failed, ..] = row[..] else { panic!("{row:?}") };
        assert_eq!(failed, "0", "{name}");
        assert_ne!(rate, "0", "{name}");
    }
    let names = rows.iter().map(|row| row[2]);
    for (wanted, times) in [
        ("GET slots", 2 + 2 + 2),
        ("bare endpoint", 2 + 2),
        ("POST meetings", 3 + 1 + 2 + 2 + 2),
        ("pgbench", 4 + 2),
        ("race", 1),
        ("the same rows by one connection", 1),
        ("GET meetings of a client with 10,", 2),
        ("GET meetings of a client with 1000,", 2),
        ("GET meetings of a client with 10000,", 2),
    ] {
        let found = names.clone().filter(|name| name.starts_with(wanted)).count();
        assert!(found >= times, "{found} times {wanted:?} in {table}");
    }
}

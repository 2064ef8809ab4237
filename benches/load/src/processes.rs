//! Processes that end with this one, whatever becomes of it.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Runs a script of `sh` once this value, or this process, is gone.
#[derive(Debug)]
pub(crate) struct Afterwards(Child);

impl Afterwards {
    /// `$0`, `$1`, … are the arguments.
    pub(crate) fn run<A: AsRef<OsStr>>(
        script: &str,
        arguments: &[A],
        user: Option<(u32, u32)>,
    ) -> std::io::Result<Self> {
        let script = format!("cat\n{script}");
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(script)
            .args(arguments)
            .current_dir("/")
            // Signals to us are not for the one who cleans up after us.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        as_user(&mut command, user).spawn().map(Self)
    }
}

/// Waits until it is done.
impl Drop for Afterwards {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended_already = self.0.wait().is_err();
    }
}

/// A program that does not run as root.
pub(crate) fn as_user(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    match user {
        Some((uid, gid)) => command.uid(uid).gid(gid),
        None => command,
    }
}

/// What a process has in memory now, in bytes.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

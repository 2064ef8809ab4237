//! Files that hold secrets.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Writes a file that nobody else may read. Two processes that come here at once end up with one: it
/// appears whole or not at all, and the first one stays.
pub(super) fn write_once(path: &Path, secret: &[u8]) -> io::Result<()> {
    let draft = path.with_added_extension(std::process::id().to_string());
    let mut file = private_file(&draft)?;
    file.write_all(secret)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A file that nobody else may read.
fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

//! Everything that is wrong with the settings, said at once: nobody wants to start a server once
//! per mistake.

use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};

use super::Failure;

/// What is wrong, by setting, in the order in which it was found.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

#[derive(Debug)]
struct Mistake {
    /// `--flag (VARIABLE)`
    setting: String,
    wrong: String,
}

impl Mistakes {
    pub(super) fn note(&mut self, setting: &str, wrong: impl fmt::Display) {
        self.0.push(Mistake { setting: setting.to_owned(), wrong: wrong.to_string() });
    }

    /// Whether something is wrong with this setting already: then it only seems to be missing.
    pub(super) fn has(&self, setting: &str) -> bool {
        self.0.iter().any(|mistake| mistake.setting == setting)
    }

    /// Goes on only without any.
    pub(super) fn none(&self) -> Result<(), Failure> {
        if self.0.is_empty() { Ok(()) } else { Err(self.to_string().into()) }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "{} {}", only.setting, only.wrong),
            all => {
                write!(f, "{} settings are not as they must be:", all.len())?;
                all.iter()
                    .try_for_each(|Mistake { setting, wrong }| write!(f, "\n  {setting} {wrong}"))
            }
        }
    }
}

/// Parses a command line, its variables included. Values that do not parse are noted, and the
/// settings are as if nobody had given them. An empty variable is none: that is how files of
/// variables leave one out.
///
/// # Errors
/// For a command line that cannot be read at all, and where help is asked for.
pub(super) fn parse(
    command: Command,
    mut line: Vec<OsString>,
) -> Result<(ArgMatches, Mistakes), clap::Error> {
    let mut command = command.mut_subcommands(|sub| {
        sub.mut_args(|arg| {
            let empty = variable(&arg).and_then(std::env::var_os).is_some_and(|v| v.is_empty());
            if empty { without_variable(arg) } else { arg }
        })
    });
    let mut mistakes = Mistakes::default();
    loop {
        let error = match command.clone().try_get_matches_from(&line) {
            Ok(matches) => return Ok((matches, mistakes)),
            Err(error) => error,
        };
        let Some((sub, arg)) = bad_value(&command, &line, &error) else { return Err(error) };
        mistakes.note(&name(&arg), wrong_value(&error, &arg));
        if !take_out(&mut line, &arg) {
            let id = arg.get_id().clone();
            // It has no value left to be wrong about.
            if arg.get_env().is_none() {
                return Err(error);
            }
            command = command.mut_subcommand(sub, |sub| sub.mut_arg(id, without_variable));
        }
    }
}

/// `--flag (VARIABLE)`, or as much of it as there is.
fn name(arg: &Arg) -> String {
    let flag = format!("--{}", arg.get_long().unwrap_or(arg.get_id().as_str()));
    match variable(arg) {
        Some(variable) => format!("{flag} ({})", variable.display()),
        None => flag,
    }
}

fn variable(arg: &Arg) -> Option<&OsStr> {
    arg.get_env()
}

fn without_variable(arg: Arg) -> Arg {
    arg.env(None::<&'static str>)
}

/// The setting whose value an error is about, and the subcommand that has it.
fn bad_value(command: &Command, line: &[OsString], error: &clap::Error) -> Option<(String, Arg)> {
    let about_values = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
    if !about_values.contains(&error.kind()) {
        return None;
    }
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let named = |word: &OsString| command.find_subcommand(word.to_str()?);
    let (_program, words) = line.split_first()?;
    let sub = words.iter().find_map(named)?;
    // `--flag <VALUE>`
    let long = shown.split_whitespace().next()?.strip_prefix("--")?;
    let arg = sub.get_arguments().find(|arg| arg.get_long() == Some(long))?;
    Some((sub.get_name().to_owned(), arg.clone()))
}

/// Values of secrets are not repeated, and not what a parser says of them.
fn wrong_value(error: &clap::Error, arg: &Arg) -> String {
    if arg.is_hide_env_values_set() {
        return "is not as it must be".to_owned();
    }
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(cause), _) => format!("is {value:?}: {cause}"),
        (None, Some(ContextValue::Strings(valid))) => {
            format!("is {value:?}, and must be one of {}", valid.join(", "))
        }
        (None, _) => format!("is {value:?}"),
    }
}

/// Takes a flag and its value out of a command line; whether it was there.
fn take_out(line: &mut Vec<OsString>, arg: &Arg) -> bool {
    let Some(long) = arg.get_long() else { return false };
    let flag = format!("--{long}");
    let joined = format!("{flag}=");
    let is_it = |word: &OsString| {
        word.to_str().is_some_and(|word| word == flag || word.starts_with(&joined))
    };
    let before = line.len();
    while let Some(place) = line.iter().position(is_it) {
        let word = line.remove(place);
        if word.to_str() == Some(&flag) && place < line.len() {
            line.remove(place);
        }
    }
    line.len() < before
}

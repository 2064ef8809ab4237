//! Which methods an address has: a 405 must say so (RFC 9110, section 15.5.6).

use serde_json::Value;

/// Path templates and their methods, as the spec has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedMethods(Vec<(Vec<Segment>, String)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter,
}

impl AllowedMethods {
    /// Takes them from the spec, whose paths are served under `prefix`.
    pub(crate) fn from_spec(spec: &Value, prefix: &str) -> Self {
        let paths = spec["paths"].as_object().into_iter().flatten();
        Self(
            paths
                .map(|(path, operations)| {
                    let methods =
                        operations.as_object().into_iter().flatten().map(|(name, _)| name);
                    let methods: Vec<String> = methods.map(|m| m.to_ascii_uppercase()).collect();
                    (segments(&format!("{prefix}{path}")), methods.join(", "))
                })
                .collect(),
        )
    }

    /// Adds an address that the spec does not have.
    pub(crate) fn with(mut self, path: &str, methods: &str) -> Self {
        self.0.push((segments(path), methods.to_owned()));
        self
    }

    /// The methods of an address, separated by commas.
    pub(crate) fn of(&self, path: &str) -> Option<&str> {
        let path: Vec<&str> = path.split('/').collect();
        let matches = |template: &[Segment]| {
            template.len() == path.len()
                && template.iter().zip(&path).all(|(segment, part)| match segment {
                    Segment::Literal(literal) => literal == part,
                    Segment::Parameter => !part.is_empty(),
                })
        };
        let found = self.0.iter().find(|(template, _)| matches(template));
        found.map(|(_, methods)| methods.as_str())
    }
}

fn segments(path: &str) -> Vec<Segment> {
    path.split('/')
        .map(|part| match part.starts_with('{') {
            true => Segment::Parameter,
            false => Segment::Literal(part.to_owned()),
        })
        .collect()
}

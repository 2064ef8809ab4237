//! The addresses that there are: for `Allow` (RFC 9110, section 15.5.6) and for metrics, which must
//! not grow with what callers make up.

use std::collections::HashMap;

use serde_json::Value;

/// A path before those of the spec, in the one form in which they can be put together: `/a/b`; nothing
/// for the root.
pub(crate) fn base_path(text: &str) -> String {
    let parts = text.split('/').filter(|part| !part.is_empty());
    parts.flat_map(|part| ["/", part]).collect()
}

/// Every address, with its methods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes {
    /// Those that are one path each, by it.
    fixed: HashMap<String, Address>,
    /// Those that have parameters.
    open: Vec<Address>,
}

/// One address: `/api/booking/meetings/{id}`.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) template: String,
    /// Separated by commas.
    pub(crate) methods: String,
}

impl Routes {
    /// Takes them from the spec, whose paths are served under `prefix`.
    pub(crate) fn from_spec(spec: &Value, prefix: &str) -> Self {
        let paths = spec["paths"].as_object().into_iter().flatten();
        paths.fold(Self::default(), |routes, (path, operations)| {
            let names = operations.as_object().into_iter().flatten().map(|(name, _)| name);
            let mut methods: Vec<String> = names.map(|name| name.to_ascii_uppercase()).collect();
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            routes.with(&format!("{prefix}{path}"), &methods.join(", "))
        })
    }

    /// Adds an address that the spec does not have.
    pub(crate) fn with(mut self, template: &str, methods: &str) -> Self {
        let address = Address { template: template.to_owned(), methods: methods.to_owned() };
        if template.contains('{') {
            self.open.push(address);
        } else {
            self.fixed.insert(template.to_owned(), address);
        }
        self
    }

    /// The address that a path is; one without parameters comes first, as where requests are routed.
    pub(crate) fn find(&self, path: &str) -> Option<&Address> {
        let fits = |address: &&Address| {
            let (mut wanted, mut given) = (address.template.split('/'), path.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (None, None) => return true,
                    (Some(part), Some(text)) if part.starts_with('{') && !text.is_empty() => {}
                    (Some(part), Some(text)) if part == text => {}
                    _ => return false,
                }
            }
        };
        self.fixed.get(path).or_else(|| self.open.iter().find(fits))
    }
}

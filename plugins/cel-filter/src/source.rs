//! Where a value of the expression comes from.

use std::fmt;

/// One field that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Topic,
    Id,
    Tenant,
    Timestamp,
    EndpointId,
    EndpointUrl,
    /// A value of the endpoint's metadata.
    Metadata(String),
    HasMetadata(String),
    /// What the JSON pointer finds in `data`.
    Data(String),
    HasData(String),
}

/// A root of static paths, with its fields.
pub(crate) const ROOTS: [&str; 3] = ["event", "data", "endpoint"];

impl Source {
    /// The source that a path such as `data.items[0].sku` names; `has` when it is the argument of `has(...)`.
    pub(crate) fn named(path: &[String], has: bool) -> Result<Self, String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Ok(match (path.as_slice(), has) {
            (["data", rest @ ..], false) => Self::Data(pointer(rest)),
            (["data", rest @ ..], true) => Self::HasData(pointer(rest)),
            (["event", "topic"], false) => Self::Topic,
            (["event", "id"], false) => Self::Id,
            (["event", "tenant"], false) => Self::Tenant,
            (["event", "timestamp"], false) => Self::Timestamp,
            (["endpoint", "id"], false) => Self::EndpointId,
            (["endpoint", "url"], false) => Self::EndpointUrl,
            (["endpoint", "metadata", name], false) => Self::Metadata((*name).into()),
            (["endpoint", "metadata", name], true) => Self::HasMetadata((*name).into()),
            _ => {
                return Err(format!(
                    "`expr` uses `{}`; there are event.topic, event.id, event.tenant, event.timestamp (ms), endpoint.id, \
                     endpoint.url, endpoint.metadata.NAME and data",
                    path.join(".")
                ));
            }
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => f.write_str("event.topic"),
            Self::Id => f.write_str("event.id"),
            Self::Tenant => f.write_str("event.tenant"),
            Self::Timestamp => f.write_str("event.timestamp"),
            Self::EndpointId => f.write_str("endpoint.id"),
            Self::EndpointUrl => f.write_str("endpoint.url"),
            Self::Metadata(name) | Self::HasMetadata(name) => write!(f, "endpoint.metadata.{name}"),
            Self::Data(pointer) | Self::HasData(pointer) => {
                write!(f, "data{}", pointer.replace('/', ".").replace("~1", "/").replace("~0", "~"))
            }
        }
    }
}

/// As RFC 6901 writes a path.
fn pointer(path: &[&str]) -> String {
    path.iter().map(|segment| format!("/{}", segment.replace('~', "~0").replace('/', "~1"))).collect()
}

//! `--rules-from`: rules that a broker distributes.

use super::Options;
use super::error::{ConfigError, usage};
use super::output::OutputArg;
use crate::config::{Published, Source};
use crate::destination::{Remote, Service, Target};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::str::FromStr;

/// A NATS server, in the syntax of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesFrom(pub Remote);

impl FromStr for RulesFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let OutputArg(output) = text.parse()?;
        let plain = output.name.is_empty() && output.format.is_none();
        match output.target {
            Target::Remote(remote) if plain && matches!(remote.service, Service::Nats { .. }) => {
                Ok(Self(remote))
            }
            _ => Err("name a NATS server: nats://HOST:4222; behind a comma may follow credentials=FILE, \
                      ca=FILE, cert=FILE and key=FILE"
                .to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for RulesFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The source of published rules, and the folder that they are stored in.
pub(super) fn published(
    source: &Source,
    options: &Options,
) -> Result<Option<Published>, ConfigError> {
    let (from, key) = match (&options.rules_from, &options.rules_key) {
        (None, None) => return Ok(None),
        (Some(RulesFrom(from)), Some(key)) => (from, key),
        _ => {
            return Err(usage(
                "--rules-from and --rules-key belong together: published rules must bear a good signature",
            ));
        }
    };
    if !cfg!(feature = "nats") {
        return Err(usage("--rules-from: this phitap was built without the feature nats"));
    }
    if matches!(source, Source::Files(_)) {
        return Err(usage("--rules-from is an option of live: a replay has the rules of --rules"));
    }
    let folder = options.rules.clone().ok_or_else(|| {
        usage("--rules-from: name the folder for published rules with --rules DIR")
    })?;
    Ok(Some(Published { from: from.clone(), key: key.clone(), folder }))
}

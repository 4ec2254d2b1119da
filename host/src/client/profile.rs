//! Which gateway is asked, and with which key: flags, then `HOOKWAY_ADDRESS` and `HOOKWAY_KEY`, then a profile.
//!
//! - A named profile (`--profile`) wins over the environment as a whole, so that the key of one gateway does not go
//!   to another.
//! - For the same reason the key of a profile goes to the address of that profile only.
//! - A file of profiles that others can read is refused.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::error::Error;

const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7400";
const DEFAULT_PROFILE: &str = "default";
/// Permissions that only the owner may have.
const OTHERS: u32 = 0o077;

/// Which gateway, and with which key.
#[derive(PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: Url,
    pub(super) key: Option<String>,
}

/// What flags say about it.
#[derive(Default)]
pub(super) struct Flags {
    pub(super) address: Option<String>,
    pub(super) key: Option<String>,
    pub(super) profile: Option<String>,
}

/// One table of `profiles.toml`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    address: Option<String>,
    key: Option<String>,
}

type Profiles = BTreeMap<String, Profile>;

impl Target {
    /// What flags, environment and the file of profiles say together.
    ///
    /// # Errors
    /// There is no such profile, its file cannot be read or can be read by others, or the address is none.
    pub(super) fn find(flags: Flags, environment: &[(String, String)]) -> Result<Self, Error> {
        let file = profiles_file(environment);
        let profiles = file.as_deref().map(read).transpose()?.flatten().unwrap_or_default();
        let file = file.map_or_else(|| "profiles.toml".to_owned(), |path| path.display().to_string());
        Self::choose(flags, environment, &profiles, &file)
    }

    fn choose(
        flags: Flags,
        environment: &[(String, String)],
        profiles: &Profiles,
        file: &str,
    ) -> Result<Self, Error> {
        let variable = |name| variable(environment, name).filter(|_| flags.profile.is_none());
        let name = flags.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
        let profile = match profiles.get(name) {
            Some(profile) => profile.clone(),
            None if flags.profile.is_some() => {
                return Err(Error::Usage(format!("{file} has no profile `{name}`: add a table [{name}]")));
            }
            None => Profile::default(),
        };
        let its_address = parse(profile.address.as_deref().unwrap_or(DEFAULT_ADDRESS))?;
        let address = flags.address.or_else(|| variable("HOOKWAY_ADDRESS"));
        let address = address.map_or_else(|| Ok(its_address.clone()), |text| parse(&text))?;
        let its_key = profile.key.filter(|_| address == its_address);
        let key = flags.key.or_else(|| variable("HOOKWAY_KEY")).or(its_key);
        Ok(Self { address, key })
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    let url = text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(|url| url.has_host() && url.query().is_none() && url.username().is_empty());
    url.ok_or_else(|| {
        Error::Usage(format!("`{text}` is no address of a gateway: write it as `{DEFAULT_ADDRESS}`"))
    })
}

fn variable(environment: &[(String, String)], name: &str) -> Option<String> {
    let found = environment.iter().find(|(n, value)| n == name && !value.is_empty());
    found.map(|(_, value)| value.clone())
}

/// As the XDG Base Directory Specification says; a relative `XDG_CONFIG_HOME` counts as none.
fn profiles_file(environment: &[(String, String)]) -> Option<PathBuf> {
    let configured =
        variable(environment, "XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable(environment, "HOME").map(|home| Path::new(&home).join(".config"));
    configured.or_else(home).map(|config| config.join("hookway").join("profiles.toml"))
}

/// The profiles of a file; `None` if there is no file.
fn read(path: &Path) -> Result<Option<Profiles>, Error> {
    let refused = |why: String| Error::Usage(format!("{}: {why}", path.display()));
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    if metadata.permissions().mode() & OTHERS != 0 {
        return Err(refused("others can read the keys in this file: run `chmod 600` on it".to_owned()));
    }
    let text =
        fs::read_to_string(path).map_err(|error| refused(format!("cannot read this file: {error}")))?;
    // The message of the error alone: its display quotes the line, which may be the one with the key.
    toml::from_str(&text).map(Some).map_err(|error| refused(error.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn chosen(flags: Flags, variables: &[(&str, &str)]) -> Result<(String, Option<String>), Error> {
        let profiles =
            "[default]\naddress = 'http://d'\nkey = 'hk_d'\n[p]\naddress = 'https://p'\nkey = 'hk_p'\n";
        let target = Target::choose(flags, &env(variables), &toml::from_str(profiles).unwrap(), "f")?;
        Ok((target.address.to_string(), target.key))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_the_default_profile() {
        let variables = [("HOOKWAY_ADDRESS", "http://e"), ("HOOKWAY_KEY", "hk_e")];
        let flags = || Flags { address: some("http://f"), key: some("hk_f"), profile: None };
        assert_eq!(chosen(flags(), &variables).unwrap(), ("http://f/".to_owned(), some("hk_f")));
        assert_eq!(chosen(Flags::default(), &variables).unwrap(), ("http://e/".to_owned(), some("hk_e")));
        assert_eq!(chosen(Flags::default(), &[]).unwrap(), ("http://d/".to_owned(), some("hk_d")));
    }

    #[test]
    fn a_named_profile_wins_over_the_environment_as_a_whole() {
        let flags = Flags { profile: some("p"), ..Flags::default() };
        let variables = [("HOOKWAY_ADDRESS", "http://e"), ("HOOKWAY_KEY", "hk_e")];
        assert_eq!(chosen(flags, &variables).unwrap(), ("https://p/".to_owned(), some("hk_p")));
        let unknown = Flags { profile: some("q"), ..Flags::default() };
        assert_eq!(chosen(unknown, &[]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_key_of_a_profile_goes_to_no_other_address() {
        assert_eq!(chosen(Flags::default(), &[("HOOKWAY_ADDRESS", "http://e")]).unwrap().1, None);
        let same = Flags { address: some("http://d/"), ..Flags::default() };
        assert_eq!(chosen(same, &[]).unwrap().1, some("hk_d"));
    }

    #[test]
    fn an_address_is_a_url_of_http() {
        for text in ["localhost:7400", "ftp://h", "http://", "http://u@h", "http://h?x", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_its_lines_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profiles.toml");
        assert!(read(&path).unwrap().is_none());
        fs::write(&path, "[default]\nkey = 'hk_top_secret'\nadress = 'x'\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).err().unwrap().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = read(&path).err().unwrap().to_string();
        assert!(error.contains("adress") && !error.contains("hk_top"), "{error}");
    }

    #[test]
    fn the_file_lies_where_xdg_says() {
        let file = |variables: &[(&str, &str)]| profiles_file(&env(variables));
        let home = ("HOME", "/h");
        assert_eq!(file(&[home]), Some("/h/.config/hookway/profiles.toml".into()));
        assert_eq!(file(&[home, ("XDG_CONFIG_HOME", "/x")]), Some("/x/hookway/profiles.toml".into()));
        assert_eq!(file(&[home, ("XDG_CONFIG_HOME", "x")]), Some("/h/.config/hookway/profiles.toml".into()));
        assert_eq!(file(&[]), None);
    }
}

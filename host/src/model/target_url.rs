//! One spelling for each target URL, so that one receiver is not two endpoints.

use url::{Host, ParseError, Url};

/// The URL in this text, normalised: scheme and host in lower case, no default port, no dot after the host.
///
/// # Errors
/// It is no URL.
pub fn normalised_url(text: &str) -> Result<Url, ParseError> {
    let mut url = Url::parse(text)?;
    // `example.com.` and `example.com` are one host; certificates and comparisons know the second.
    let Some(Host::Domain(name)) = url.host() else { return Ok(url) };
    if let Some(name) = name.strip_suffix('.').filter(|name| !name.is_empty()) {
        let name = name.to_owned();
        url.set_host(Some(&name))?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_has_one_spelling() {
        let normalised = normalised_url("https://example.com/hook").unwrap();
        for text in
            ["HTTPS://Example.COM:443/hook", "https://example.com./hook", "https://example.com/a/../hook"]
        {
            assert_eq!(normalised_url(text), Ok(normalised.clone()), "{text}");
        }
        assert_ne!(normalised_url("https://example.com/hook/"), Ok(normalised));
        assert!(normalised_url("example.com").is_err());
    }
}

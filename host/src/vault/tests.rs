//! Records that open and those that must not; keys from hostile texts and files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::model::UnixMs;

const ONE: &str = "one AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TWO: &str = "two ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

fn vault(lines: &[&str]) -> Vault {
    Vault::new(lines.join("\n").parse().unwrap())
}

fn key() -> SigningKey {
    SigningKey::Hmac(HmacKey::new(vec![7; 32]).unwrap())
}

fn pair() -> SigningKey {
    SigningKey::Ed25519(Ed25519Key::from_seed(&[7; 32]))
}

fn owner(tenant: &TenantId) -> Owner<'_> {
    Owner { tenant, endpoint: EndpointId::new(UnixMs(1), 2), secret: SecretId::new(UnixMs(1), 3) }
}

#[test]
fn a_record_opens_for_its_owner_and_shows_nothing() {
    let (vault, tenant) = (vault(&[ONE]), TenantId::default());
    for key in [key(), pair()] {
        let record = vault.seal(&key, owner(&tenant));
        assert_eq!(vault.open(&record, owner(&tenant)).as_ref(), Ok(&key));
        assert!(!record.windows(4).any(|bytes| bytes == [7; 4]));
        assert_ne!(record, vault.seal(&key, owner(&tenant)), "the nonce is another each time");
    }
}

#[test]
fn a_key_pair_cannot_be_passed_off_as_a_symmetric_secret_or_the_other_way_round() {
    let (vault, tenant) = (vault(&[ONE]), TenantId::default());
    let SigningKey::Ed25519(bytes) = pair() else { panic!("a key pair") };
    let same_bytes = SigningKey::Hmac(HmacKey::new(bytes.to_bytes().to_vec()).unwrap());
    for key in [pair(), same_bytes] {
        let mut record = vault.seal(&key, owner(&tenant));
        record[0] ^= 3;
        assert!(matches!(vault.open(&record, owner(&tenant)), Err(OpenError::Refused(_))));
        record[0] = 3;
        assert_eq!(vault.open(&record, owner(&tenant)), Err(OpenError::Malformed));
    }
}

#[test]
fn a_record_opens_for_nobody_else() {
    let (vault, tenant, other) = (vault(&[ONE]), TenantId::default(), "acme".parse().unwrap());
    let own = owner(&tenant);
    let record = vault.seal(&key(), own);
    for wrong in [
        Owner { tenant: &other, ..own },
        Owner { endpoint: EndpointId::from_u128(9), ..own },
        Owner { secret: SecretId::from_u128(9), ..own },
    ] {
        assert!(matches!(vault.open(&record, wrong), Err(OpenError::Refused(_))));
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let (vault, tenant) = (vault(&[ONE, TWO]), TenantId::default());
    let record = vault.seal(&key(), owner(&tenant));
    for bit in 0..record.len() * 8 {
        let mut changed = record.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(vault.open(&changed, owner(&tenant)).is_err(), "bit {bit}");
    }
    for length in 0..record.len() {
        assert!(vault.open(&record[..length], owner(&tenant)).is_err(), "{length} bytes");
    }
}

#[test]
fn the_first_key_seals_and_every_key_opens() {
    let tenant = TenantId::default();
    let old = vault(&[ONE]).seal(&key(), owner(&tenant));
    let both = vault(&[TWO, ONE]);
    assert_eq!(both.open(&old, owner(&tenant)), Ok(key()));
    assert!(!both.is_current(&old) && both.is_current(&both.seal(&key(), owner(&tenant))));
    assert_eq!(both.older_keys(), ["one".parse().unwrap()]);
}

#[test]
fn a_missing_key_is_named_with_the_setting() {
    let tenant = TenantId::default();
    let record = vault(&[ONE]).seal(&key(), owner(&tenant));
    let error = vault(&[TWO]).open(&record, owner(&tenant)).unwrap_err();
    assert_eq!(error, OpenError::UnknownKey("one".parse().unwrap()));
    assert!(error.to_string().contains("`one`") && error.to_string().contains("secrets.keys_file"));
    let impostor = vault(&[&TWO.replace("two", "one")]);
    assert!(matches!(impostor.open(&record, owner(&tenant)), Err(OpenError::Refused(_))));
}

#[test]
fn lines_of_keys_are_read_and_mistakes_are_named_without_being_repeated() {
    let ring: KeyRing = format!("# a comment\n\n  {ONE}\r\n{TWO},").parse().unwrap();
    assert_eq!(format!("{ring:?}"), r#"[KeyId("one"), KeyId("two")]"#);
    let key = ONE.strip_prefix("one ").unwrap();
    let cases = [
        (String::new(), KeysError::Empty),
        ("# only\n".to_owned(), KeysError::Empty),
        (key.to_owned(), KeysError::Line(1)),
        (format!("{ONE}\nthree QUJD"), KeysError::Line(2)),
        (format!("four {key}{key}"), KeysError::Line(1)),
        (format!("a/b {key}"), KeysError::Line(1)),
        (format!("{} {key}", "x".repeat(33)), KeysError::Line(1)),
        (format!("{ONE}\none {key}"), KeysError::Repeated { line: 2, id: "one".parse().unwrap() }),
    ];
    for (text, expected) in cases {
        let error = text.parse::<KeyRing>().unwrap_err();
        assert_eq!(error, expected, "{text}");
        assert!(!error.to_string().contains("AAEC"), "{error}");
    }
}

#[test]
fn a_first_start_makes_a_file_that_only_its_owner_can_read_and_the_next_one_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let tenant = TenantId::default();
    let first = load(&Options::default(), directory.path()).unwrap();
    assert!(fs::read_dir(directory.path()).unwrap().next().is_none(), "nothing is written before `save`");
    let (vault, made) = first.save().unwrap();
    let made = made.unwrap();
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let record = vault.seal(&key(), owner(&tenant));
    let (again, made) = load(&Options::default(), directory.path()).unwrap().save().unwrap();
    assert_eq!((again.open(&record, owner(&tenant)), made), (Ok(key()), None));
}

#[test]
fn a_file_that_cannot_be_trusted_is_refused_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let options = Options { keys_file: Some(path.clone()), keys: None };
    let refusal = || load(&options, directory.path()).unwrap_err().to_string();
    assert!(refusal().contains("cannot be used"), "a file that is named has to be there");
    fs::write(&path, ONE).unwrap();
    for mode in [0o644, 0o640, 0o602, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(refusal().contains("chmod 600"), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(load(&options, directory.path()).is_ok());
    fs::write(&path, vec![b'#'; 65 * 1024]).unwrap();
    assert!(refusal().contains("regular file"));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(refusal().contains("cannot be used"));
    let in_a_directory = Options { keys_file: Some(directory.path().to_owned()), keys: None };
    assert!(load(&in_a_directory, directory.path()).is_err());
}

#[test]
fn keys_of_a_setting_are_read_and_never_shown() {
    let options: Options = toml::from_str(&format!("keys = \"{ONE},{TWO}\"")).unwrap();
    assert!(load(&options, std::path::Path::new("/nowhere")).unwrap().save().unwrap().1.is_none());
    assert!(!format!("{options:?}").contains("AAEC"));
    let both = Options { keys_file: Some("keys".into()), ..options };
    assert!(matches!(load(&both, std::path::Path::new("/nowhere")), Err(Error::Both)));
}

proptest! {
    #[test]
    fn hostile_records_and_texts_are_refused_without_a_panic(bytes: Vec<u8>, text: String) {
        let tenant = TenantId::default();
        prop_assert!(vault(&[ONE]).open(&bytes, owner(&tenant)).is_err());
        let _ = text.parse::<KeyRing>();
    }
}

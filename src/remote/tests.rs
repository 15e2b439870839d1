use super::*;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn kind(text: &str) -> &'static str {
    match Credentials::parse(text) {
        Some(Credentials::Password { .. }) => "password",
        Some(Credentials::Token(_)) => "token",
        Some(Credentials::Seed(_)) => "seed",
        Some(Credentials::Nats(_)) => "creds",
        None => "none",
    }
}

#[test]
fn lines_of_a_file_of_credentials_say_what_it_holds() {
    let seed = format!("SU{}\n", "A".repeat(56));
    for (text, expected) in [
        ("sensor\nsecret\n", "password"),
        ("sensor\r\nsecret with: colon", "password"),
        ("a-token\n", "token"),
        ("us:er\n", "token"),
        (seed.as_str(), "seed"),
        ("-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n", "creds"),
        ("", "none"),
        ("\n\n", "none"),
        ("one\ntwo\nthree\n", "none"),
        ("to\u{0}ken\n", "none"),
    ] {
        assert_eq!(kind(text), expected, "{text:?}");
    }
}

#[test]
fn a_file_that_others_can_read_is_refused_and_no_error_shows_its_content() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("credentials");
    for (mode, content, expected) in [
        (0o644, "the-secret\n", "chmod 600"),
        (0o600, "one\nthe-secret\nthree\n", "neither one line"),
        (0o600, "the-secret\u{7}\n", "neither one line"),
    ] {
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        let error = Credentials::load(&path).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{mode:o} {content:?}: {error}");
        assert!(!error.contains("the-secret"), "{error}");
    }
    let missing = Credentials::load(&folder.path().join("none")).err().expect("missing");
    assert!(missing.to_string().contains("check the path"), "{missing}");
}

#[test]
fn the_roots_are_those_given_and_a_file_without_any_is_named() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "not a certificate\n").expect("written");
    let files = TlsFiles { ca: Some(path.clone()), certificate: None };
    let error = files.client().expect_err("no certificate").to_string();
    assert!(error.contains("ca.pem") && error.contains("no certificate"), "{error}");
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    std::fs::write(&path, certified.cert.pem()).expect("written");
    assert!(files.client().is_ok());
    let no_key = TlsFiles { certificate: Some((path, folder.path().join("none"))), ..files };
    assert!(no_key.client().expect_err("no key").to_string().contains("none"));
}

#[test]
fn a_name_without_a_folder_stays_as_it_is_where_systemd_gave_nothing() {
    assert_eq!(locate(Path::new("/etc/phitap/nats.creds")), Path::new("/etc/phitap/nats.creds"));
    assert_eq!(locate(Path::new("no-such-credential")), Path::new("no-such-credential"));
}
